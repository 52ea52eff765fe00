"""Keys that cosign signs and verifies with: ECDSA on the curve P-256, with SHA-256.

A private key is in PEM: unencrypted, encrypted as PKCS #8 has it, or as `cosign generate-key-pair` writes it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootimg.builds.signing.sealedkey import open_sealed
from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import MIB
from bootimg.untrusted.files import read_start
from bootimg.untrusted.tree import Malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PASSWORD_VARIABLE = "COSIGN_PASSWORD"
_LIMIT = MIB
_COSIGN = re.compile(
    rb"-----BEGIN ENCRYPTED (COSIGN|SIGSTORE) PRIVATE KEY-----(.*?)-----END ENCRYPTED \1 PRIVATE KEY-----",
    re.S,
)
_ENCRYPTED = (b"ENCRYPTED", b"Proc-Type: 4,ENCRYPTED")
_CURVE = "secp256r1"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; `hint` is how Sigstore bundles name it: base64 of the SHA-256 of its DER form."""

    key: EllipticCurvePublicKey

    @property
    def hint(self) -> str:
        """The name of the key in a bundle."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature is one of these bytes by this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.key.verify(signature, data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key in memory."""

    key: EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """Its public key."""
        return PublicKey(self.key.public_key())

    def sign(self, data: bytes) -> bytes:
        """A signature of these bytes, in ASN.1's DER; another one each time."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self.key.sign(data, ECDSA(SHA256()))


def read_public_key(file: Path) -> PublicKey:
    """The public key in a PEM file.  Errors: `cosign-key-invalid`, `cosign-library-missing`."""
    _require_libraries()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return PublicKey(_on_curve(file, lambda: load_pem_public_key(_read(file)), "public"))


def read_private_key(file: Path, password_file: Path | None = None) -> PrivateKey:
    """The private key in a PEM file.

    The password of an encrypted one is in `password_file`, else in the environment as `COSIGN_PASSWORD`.
    Errors: `cosign-key-invalid`, `cosign-password-missing`, `cosign-library-missing`.
    """
    _require_libraries()
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    data = _read(file)
    password = _password(file, password_file) if any(each in data for each in _ENCRYPTED) else None
    if (found := _COSIGN.search(data)) is None or password is None:
        return PrivateKey(_on_curve(file, lambda: load_pem_private_key(data, password or None), "private"))
    body = found[2]
    return PrivateKey(
        _on_curve(file, lambda: load_der_private_key(open_sealed(body, password), None), "private")
    )


def _read(file: Path) -> bytes:
    try:
        return read_start(file, _LIMIT)
    except OSError as error:
        raise _invalid(file, f"it cannot be read: {error.strerror}") from None


def _password(file: Path, password_file: Path | None) -> bytes:
    if password_file is not None:
        return _read(password_file).rstrip(b"\r\n")
    if (found := os.environ.get(PASSWORD_VARIABLE)) is not None:
        return found.encode(errors="surrogateescape")
    raise BootimgError(
        "cosign-password-missing",
        f"the key in {file} is encrypted, and its password is not known",
        hint=f"set {PASSWORD_VARIABLE} in the environment, or name a file with --cosign-password-file",
        exit_code=ExitCode.USAGE,
    )


def _on_curve(file: Path, load: Callable[[], Any], kind: str) -> Any:  # noqa: ANN401
    """What `load` gives, if it is a key on the curve P-256."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = load()
    except (ValueError, TypeError, UnsupportedAlgorithm, Malformed):
        # Their texts may quote the file.
        raise _invalid(file, f"it has no {kind} key in PEM, or the password is not that of the key") from None
    if getattr(getattr(found, "curve", None), "name", None) != _CURVE:
        raise _invalid(file, f"its {kind} key is not one of ECDSA on the curve P-256")
    return found


def _require_libraries() -> None:
    try:
        import cryptography
        import nacl
    except ImportError as error:
        raise BootimgError(
            "cosign-library-missing",
            f"{error.name} is not installed, and bootimg needs it for keys of cosign",
            hint="install bootimg with its extra: pipx install 'bootimg[cosign]'",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None
    del cryptography, nacl


def _invalid(file: Path, why: str) -> BootimgError:
    return BootimgError(
        "cosign-key-invalid",
        f"{file} is not a key that can be used: {why}",
        hint="`cosign generate-key-pair` makes cosign.key and cosign.pub",
        exit_code=ExitCode.USAGE,
    )

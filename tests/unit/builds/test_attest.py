"""`bootimg sign --cosign-key` and `verify --cosign-key`: bundles that other libraries read and verify."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.secret import SecretBox
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]
from sigstore_models.bundle.v1 import Bundle as Reference

from bootimg.builds.find import find_build
from bootimg.builds.record import Record, change_record
from bootimg.builds.signing.bundle import parse_bundle
from bootimg.checks.builds.buildfindings import build_findings
from bootimg.checks.builds.signaturerules import Signatures
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from tests.unit.builds.test_meta import X86, add_sbom, make_build
from tests.unit.builds.test_provenance import FILE, QEMU, SOURCE, write

SBOM = "rhcos-1-sbom.x86_64.spdx.json"
KEY = ec.generate_private_key(ec.SECP256R1())
PASSWORD = b"a secret"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build with SBOM and provenance; `cosign.key` and `cosign.pub` are beside the tree of builds."""
    path = make_build(tmp_path / "builds", "1")
    add_sbom(tmp_path / "builds", "1", b'{"spdxVersion": "SPDX-2.3"}')
    change_record(path, Record(made={"qemu": QEMU}, source=SOURCE))
    write(path)
    (tmp_path / "cosign.key").write_bytes(pem(KEY))
    (tmp_path / "cosign.pub").write_bytes(public(KEY))
    return path


def pem(key: Any, how: KeySerializationEncryption | None = None) -> bytes:  # noqa: ANN401
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how or NoEncryption()))


def public(key: Any) -> bytes:  # noqa: ANN401
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def cosigns_form(key: ec.EllipticCurvePrivateKey, password: bytes, kind: str = "SIGSTORE") -> bytes:
    """What `cosign generate-key-pair` writes, by go-securesystemslib's package `encrypted`."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt = b"s" * 32
    secret = hashlib.scrypt(password, salt=salt, n=16, r=8, p=1, dklen=32)
    sealed = SecretBox(secret).encrypt(der)

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    document = {
        "kdf": {"name": "scrypt", "params": {"N": 16, "r": 8, "p": 1}, "salt": text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(sealed.nonce)},
        "ciphertext": text(sealed.ciphertext),
    }
    body = base64.encodebytes(json.dumps(document).encode()).decode()
    words = f"ENCRYPTED {kind} PRIVATE KEY-----"
    return f"-----BEGIN {words}\n{body}-----END {words}\n".encode()


def sign(folder: Path, *words: str) -> list[dict[str, Any]]:
    builds = folder.parents[1]
    key = str(builds.parent / "cosign.key")
    done = CliRunner().invoke(bootimg, ["sign", "-o", str(builds), "--json", "--cosign-key", key, *words])
    if done.exception is not None:
        raise done.exception
    return list(json.loads(done.stdout)["signatures"])


def failing(folder: Path, *words: str) -> str:
    with pytest.raises(BootimgError) as caught:
        sign(folder, *words)
    return caught.value.id


def broken(folder: Path, *keys: Path) -> list[tuple[str, str]]:
    build = find_build(folder.parents[1], "1", X86)
    found = build_findings(build, Events(), signatures=Signatures(cosign_keys=keys))
    return [
        (each.rule.value, each.where)
        for each in found
        if each.rule.value.startswith(("bundle", "provenance"))
    ]


def test_other_libraries_read_the_bundles_and_verify_them(folder: Path) -> None:
    assert [(each["key"], each["made"]) for each in sign(folder)] == [("sbom", True), ("provenance", True)]
    key = SSlibKey.from_crypto(KEY.public_key())
    for name in (FILE, SBOM):
        data = (folder / f"{name}.sigstore.json").read_bytes()
        bundle = Reference.from_json(data)
        der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        assert bundle.verification_material.public_key is not None
        assert bundle.verification_material.public_key.hint == hint
        envelope = Envelope.from_dict(json.loads(data)["dsseEnvelope"])
        [signature] = envelope.signatures.values()
        # cosign leaves the id of a key empty, this library does not take that.
        signature.keyid = key.keyid
        key.verify_signature(signature, envelope.pae())
    assert not list(folder.glob("*.sig"))


def test_the_statements_are_the_provenance_and_one_of_the_layer_with_the_sbom(folder: Path) -> None:
    sign(folder)
    payload = parse_bundle((folder / f"{FILE}.sigstore.json").read_bytes()).payload
    assert payload == (folder / FILE).read_bytes()
    statement = json.loads(parse_bundle((folder / f"{SBOM}.sigstore.json").read_bytes()).payload)
    assert statement["predicateType"] == "https://spdx.dev/Document"
    assert statement["predicate"] == {"spdxVersion": "SPDX-2.3"}
    images = find_build(folder.parents[1], "1", X86).images
    assert {each["name"]: each["digest"]["sha256"] for each in statement["subject"]} == {
        images[key]["path"]: images[key]["sha256"] for key in ("ostree", "oci-manifest")
    }


def test_good_bundles_stay_and_others_are_made_again(folder: Path) -> None:
    sign(folder)
    assert [each["made"] for each in sign(folder)] == [False, False]
    assert [each["made"] for each in sign(folder, "--force")] == [True, True]
    assert [each["key"] for each in sign(folder, "--artifact", "provenance")] == ["provenance"]
    (folder.parents[2] / "cosign.key").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    assert [each["made"] for each in sign(folder)] == [True, True]
    (folder / f"{FILE}.sigstore.json").chmod(0o644)
    (folder / f"{FILE}.sigstore.json").write_bytes(b"{}")
    assert [each["made"] for each in sign(folder)] == [False, True]


def test_verify_takes_the_key_that_signed_and_no_other(folder: Path, tmp_path: Path) -> None:
    right, wrong = tmp_path / "cosign.pub", tmp_path / "other.pub"
    wrong.write_bytes(public(ec.generate_private_key(ec.SECP256R1())))
    assert broken(folder) == []
    assert broken(folder, right) == [("bundle-gone", SBOM), ("bundle-gone", FILE)]
    sign(folder)
    assert broken(folder, right) == broken(folder, wrong, right) == broken(folder) == []
    bundles = [f"{name}.sigstore.json" for name in (SBOM, FILE)]
    assert broken(folder, wrong) == [("bundle-bad", name) for name in bundles]


def test_the_command_takes_the_keys(folder: Path, tmp_path: Path) -> None:
    def told(*words: str) -> list[str]:
        common = ["--arch", "x86_64", "-o", str(folder.parents[1]), "--cache", str(tmp_path / "c"), "--json"]
        done = CliRunner().invoke(bootimg, ["verify", "1", *words, *common])
        found = [each["rule"] for each in json.loads(done.stdout)["findings"]]
        return [each for each in found if each.startswith("bundle")]

    sign(folder, "--artifact", "provenance")
    assert told() == []
    assert told("--cosign-key", str(tmp_path / "cosign.pub")) == ["bundle-gone"]


def test_a_bundle_of_another_statement_is_bad_without_a_key_too(folder: Path) -> None:
    sign(folder)
    one, other = (folder / f"{name}.sigstore.json" for name in (SBOM, FILE))
    other.chmod(0o644)
    other.write_bytes(one.read_bytes())
    assert broken(folder) == [("bundle-bad", other.name)]


def test_nothing_is_signed_where_a_file_is_not_what_the_statement_says(folder: Path) -> None:
    file = find_build(folder.parents[1], "1", X86).artifact("qemu")
    file.chmod(0o644)
    file.write_bytes(b"other")
    assert failing(folder) == "artifact-damaged"
    assert not list(folder.glob("*.sigstore.json"))


@pytest.mark.parametrize(
    "data",
    [
        pem(KEY, BestAvailableEncryption(PASSWORD)),
        cosigns_form(KEY, PASSWORD),
        cosigns_form(KEY, PASSWORD, "COSIGN"),
    ],
    ids=["pkcs8", "sigstore", "cosign"],
)
def test_encrypted_keys(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.delenv("COSIGN_PASSWORD", raising=False)
    (tmp_path / "cosign.key").write_bytes(data)
    assert failing(folder) == "cosign-password-missing"
    file = tmp_path / "password"
    file.write_bytes(PASSWORD + b"\n")
    assert [each["made"] for each in sign(folder, "--cosign-password-file", str(file))] == [True, True]
    monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD.decode())
    assert [each["made"] for each in sign(folder)] == [False, False]
    monkeypatch.setenv("COSIGN_PASSWORD", "wrong")
    assert failing(folder) == "cosign-key-invalid"
    assert broken(folder, tmp_path / "cosign.pub") == []


@pytest.mark.parametrize(
    "data",
    [b"", b"text", pem(ec.generate_private_key(ec.SECP384R1())),
     pem(rsa.generate_private_key(65537, 2048)), public(KEY),
     b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"],
    ids=["empty", "text", "p384", "rsa", "public", "no-kdf"],
)  # fmt: skip
def test_other_files_are_no_private_keys(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "x")
    (tmp_path / "cosign.key").write_bytes(data)
    assert failing(folder) == "cosign-key-invalid"


def test_a_private_key_is_no_public_key(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        broken(folder, tmp_path / "cosign.key")
    assert caught.value.id == "cosign-key-invalid"


def test_someone_must_sign(folder: Path) -> None:
    done = CliRunner().invoke(bootimg, ["sign", "-o", str(folder.parents[1])])
    assert done.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"payload": "', '"payload": "é'),
        ('"sig": "', '"sig": "-'),
        ("application/vnd.in-toto", "text/x"),
        ("v0.3", "v9"),
    ],
)
def test_what_is_no_bundle_is_bad(folder: Path, old: str, new: str) -> None:
    sign(folder)
    path = folder / f"{FILE}.sigstore.json"
    text = path.read_text()
    assert old in text
    path.chmod(0o644)
    path.write_text(text.replace(old, new))
    assert broken(folder) == [("bundle-bad", path.name)]
    assert [each["made"] for each in sign(folder)] == [False, True]

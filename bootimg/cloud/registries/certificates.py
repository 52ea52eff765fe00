"""The certificates for a registry, in the folders where skopeo looks: containers-certs.d(5)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from bootimg.errors import BootimgError, ExitCode


def tls_context(host: str, folder: Path | None, *, verify: bool) -> ssl.SSLContext:
    """TLS for a registry (`name:port`), with the CAs (*.crt) and the client's certificate of `folder`.

    Without `folder` the machine's folders for this registry count.  `registry-certificates-invalid`.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for each in [folder] if folder is not None else _folders(host):
        try:
            _load(context, each)
        except (OSError, ssl.SSLError) as error:
            raise _invalid(each, str(error)) from None
    return context


def _folders(host: str) -> Iterator[Path]:
    home = os.environ.get("HOME", "/nonexistent")
    for parent in (f"{home}/.config/containers", "/etc/containers", "/etc/docker"):
        folder = Path(parent, "certs.d", host)
        if folder.is_dir():
            yield folder
            return


def _load(context: ssl.SSLContext, folder: Path) -> None:
    for path in sorted(folder.glob("*.crt")):
        context.load_verify_locations(path)
    for path in sorted(folder.glob("*.cert")):
        context.load_cert_chain(path, path.with_suffix(".key"))


def _invalid(folder: Path, why: str) -> BootimgError:
    return BootimgError(
        "registry-certificates-invalid",
        f"the certificates in {folder} cannot be used",
        context=[why[:300]],
        hint="--cert-dir holds NAME.crt of the registry's CA, and NAME.cert with NAME.key of the client",
        exit_code=ExitCode.USAGE,
    )

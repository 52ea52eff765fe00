"""A registry with TLS and a login, and one behind a proxy that can spoil answers."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.clouds.faultproxy import Proxy, fault_proxy
from tests.support.registry import serving_registry

# The password is `a word`.
HTPASSWD = "us:$2b$04$9EYDaTruWM9U9fcBT944GuZYNdknBAj0XHQoa2qeCE3T9HDNQgVZm\n"
CERTIFICATE = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")  # fmt: skip


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this user's logins nor skopeo's memory of blobs count; tags are looked at again soon."""
    for each in ("skopeo", "openssl"):
        if not shutil.which(each):
            pytest.skip(f"{each} is not installed")
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HTTPS_PROXY", "HTTP_PROXY",
                 "https_proxy", "http_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("bootimg.cloud.registries.listing._MOMENT", 0.05)


@dataclass(frozen=True)
class Served:
    """A registry: its address, and the files for its TLS and its login."""

    address: str
    folder: Path
    authfile: Path
    certificates: Path

    @property
    def words(self) -> tuple[object, ...]:
        """bootimg's options for it."""
        return "--authfile", self.authfile, "--cert-dir", self.certificates


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A registry with TLS and a login."""
    folder, certificates = tmp_path / "registry", tmp_path / "certificates"
    folder.mkdir()
    certificates.mkdir()
    key, certificate = folder / "key.pem", certificates / "ca.crt"
    argv = ["openssl", "req", *CERTIFICATE, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    tls = f", tls: {{certificate: {certificate}, key: {key}}}"
    auth = f"auth: {{htpasswd: {{realm: here, path: {folder}/htpasswd}}}}\n"
    with serving_registry(folder, tls, auth) as address:
        authfile = tmp_path / "auth.json"
        login = base64.b64encode(b"us:a word").decode()
        authfile.write_text(json.dumps({"auths": {address: {"auth": login}}}))
        yield Served(address, folder, authfile, certificates)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A plain registry behind a proxy; deletion is switched on."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with serving_registry(folder, delete=True) as address, fault_proxy(f"http://{address}") as running:
        yield running

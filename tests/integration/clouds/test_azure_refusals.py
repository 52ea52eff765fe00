"""What uploads to Azure refuse, and that no secret is in what they print and write."""

from __future__ import annotations

import builtins
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.errors import ExitCode
from bootimg.formats import Compressor
from tests.integration.clouds.azurecommands import (
    BLOB,
    Storage,
    each_place,
    refused,
    storage_action,
    uploaded,
)
from tests.integration.clouds.commands import failing, meta
from tests.support.clouds.azurite import ACCOUNT, KEY, azurite
from tests.support.clouds.cloudbuilds import make_cloud_build
from tests.support.clouds.faultproxy import Fault, Proxy, fault_proxy
from tests.support.clouds.strictazure import IDENTITY_HEADER, StrictAzure
from tests.support.clouds.tlsfiles import server_context


def make_build(builds: Path, **more: Any) -> Path:  # noqa: ANN401
    path, _ = make_cloud_build(builds, "azure", image_json=None, **more)
    return path


def test_no_credentials(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_build(tmp_path / "builds")
    words = (*storage.words, "--set", f"storage_account={ACCOUNT}")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountKey={KEY}")
    error = failing("upload", tmp_path / "builds", *words)
    assert error.id == "cloud-credentials-missing"
    assert KEY not in str(error.as_dict())
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    error = failing("upload", tmp_path / "builds", *words)
    assert (error.id, error.exit_code) == ("cloud-credentials-missing", ExitCode.ENVIRONMENT)
    assert storage.proxy.requests == []


@pytest.mark.parametrize(
    ("status", "code", "id"),
    [(403, "AuthenticationFailed", "cloud-credentials-refused"),
     (403, "AuthorizationPermissionMismatch", "cloud-permission-missing"),
     (400, "Strange", "cloud-request-failed")],
)  # fmt: skip
def test_answers_that_refuse_and_no_secret_is_printed_or_written(
    status: int, code: str, id: str, storage: Storage, tmp_path: Path
) -> None:
    path = make_build(tmp_path / "builds")
    secret = "sv=2026&amp;sig=c2VjcmV0%3D"
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{KEY} {secret}</Message></Error>"
    fault = Fault(status, {"x-ms-error-code": code, "Content-Type": "application/xml"}, body=body.encode())
    storage.proxy.plan = lambda request: fault if request.action == "PutPage" else None
    error = refused("upload", tmp_path / "builds", *storage.words)
    assert error["id"] == id
    assert "[hidden]" in " ".join(error["context"])
    argv: list[str | Path] = [sys.executable, "-m", "bootimg", "upload", "-o", tmp_path / "builds", "--cache",
            tmp_path / "cache", *storage.words, "-vv", "--events", "ndjson"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True)
    assert id.encode() in done.stdout
    texts = [done.stdout, done.stderr, *(each.read_bytes() for each in path.iterdir() if each.is_file())]
    for hidden in (KEY.encode(), b"c2VjcmV0"):
        assert not any(hidden in text for text in texts)


def test_a_container_that_does_not_exist(storage: Storage, tmp_path: Path) -> None:
    make_build(tmp_path / "builds")
    words = ("-p", "azure", "--set", "storage_container=nobodys")
    error = refused("upload", tmp_path / "builds", *words)
    assert (error["id"], error["exit-code"]) == ("cloud-bucket-missing", ExitCode.USAGE)


@pytest.mark.parametrize("kind", ["of another build", "block blob", "without metadata"])
def test_a_foreign_blob_of_the_name(kind: str, storage: Storage, tmp_path: Path) -> None:
    path = make_build(tmp_path / "builds")
    ours = {"bootimg_sha256": meta(path)["images"]["azure"]["sha256"]}
    if kind == "block blob":
        storage.client().upload_blob(b"x", metadata=ours)
    else:
        other = {"bootimg_sha256": "0" * 64} if kind == "of another build" else {}
        storage.client().create_page_blob(512, metadata=other)
    error = refused("upload", tmp_path / "builds", *storage.words)
    assert error["id"] == "cloud-image-foreign"
    assert BLOB in error["message"]
    assert {each.action for each in storage.proxy.requests} == {"GetBlobProperties"}
    assert "azure" not in meta(path)


def test_an_architecture_that_azure_does_not_have(storage: Storage, tmp_path: Path) -> None:
    with open_build(tmp_path / "builds", "1", Arch.PPC64LE) as build:
        build.meta.merge({"buildid": "1", "coreos-assembler.basearch": "ppc64le", "images": {}})
    error = failing("upload", tmp_path / "builds", "1", *storage.words)
    assert error.id == "platform-arch-unsupported"
    assert storage.proxy.requests == []


def damage(path: Path) -> None:
    file = next(path.glob("*.vhd*"))
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def remove(path: Path) -> None:
    next(path.glob("*.vhd*")).unlink()


@pytest.mark.parametrize("compressor", [Compressor.NONE, Compressor.ZSTD])
@pytest.mark.parametrize(("change", "ids"), [(damage, {"artifact-damaged", "compressed-file-damaged"}),
                                             (remove, {"artifact-missing"})])  # fmt: skip
def test_a_wrong_artifact_is_refused_before_anything_is_sent(
    compressor: Compressor, change: Callable[[Path], None], ids: set[str], storage: Storage, tmp_path: Path
) -> None:
    path = make_build(tmp_path / "builds", compressor=compressor)
    change(path)
    assert refused("upload", tmp_path / "builds", *storage.words)["id"] in ids
    assert {each.action for each in storage.proxy.requests} == {"GetBlobProperties"}
    assert "azure" not in meta(path)


@pytest.mark.parametrize(
    ("words", "id"),
    [((), "cloud-setting-missing"), (("storage_container=No_Such",), "cloud-name-invalid"),
     (("storage_container=" + "y" * 70,), "cloud-name-invalid"),
     (("storage_container=images", "storage_account=another"), "cloud-setting-invalid"),
     (("storage_container=images", "regoin=x"), "cloud-setting-invalid")],
)  # fmt: skip
def test_wrong_settings(words: tuple[str, ...], id: str, storage: Storage, tmp_path: Path) -> None:
    make_build(tmp_path / "builds")
    given = [word for each in words for word in ("--set", each)]
    error = failing("upload", tmp_path / "builds", "-p", "azure", *given)
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)
    assert storage.proxy.requests == []


def test_a_name_that_azure_does_not_allow(storage: Storage, tmp_path: Path) -> None:
    path = make_build(tmp_path / "builds")
    document = meta(path)
    document["images"]["azure"]["path"] = "disk.vmdk"
    (path / "meta.json").write_text(json.dumps(document))
    assert failing("upload", tmp_path / "builds", *storage.words).id == "cloud-name-invalid"
    assert storage.proxy.requests == []


def test_a_disk_that_is_no_whole_mib(storage: Storage, tmp_path: Path) -> None:
    """Azure would make a machine of it that does not start."""
    path = make_build(tmp_path / "builds")
    file, document = next(path.glob("*.vhd")), meta(path)
    data = file.read_bytes()[: 1 << 20] + bytes(512) + file.read_bytes()[-512:]
    file.chmod(0o644)
    file.write_bytes(data)
    document["images"]["azure"]["sha256"] = hashlib.sha256(data).hexdigest()
    (path / "meta.json").write_text(json.dumps(document))
    assert refused("upload", tmp_path / "builds", *storage.words)["id"] == "vhd-size-invalid"
    assert storage.names() == []


def test_without_the_sdk_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_build(tmp_path / "builds")
    real = builtins.__import__

    def without(name: str, *words: Any, **more: Any) -> Any:  # noqa: ANN401
        if name == "azure.storage.blob":
            raise ImportError(name, name=name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = failing("upload", tmp_path / "builds", "-p", "azure", "--set", "storage_container=images")
    assert (error.id, error.exit_code) == ("sdk-missing", ExitCode.ENVIRONMENT)
    assert "bootimg[azure]" in str(error.hint)


@pytest.fixture
def login(
    identity: StrictAzure, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Proxy]:
    """A storage account that wants tokens, which are checked, behind a proxy."""
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    options = ("--oauth", "basic", "--cert", certificate[0], "--key", certificate[1])
    with (
        azurite(*options) as url,
        fault_proxy(url, action=storage_action, tls=server_context(*certificate)) as proxy,
    ):
        yield proxy


def test_an_identity_s_token_that_expires_in_mid_upload(
    identity: StrictAzure, login: Proxy, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    path = make_build(tmp_path / "builds")
    url = f"{login.url}/{ACCOUNT}"
    BlobServiceClient(url, credential=DefaultAzureCredential()).create_container("images")
    settings = (f"storage_account={ACCOUNT}", f"blob_endpoint={url}", "storage_container=images")
    words = ["-p", "azure", *(word for each in settings for word in ("--set", each))]
    challenge = (
        "Bearer authorization_uri=https://login.microsoftonline.com/t resource_id=https://storage.azure.com"
    )
    expired = Fault(401, {"x-ms-error-code": "InvalidAuthenticationInfo", "WWW-Authenticate": challenge})
    login.plan = lambda request: (
        expired if request.action == "PutPage" and login.count("PutPage") > 2 else None
    )
    error = refused("upload", tmp_path / "builds", *words, "-j", "1")
    assert (error["id"], error["exit-code"]) == ("cloud-credentials-refused", ExitCode.ENVIRONMENT)
    assert not any(token in json.dumps(error) for token in (*identity.tokens, IDENTITY_HEADER))
    # Azurite itself refuses a token that has expired.
    login.plan, identity.token_life = lambda request: None, -60
    assert refused("upload", tmp_path / "builds", *words)["id"] == "cloud-credentials-refused"
    identity.token_life, before = 3600, login.count("PutPage")
    each_place("upload", tmp_path / "builds", words)
    assert meta(path)["azure"] == {"image": BLOB, "url": f"{url}/images/{BLOB}"}
    journal = (path / ".bootimg-upload-azure.ndjson").read_text()
    assert login.count("PutPage") - before == journal.count('"part"') - 2
    assert not any(token in journal for token in identity.tokens)


def test_a_signature_of_the_connection_string_is_not_recorded(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import generate_account_sas

    signature = generate_account_sas(
        ACCOUNT, KEY, resource_types="sco", permission="rwdlac", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    text = f"BlobEndpoint={storage.proxy.url}/{ACCOUNT};SharedAccessSignature={signature}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    path = make_build(tmp_path / "builds")
    found = uploaded(storage, tmp_path / "builds")
    secret = signature.partition("sig=")[2].partition("&")[0]
    texts = [json.dumps(found), (path / "meta.json").read_text()]
    assert not any(secret in text or "?" in text for text in texts)

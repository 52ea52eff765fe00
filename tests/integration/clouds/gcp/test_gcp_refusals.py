"""What uploads to GCP refuse, and that no secret is in what they print and write."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.errors import ExitCode
from tests.integration.clouds.commands import failing, invoke, meta
from tests.integration.clouds.gcp.commands import KEY, NAME, bucket, failure, only_at, upload, words
from tests.integration.clouds.gcp.conftest import PROJECT
from tests.support.clouds.faultproxy import Fault, Proxy, Request
from tests.support.clouds.strictgoogle import ACCOUNT, BUCKET, StrictGoogle


def planning_error(builds: Path, proxy: Proxy) -> tuple[str, str]:
    error = failing("upload", builds, *words(proxy), *bucket())
    return error.id, str(error.hint)


def place_error(builds: Path, proxy: Proxy) -> tuple[str, str]:
    error = failure(builds, proxy)
    return error["id"], error["hint"]


@pytest.fixture
def account(
    google: StrictGoogle, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[str, ...], str]:
    """The options for an upload with the credentials of a service account, and its private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    document = {"type": "service_account", "client_email": ACCOUNT, "private_key": key.decode(),
                "private_key_id": "1", "project_id": PROJECT, "token_uri": f"{proxy.url}/token"}  # fmt: skip
    file = tmp_path / "account.json"
    file.write_text(json.dumps(document))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    google.tokens = set()
    return ("--set", f"storage_endpoint={proxy.url}"), key.decode().splitlines()[5]


def test_no_credentials(
    proxy: Proxy, build: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    error = failing("upload", tmp_path / "builds", *words(proxy), *bucket())
    assert (error.id, error.exit_code) == ("cloud-credentials-missing", ExitCode.ENVIRONMENT)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/none")
    error = failing("upload", tmp_path / "builds", *words(proxy), *bucket())
    assert error.id == "cloud-credentials-missing"
    assert proxy.requests == []


def test_the_token_ends_in_the_middle_and_is_renewed_by_the_sdk(
    google: StrictGoogle,
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
    account: tuple[tuple[str, ...], str],
) -> None:
    def plan(request: Request) -> None:
        if request.action == "chunk" and proxy.count("chunk") == 2 and google.tokens:
            google.tokens.clear()

    proxy.plan = plan
    upload(tmp_path / "builds", proxy, *account[0])
    assert google.objects() == [KEY]
    assert meta(build[0])["gcp"]["project"] == PROJECT


def test_credentials_that_are_withdrawn_in_the_middle_and_no_secret_is_told(
    google: StrictGoogle,
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
    account: tuple[tuple[str, ...], str],
) -> None:
    path, _ = build
    tokens: set[str] = set()

    def plan(request: Request) -> None:
        if request.action == "chunk" and proxy.count("chunk") == 2 and google.tokens:
            tokens.update(google.tokens)
            google.tokens.clear()
            google.token_status = 400

    proxy.plan = plan
    options = (*words(proxy), *bucket(), *account[0])
    done = invoke("upload", tmp_path / "builds", *options, "-vv", "--events", "ndjson")
    error = json.loads(done.stdout)["uploads"][0]["places"][0]["error"]
    assert (error["id"], done.exit_code) == ("cloud-credentials-refused", ExitCode.ENVIRONMENT)
    session = next(iter(google.uploads))
    journal = path / ".bootimg-upload-gcp.ndjson"
    texts = [
        done.output,
        done.stderr,
        *(each.read_text(errors="replace") for each in path.iterdir() if each.is_file()),
    ]
    assert tokens
    assert not any(secret in text for secret in (*tokens, account[1]) for text in texts)
    # The journal alone has the session's address: without it nothing could be continued.
    assert [text for text in texts if session in text] == [journal.read_text()]
    google.token_status = 200
    sent = proxy.count("chunk")
    upload(tmp_path / "builds", proxy, *account[0])
    assert google.objects() == [KEY]
    assert proxy.count("begin") == 1
    # The first chunk is not sent again.
    assert proxy.count("chunk") - sent == 2


@pytest.mark.parametrize(
    ("status", "id"), [(403, "cloud-permission-missing"), (400, "cloud-request-failed")]
)  # fmt: skip
def test_answers_that_refuse(
    status: int, id: str, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    document = json.dumps({"error": {"code": status, "message": "no", "errors": [{"reason": "because"}]}})
    refusal = Fault(status, {"Content-Type": "application/json"}, body=document.encode())
    for action in ("begin", "images.insert"):
        proxy.plan = only_at(action, refusal)
        error = failure(tmp_path / "builds", proxy)
        assert error["id"] == id
        assert "no" in " ".join(error["context"])


def test_a_bucket_that_does_not_exist(proxy: Proxy, build: tuple[Path, Path], tmp_path: Path) -> None:
    error = failure(tmp_path / "builds", proxy, "--bucket", "nowhere/art")
    assert (error["id"], error["exit-code"]) == ("cloud-bucket-missing", ExitCode.USAGE)


def test_a_foreign_image_and_a_foreign_object_of_the_name(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy)
    image = google.compute.images[PROJECT, NAME]
    image["labels"]["bootimg-sha256"] = "0" * 63
    error = failure(tmp_path / "builds", proxy)
    assert error["id"] == "cloud-image-foreign"
    google.compute.images.clear()
    data = b"other"
    kind = {"Content-Type": "application/octet-stream"}
    name = KEY.replace("/", "%2F")
    google.ask("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", data, kind)
    error = failure(tmp_path / "builds", proxy)
    assert error["id"] == "cloud-image-foreign"
    assert google.object(KEY) == data
    assert len(google.compute.inserted) == 1


def test_an_image_of_coreos_assembler_is_ours_if_meta_json_lists_it(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy)
    google.compute.images[PROJECT, NAME]["labels"] = {}
    assert upload(tmp_path / "builds", proxy)["places"][0]["state"] == "done"
    assert google.compute.images[PROJECT, NAME]["labels"]["bootimg-sha256"]
    google.compute.images[PROJECT, NAME]["labels"] = {}
    document = {key: value for key, value in meta(build[0]).items() if key != "gcp"}
    (build[0] / "meta.json").write_text(json.dumps(document))
    assert failure(tmp_path / "builds", proxy)["id"] == "cloud-image-foreign"


def damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


@pytest.mark.parametrize(("change", "id"), [(damage, "artifact-damaged"), (Path.unlink, "artifact-missing")])
def test_a_wrong_artifact_is_refused_before_anything_is_sent(
    change: Callable[[Path], None], id: str, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    change(next(build[0].glob("*.tar.gz")))
    assert failure(tmp_path / "builds", proxy)["id"] == id
    assert {each.action for each in proxy.requests} <= {"images.get"}


def test_an_architecture_that_the_cloud_does_not_have(proxy: Proxy, tmp_path: Path) -> None:
    with open_build(tmp_path / "builds", "1", Arch.S390X) as made:
        made.meta.merge({"buildid": "1", "coreos-assembler.basearch": "s390x", "images": {}})
    error = failing("upload", tmp_path / "builds", "1", *words(proxy), *bucket())
    assert error.id == "platform-arch-unsupported"
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("more", "id"),
    [((), "cloud-setting-missing"), (("--bucket", "b", "--set", "famly=x"), "cloud-setting-invalid"),
     (("--bucket", "b", "--set", "family=Stable"), "cloud-setting-invalid"),
     (("--bucket", "b", "--tag", "Key=value"), "cloud-setting-invalid"),
     (("--bucket", "b", "--grant", "someone"), "cloud-setting-invalid"),
     (("--bucket", "b", "--set", "public=perhaps"), "cloud-setting-invalid")],
)  # fmt: skip
def test_wrong_settings(
    more: tuple[str, ...], id: str, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    error = failing("upload", tmp_path / "builds", *words(proxy), *more)
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)
    assert proxy.requests == []


def test_a_name_that_is_too_long(proxy: Proxy, build: tuple[Path, Path], tmp_path: Path) -> None:
    (build[0] / "meta.json").write_text(json.dumps({**meta(build[0]), "name": "x" * 60}))
    error = failing("upload", tmp_path / "builds", *words(proxy), *bucket())
    assert error.id == "cloud-name-invalid"
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("module", "names", "error_of"),
    [("google.cloud.storage", (), planning_error), ("google.cloud", ("compute_v1",), place_error)],
)
def test_without_the_sdk_the_extra_is_named(
    module: str,
    names: tuple[str, ...],
    error_of: Callable[[Path, Proxy], tuple[str, str]],
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *given: Any, **more: Any) -> Any:  # noqa: ANN401
        wanted = given[2] if len(given) > 2 else more.get("fromlist")
        if (name, tuple(wanted or ())) == (module, names):
            raise ImportError(name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    id, hint = error_of(tmp_path / "builds", proxy)
    assert id == "sdk-missing"
    assert "bootimg[gcp]" in hint

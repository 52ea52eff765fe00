"""What uploads to AWS refuse, and that no secret is in what they print and write."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.meta import MetaFile
from bootimg.errors import ExitCode
from bootimg.formats import Compressor
from tests.integration.clouds.commands import HOME, failing, failure, invoke, meta, upload
from tests.integration.clouds.conftest import ENVIRONMENT
from tests.support.clouds.cloudbuilds import make_aws_build
from tests.support.clouds.faultproxy import DENIED, Proxy
from tests.support.clouds.strictaws import StrictAws

ANSWER = "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors></Response>"


def spoiled(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, code: str, text: str) -> None:
    """Have every answer of EC2 be this error."""
    import botocore.httpsession

    send = botocore.httpsession.URLLib3Session.send

    def changed(session: Any, request: Any) -> Any:  # noqa: ANN401
        answer = send(session, request)
        answer.status_code, answer._content = 400, ANSWER.format(code, text).encode()
        return answer

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", changed)


def test_no_credentials(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_aws_build(tmp_path / "builds")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    words = ("-p", "aws", "--region", HOME)
    error = failing("upload", tmp_path / "builds", *words)
    assert (error.id, error.exit_code) == ("cloud-credentials-missing", ExitCode.ENVIRONMENT)
    error = failing("upload", tmp_path / "builds", *words, "--set", "profile=nobody")
    assert error.id == "cloud-credentials-missing"
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("code", "id"),
    [("ExpiredToken", "cloud-credentials-refused"), ("AuthFailure", "cloud-credentials-refused"),
     ("UnauthorizedOperation", "cloud-permission-missing"), ("Strange", "cloud-request-failed")],
)  # fmt: skip
def test_answers_that_refuse(
    code: str, id: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of the answer is shown, without the credentials."""
    make_aws_build(tmp_path / "builds")
    secret = ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]
    spoiled(proxy, monkeypatch, code, f"signed with {secret}")
    error = failure(tmp_path / "builds")
    assert error["id"] == id
    assert "signed with [hidden]" in " ".join(error["context"])
    assert len(proxy.requests) == 1


def test_no_secret_is_printed_or_written(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    proxy.plan = lambda request: DENIED if request.action == "RegisterImage" else None
    argv: list[str | Path] = [sys.executable, "-m", "bootimg", "upload", "-o", tmp_path / "builds", "--cache",
            tmp_path / "cache", "-p", "aws", "--region", HOME, "-vv", "--events", "ndjson"]  # fmt: skip
    token = "FwoGZXIvYXdzEXAMPLE"
    environment = {**os.environ, "AWS_SESSION_TOKEN": token}
    done = subprocess.run(argv, env=environment, capture_output=True)
    assert done.returncode == ExitCode.FAILED
    texts = [done.stdout, done.stderr, *(each.read_bytes() for each in path.iterdir() if each.is_file())]
    assert b"cloud-permission-missing" in done.stdout
    for secret in (*(ENVIRONMENT[f"AWS_{each}"] for each in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")), token):
        assert not any(secret.encode() in text for text in texts)


def test_a_foreign_image_of_the_name(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    before = len(aws.registered)
    path, _ = make_aws_build(tmp_path / "other")
    error = failure(tmp_path / "other")
    assert error["id"] == "cloud-image-foreign"
    assert aws.images(HOME)[0].id in error["message"]
    assert (len(aws.registered), "amis" in meta(path)) == (before, False)


def test_an_architecture_that_the_cloud_does_not_have(proxy: Proxy, tmp_path: Path) -> None:
    with open_build(tmp_path / "builds", "1", Arch.PPC64LE) as build:
        build.meta.merge({"buildid": "1", "coreos-assembler.basearch": "ppc64le", "images": {}})
    for words in ((), ("--arch", "ppc64le")):
        error = failing("upload", tmp_path / "builds", "1", "-p", "aws", "--region", HOME, *words)
        assert error.id == "platform-arch-unsupported"
    assert failing("upload", tmp_path / "builds", "1").id == "uploader-missing"
    assert proxy.requests == []


def damage(path: Path) -> None:
    file = next(path.glob("*.vmdk*"))
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def remove(path: Path) -> None:
    next(path.glob("*.vmdk*")).unlink()


@pytest.mark.parametrize("compressor", [Compressor.NONE, Compressor.ZSTD])
@pytest.mark.parametrize(("change", "ids"), [(damage, {"artifact-damaged", "compressed-file-damaged"}),
                                             (remove, {"artifact-missing"})])  # fmt: skip
def test_a_wrong_artifact_is_refused_before_anything_is_sent(
    compressor: Compressor,
    change: Callable[[Path], None],
    ids: set[str],
    aws: StrictAws,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    path, _ = make_aws_build(tmp_path / "builds", compressor=compressor)
    change(path)
    for words in ((), ("--via", "s3", "--bucket", "art")):
        assert failure(tmp_path / "builds", *words)["id"] in ids
    assert all(each.action.startswith("Describe") for each in proxy.requests)
    assert "amis" not in meta(path)


@pytest.mark.parametrize(
    ("words", "id"),
    [((), "cloud-setting-missing"), (("--region", HOME, "--set", "regoin=x"), "cloud-setting-invalid"),
     (("--region", HOME, "--set", "public=perhaps"), "cloud-setting-invalid"),
     (("--region", HOME, "--via", "post"), "cloud-setting-invalid"),
     (("--region", HOME, "--tag", "nonsense"), "cloud-setting-invalid"),
     (("--region", HOME, "--variant", "gcp"), "upload-variant-unknown"),
     (("--region", HOME, "--variant", "aws-winli"), "cloud-setting-missing"),
     (("--region", HOME, "--stream", "x", "--streams", "/none"), "streams-file-unreadable"),
     (("--region", HOME, "--image-json", "/none"), "image-json-unknown")],
)  # fmt: skip
def test_wrong_settings(words: tuple[str, ...], id: str, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds")
    error = failing("upload", tmp_path / "builds", "-p", "aws", *words)
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)
    assert not any(each.method == "PUT" for each in proxy.requests)


def test_a_name_that_is_too_long_and_a_boot_mode_that_does_not_exist(proxy: Proxy, tmp_path: Path) -> None:
    words = ("-p", "aws", "--region", HOME)
    path, _ = make_aws_build(tmp_path / "builds", image_json={"aws-x86-boot-mode": "grub"})
    assert failing("upload", tmp_path / "builds", *words).id == "cloud-setting-invalid"
    document = {**meta(path), "name": "x" * 120}
    (path / "meta.json").write_text(json.dumps(document))
    assert failing("upload", tmp_path / "builds", *words).id == "cloud-name-invalid"
    assert proxy.requests == []


def test_image_json_comes_from_the_file_if_nothing_records_it(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    make_aws_build(tmp_path / "builds", image_json=None)
    assert failing("upload", tmp_path / "builds", "-p", "aws", "--region", HOME).id == "image-json-unknown"
    (tmp_path / "image.json").write_text('{"size": 16, "aws-volume-type": "gp2"}')
    upload(tmp_path / "builds", "--image-json", tmp_path / "image.json")
    (request,) = aws.registered
    assert request["BlockDeviceMappings"][0]["Ebs"]["VolumeType"] == "gp2"
    assert request["BootMode"] == "uefi-preferred"
    assert "ImdsSupport" not in request


def test_aarch64_boots_by_uefi(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    make_aws_build(tmp_path / "builds", arch=Arch.AARCH64)
    upload(tmp_path / "builds")
    assert (aws.registered[0]["Architecture"], aws.registered[0]["BootMode"]) == ("arm64", "uefi")


def test_without_the_sdk_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_aws_build(tmp_path / "builds")
    real = builtins.__import__

    def without(name: str, *words: Any, **more: Any) -> Any:  # noqa: ANN401
        if name == "boto3":
            raise ImportError(name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = failing("upload", tmp_path / "builds", "-p", "aws", "--region", HOME)
    assert (error.id, error.exit_code) == ("sdk-missing", ExitCode.ENVIRONMENT)
    assert "bootimg[aws]" in str(error.hint)


def test_the_text_for_people(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_aws_build(tmp_path / "builds")
    argv: list[str | Path] = [sys.executable, "-m", "bootimg", "upload", "-o", tmp_path / "builds"]
    argv += ["-p", "aws", "--region", HOME, "--cache", tmp_path / "cache"]
    dry = subprocess.run([*argv, "-n"], capture_output=True, text=True, check=True).stdout
    assert "would be done" in dry
    assert "ebs:PutSnapshotBlock" in dry
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    entry = meta(path)["amis"][0]
    assert entry["hvm"] in done.stdout
    assert "us-east-1" in done.stderr
    MetaFile(path / "meta.json").merge({"amis": [{**entry, "hvm": "ami-00000000000000000"}]})
    gone = invoke("publish", tmp_path / "builds", "-p", "aws")
    assert gone.exit_code == ExitCode.FAILED

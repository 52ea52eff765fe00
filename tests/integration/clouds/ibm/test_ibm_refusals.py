"""What uploads to IBM's object storage refuse, and that no secret is in what they print and write."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.errors import ExitCode
from tests.integration.clouds.ibm.site import HOME, Site
from tests.support.clouds.faultproxy import Fault, Request
from tests.support.clouds.strictcos import API_KEY


def test_no_credentials(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IBM_API_KEY_ID")
    error = site.build().refusal("upload")
    assert (error.id, error.exit_code) == ("cloud-credentials-missing", ExitCode.ENVIRONMENT)
    assert site.refusal("upload", "--set", "profile=nobody").id == "cloud-credentials-missing"
    assert site.proxy.requests == []


def test_a_key_that_was_deleted_and_is_in_the_answer(site: Site) -> None:
    site.cos.keys.clear()
    error = site.build().error("upload")
    assert (error["id"], error["exit-code"]) == ("cloud-credentials-refused", ExitCode.ENVIRONMENT)
    assert "could not be found: [hidden]" in " ".join(error["context"])
    assert site.proxy.requests == []
    # The SDK alone would have asked three times.
    assert len(site.cos.token_requests) == 1


def test_a_token_that_ends_in_the_middle_is_replaced(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg_uploaders.ibm.tokens._YOUNG", 0.0)

    def plan(request: Request) -> Fault | None:
        if "partNumber=3" in request.path and len(site.cos.token_requests) == 1:
            site.cos.tokens.clear()
        return None

    site.build().proxy.plan = plan
    site.run("upload", "-j", 1)
    assert len(site.cos.token_requests) == 2
    assert site.stored() == site.artifact().read_bytes()


def test_a_key_that_is_revoked_in_the_middle(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg_uploaders.ibm.tokens._YOUNG", 0.0)

    def plan(request: Request) -> Fault | None:
        if "partNumber=3" in request.path:
            site.cos.tokens.clear()
            site.cos.keys.clear()
        return None

    site.build().proxy.plan = plan
    assert site.error("upload", "-j", 1)["id"] == "cloud-credentials-refused"
    assert site.entries() == []
    site.proxy.plan = lambda request: None
    site.cos.keys.add(API_KEY)
    site.proxy.requests.clear()
    site.run("upload")
    assert site.parts_sent() == -(-site.artifact().stat().st_size // (512 << 10)) - 2
    assert site.stored() == site.artifact().read_bytes()


def test_no_secret_is_printed_or_written(site: Site) -> None:
    site.build().proxy.plan = lambda request: Fault(403) if "partNumber=1" in request.path else None
    argv: list[str | Path] = [sys.executable, "-m", "bootimg", "upload", "-o", site.builds, "--cache",
            site.builds.parent / "cache", *site.words, "-vv", "--events", "ndjson"]  # fmt: skip
    done = subprocess.run(argv, env=dict(os.environ), capture_output=True)
    assert done.returncode == ExitCode.FAILED
    assert b"cloud-permission-missing" in done.stdout
    texts = [done.stdout, done.stderr]
    texts += [each.read_bytes() for each in site.path.iterdir() if each.is_file()]
    assert site.cos.tokens
    for secret in (API_KEY, *site.cos.tokens):
        assert not any(secret.encode() in text for text in texts)


def test_a_foreign_object_of_the_name(site: Site) -> None:
    site.build().run("upload")
    site.change_meta(ibmcloud=[])
    site.cos.objects(f"art-{HOME}")[site.name].set_metadata({"x-amz-meta-sha256": "0" * 64}, replace=True)
    before = site.stored()
    error = site.error("upload")
    assert error["id"] == "cloud-image-foreign"
    assert f"art-{HOME}/{site.name}" in error["message"]
    site.cos.objects(f"art-{HOME}")[site.name].set_metadata({}, replace=True)
    assert site.error("upload")["id"] == "cloud-image-foreign"
    assert (site.stored(), site.entries()) == (before, [])


def test_a_bucket_that_does_not_exist(site: Site) -> None:
    assert site.build().error("upload", "--bucket", "nobodys")["id"] == "cloud-bucket-missing"
    assert site.entries() == []


def test_an_architecture_that_the_cloud_does_not_have(site: Site) -> None:
    with open_build(site.builds, "1", Arch.AARCH64) as build:
        build.meta.merge({"buildid": "1", "coreos-assembler.basearch": "aarch64", "images": {}})
    for site.platform in ("ibmcloud", "powervs"):
        assert site.refusal("upload", "1").id == "platform-arch-unsupported"
    assert (site.proxy.requests, site.cos.token_requests) == ([], [])


def damage(file: Path) -> None:
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("platform", ["ibmcloud", "powervs"])
@pytest.mark.parametrize(("change", "id"), [(damage, "artifact-damaged"), (Path.unlink, "artifact-missing")])
def test_a_wrong_artifact_is_refused_before_anything_is_sent(
    platform: str, change: Callable[[Path], None], id: str, site: Site
) -> None:
    site.platform = platform
    change(site.build().artifact())
    assert site.error("upload")["id"] == id
    assert {each.method for each in site.proxy.requests} == {"HEAD"}
    assert site.entries() == []


@pytest.mark.parametrize(
    ("words", "id"),
    [(("--bucket", "With/Slash"), "cloud-name-invalid"), (("--bucket", "x" * 60), "cloud-name-invalid"),
     (("--set", "bucket=true"), "cloud-setting-invalid"), (("--set", "regoin=x"), "cloud-setting-invalid"),
     (("--set", "endpoint=http://s3.example.com"), "cloud-setting-invalid"),
     (("--set", "endpoint=https://me:secret@s3.example.com"), "cloud-setting-invalid"),
     (("--set", "endpoint=https://[x"), "cloud-setting-invalid"),
     (("--variant", "amis"), "upload-variant-unknown")],
)  # fmt: skip
def test_wrong_settings(words: tuple[str, ...], id: str, site: Site) -> None:
    error = site.build().refusal("upload", *words)
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)
    assert "secret" not in " ".join((error.message, *error.context))
    assert (site.proxy.requests, site.cos.token_requests) == ([], [])


@pytest.mark.parametrize("platform", ["ibmcloud", "powervs"])
@pytest.mark.parametrize("name", ["x" * 1020, "rh cos"])
def test_a_name_that_the_cloud_does_not_allow(platform: str, name: str, site: Site) -> None:
    site.platform = platform
    site.build().change_meta(name=name)
    assert site.refusal("upload").id == "cloud-name-invalid"
    assert site.proxy.requests == []


def test_without_the_sdk_the_extra_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.build()
    real = builtins.__import__

    def without(name: str, *words: Any, **more: Any) -> Any:  # noqa: ANN401
        if name == "ibm_boto3":
            raise ImportError(name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = site.refusal("upload")
    assert (error.id, error.exit_code) == ("sdk-missing", ExitCode.ENVIRONMENT)
    assert "bootimg[ibm]" in str(error.hint)

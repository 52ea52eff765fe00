"""What uploads to Alibaba Cloud refuse, and that no secret is in what they print and write."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_credentials.utils import auth_util

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.errors import ExitCode
from tests.integration.clouds.aliyun.site import Site
from tests.support.clouds.faultproxy import Fault, Request
from tests.support.clouds.strictaliyun import ACCESS_KEY, SECRET_KEY


def test_no_credentials(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_util, "environment_access_key_id", None)
    error = site.build().refusal("upload")
    assert (error.id, error.exit_code) == ("cloud-credentials-missing", ExitCode.ENVIRONMENT)
    assert site.proxy.requests == []


@pytest.mark.parametrize(
    ("code", "id"),
    [("InvalidSecurityToken.Expired", "cloud-credentials-refused"), ("Strange", "cloud-request-failed"),
     ("InvalidAccessKeyId.NotFound", "cloud-credentials-refused"),
     ("Forbidden.RAM", "cloud-permission-missing")],
)  # fmt: skip
def test_answers_that_refuse(code: str, id: str, site: Site) -> None:
    """The text of the answer is shown, without the credentials."""
    site.build().aliyun.refused = code
    error = site.error("upload")
    assert error["id"] == id
    assert "signed with [hidden]" in " ".join(error["context"])
    assert len(site.proxy.requests) == 1


def test_a_token_that_ends_in_the_middle(site: Site) -> None:
    def plan(request: Request) -> Fault | None:
        if "partNumber=3" in request.path:
            site.aliyun.refused = "SecurityTokenExpired"
        return None

    site.build().proxy.plan = plan
    assert site.error("upload", "-j", 1)["id"] == "cloud-credentials-refused"
    site.aliyun.refused, site.proxy.plan = "", lambda request: None
    site.proxy.requests.clear()
    site.run("upload", "-j", 1)
    assert site.parts_sent() == -(-site.artifact().stat().st_size // (512 << 10)) - 2
    assert site.aliyun.imports[0]["Data"] == site.artifact().read_bytes()


def test_no_secret_is_printed_or_written(site: Site) -> None:
    site.build().proxy.plan = lambda request: Fault(403) if "partNumber=1" in request.path else None
    argv: list[str | Path] = [sys.executable, "-m", "bootimg", "upload", "-o", site.builds, "--cache",
            site.builds.parent / "cache", *site.words, "-vv", "--events", "ndjson"]  # fmt: skip
    done = subprocess.run(argv, env=dict(os.environ), capture_output=True)
    assert done.returncode == ExitCode.FAILED, done.stdout
    assert b"cloud-permission-missing" in done.stdout
    texts = [done.stdout, done.stderr]
    texts += [each.read_bytes() for each in site.path.iterdir() if each.is_file()]
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert not any(secret.encode() in text for text in texts)


def test_a_foreign_image_of_the_name(site: Site) -> None:
    site.build().run("upload")
    site.change_meta(aliyun=[])
    image = site.aliyun.only()
    image["Tags"]["Tag"].clear()
    error = site.error("upload")
    assert error["id"] == "cloud-image-foreign"
    assert image["ImageId"] in error["message"]
    assert (len(site.aliyun.imports), site.entries()) == (1, [])
    # ECS finds names that are only similar, too.
    image["ImageName"] += "-other"
    site.run("upload")
    assert len(site.aliyun.imports) == 2


def test_a_bucket_that_does_not_exist(site: Site) -> None:
    assert site.build().error("upload", "--bucket", "nobodys")["id"] == "cloud-bucket-missing"
    assert site.aliyun.images == {}


def test_an_architecture_that_the_cloud_does_not_have(site: Site) -> None:
    with open_build(site.builds, "1", Arch.PPC64LE) as build:
        build.meta.merge({"buildid": "1", "coreos-assembler.basearch": "ppc64le", "images": {}})
    assert site.refusal("upload", "1").id == "platform-arch-unsupported"
    assert site.proxy.requests == []


def damage(file: Path) -> None:
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(("change", "id"), [(damage, "artifact-damaged"), (Path.unlink, "artifact-missing")])
def test_a_wrong_artifact_is_refused_before_anything_is_sent(
    change: Callable[[Path], None], id: str, site: Site
) -> None:
    change(site.build().artifact())
    assert site.error("upload")["id"] == id
    assert len(site.proxy.requests) == 1
    assert site.aliyun.images == {}


@pytest.mark.parametrize(
    ("words", "id"),
    [(("--set", "ecs_endpoint=http://ecs.example.com"), "cloud-setting-invalid"),
     (("--set", "oss_endpoint=https://me:secret@oss.example.com"), "cloud-setting-invalid"),
     (("--set", "regoin=x"), "cloud-setting-invalid"), (("--tag", "nonsense"), "cloud-setting-invalid"),
     (("--set", "public=perhaps"), "cloud-setting-invalid"),
     (("--variant", "amis"), "upload-variant-unknown")],
)  # fmt: skip
def test_wrong_settings(words: tuple[str, ...], id: str, site: Site) -> None:
    error = site.build().refusal("upload", *words)
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)
    assert "secret" not in " ".join((error.message, *error.context))
    assert site.proxy.requests == []


@pytest.mark.parametrize("name", ["x" * 120, "9rhcos", "aliyun-x", "rh cos"])
def test_a_name_that_the_cloud_does_not_allow(name: str, site: Site) -> None:
    site.build().change_meta(name=name)
    assert site.refusal("upload").id == "cloud-name-invalid"
    assert site.proxy.requests == []


def test_without_the_sdk_the_extra_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.build()
    real = builtins.__import__

    def without(name: str, *words: Any, **more: Any) -> Any:  # noqa: ANN401
        if name.startswith("alibabacloud_ecs"):
            raise ImportError(name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    error = site.refusal("upload")
    assert (error.id, error.exit_code) == ("sdk-missing", ExitCode.ENVIRONMENT)
    assert "bootimg[alibaba]" in str(error.hint)

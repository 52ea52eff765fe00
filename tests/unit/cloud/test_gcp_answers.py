"""What Google's answers mean, and the names that are asked for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from bootimg_uploaders.gcp.faults import GcpError, of_answer
from bootimg_uploaders.gcp.naming import image_family, image_labels, image_name, object_place, place_in

from bootimg.cloud.retry import TransientError
from bootimg.cloud.settings import Settings
from bootimg.cloud.task import Task
from bootimg.errors import BootimgError
from bootimg.platform import platforms


def answer(reason: str, **headers: str) -> SimpleNamespace:
    content = json.dumps({"error": {"errors": [{"reason": reason}]}}).encode()
    return SimpleNamespace(
        content=content, headers={key.replace("_", "-"): each for key, each in headers.items()}
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (429, ""),
        (408, ""),
        (200, ""),
        (500, ""),
        (503, ""),
        (403, "rateLimitExceeded"),
        (400, "resourceNotReady"),
    ],
)
def test_answers_that_may_pass(status: int, reason: str) -> None:
    error = of_answer("it", answer(reason, Retry_After="7"), status, "no")
    assert isinstance(error, TransientError)
    assert error.after == 7


@pytest.mark.parametrize(
    ("status", "id"),
    [(400, "cloud-request-failed"), (403, "cloud-permission-missing"), (404, "cloud-request-failed"),
     (409, "cloud-request-failed"), (412, "cloud-request-failed")],
)  # fmt: skip
def test_answers_that_say_no(status: int, id: str) -> None:
    others = (SimpleNamespace(content=content, headers={}) for content in (b"<html>", b"[" * 100_000))
    for found in (answer("because"), None, *others):
        error = of_answer("it", found, status, "no")
        assert isinstance(error, GcpError)
        assert (error.status, error.error.id) == (status, id)


def test_refused_credentials() -> None:
    error = of_answer("it", answer("authError"), 401, "no")
    assert isinstance(error, BootimgError)
    assert error.id == "cloud-credentials-refused"


def task(name: str = "rhcos", build: str = "9.6.20261101-0", **settings: Any) -> Task:  # noqa: ANN401
    content: Any = SimpleNamespace(sha256="0123456789abcdef" * 4, name="x")
    return Task(name=name, build=build, arch="x86_64", summary="RHCOS", content=content,
                upload=platforms()["gcp"].uploads[0], settings=Settings("here", settings))  # fmt: skip


def test_names() -> None:
    name = "rhcos-9-6-20261101-0-gcp-x86-64"
    assert image_name(task()) == name
    for where in ("gs://b/p/q/", "b/p/q"):
        assert object_place(task(bucket=where)) == ("b", f"p/q/{name}.tar.gz")
    assert place_in("https://storage.googleapis.com/b/p/q") == ("b", "p/q")
    assert place_in("https://example.com/b/p") is None
    assert place_in("https://storage.googleapis.com/b") is None


@pytest.mark.parametrize("name", ["x" * 38, "9rhcos", "Rhcos", ""])
def test_names_that_google_does_not_allow(name: str) -> None:
    with pytest.raises(BootimgError) as error:
        image_name(task(name))
    assert error.value.id == "cloud-name-invalid"


def test_the_longest_name() -> None:
    assert len(image_name(task("x" * 37))) == 63


def test_labels_and_families() -> None:
    labels = image_labels(task(tags=["a=b"]))
    assert labels == {"a": "b", "bootimg-sha256": ("0123456789abcdef" * 4)[:63],
                      "bootimg-build": "9-6-20261101-0"}  # fmt: skip
    assert image_family(task()) is None
    assert image_family(task(family="f")) == "f"
    assert image_family(task(family={"x86_64": "f", "aarch64": "g"})) == "f"
    assert image_family(task(family={"aarch64": "g"})) is None
    for wrong in ({"x86_64": 1}, "F", "f_g"):
        with pytest.raises(BootimgError):
            image_family(task(family=wrong))

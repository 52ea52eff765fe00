"""Uploads to GCP through a proxy that spoils answers: the same result, and nothing twice."""

from __future__ import annotations

import email.utils
import time
from pathlib import Path

import pytest

from tests.integration.clouds.commands import meta
from tests.integration.clouds.gcp.commands import FAMILY, KEY, NAME, failure, family, only_at, place, upload
from tests.integration.clouds.gcp.conftest import PROJECT
from tests.support.clouds.faultproxy import FAULTS, Fault, Proxy, Request, each_third_time
from tests.support.clouds.strictgoogle import StrictGoogle


@pytest.mark.parametrize("kind", FAULTS)
def test_every_call_fails_once(
    kind: str, google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    path, _ = build
    proxy.plan = each_third_time(FAULTS[kind])
    upload(tmp_path / "builds", proxy, "--public", *family())
    assert len(google.compute.inserted) == len(google.compute.images) == 1
    image = google.compute.images[PROJECT, NAME]
    assert (image["family"], image["deprecated"]["state"]) == (FAMILY, "DEPRECATED")
    place("publish", tmp_path / "builds", proxy)
    assert "deprecated" not in image
    (binding,) = google.compute.policies[PROJECT, NAME]["bindings"]
    assert binding["members"] == ["allAuthenticatedUsers"]
    assert google.objects() == [KEY]
    assert google.object(KEY) == (path / meta(path)["images"]["gcp"]["path"]).read_bytes()


def test_retry_after_is_obeyed(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    """For both of the SDK's libraries, and for chunks."""
    times: dict[str, list[float]] = {"begin": [], "chunk": [], "images.insert": []}

    def plan(request: Request) -> Fault | None:
        seen = times.get(request.action)
        if seen is None or len(seen) == 2:
            return None
        seen.append(time.monotonic())
        soon = email.utils.formatdate(time.time() + 3, usegmt=True)
        after = soon if request.action == "chunk" else "2"
        return Fault(429, {"Retry-After": after}) if len(seen) == 1 else None

    proxy.plan = plan
    upload(tmp_path / "builds", proxy)
    # A date has whole seconds.
    assert all(second - first >= 2 for first, second in times.values())


def test_the_budget_ends_and_the_sdk_does_not_repeat_by_itself(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    for action in ("begin", "chunk", "images.get", "images.insert"):
        before = proxy.count(action)
        proxy.plan = only_at(action, Fault(503))
        error = failure(tmp_path / "builds", proxy, "--retry-for", "2s")
        assert error["id"] == "cloud-unavailable"
        # The pauses are about half a second and one.
        assert 2 <= proxy.count(action) - before <= 4
    proxy.plan = lambda request: None
    upload(tmp_path / "builds", proxy)
    assert google.objects() == [KEY]
    assert len(google.compute.inserted) == 1


def test_an_object_that_arrived_damaged_is_not_used(
    google: StrictGoogle,
    proxy: Proxy,
    build: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resume = google.resume

    def damaged(target: str, span: str, checksum: str, body: bytes) -> object:
        return resume(target, span, checksum, bytes(len(body)))

    monkeypatch.setattr(google, "resume", damaged)
    error = failure(tmp_path / "builds", proxy)
    assert error["id"] == "cloud-request-failed"
    assert "checksum" in " ".join(error["context"])
    assert not google.compute.inserted
    assert not google.objects()


def test_an_image_that_google_gives_up_is_made_again(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    google.compute.failure = {"code": "INTERNAL_ERROR", "message": "The archive cannot be read."}
    error = failure(tmp_path / "builds", proxy)
    assert error["id"] == "cloud-image-failed"
    assert error["context"] == ["INTERNAL_ERROR: The archive cannot be read."]
    google.compute.failure = None
    upload(tmp_path / "builds", proxy)
    assert len(google.compute.inserted) == 2
    assert proxy.count("begin") == 1

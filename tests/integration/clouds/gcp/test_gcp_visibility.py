"""`bootimg publish`, `share`, `deprecate` and the verb retire for GCP."""

from __future__ import annotations

import json
from pathlib import Path

from bootimg.cache import Cache
from bootimg.cloud.lifecycle import PlaceResult
from bootimg.cloud.verbs import Verb
from bootimg.events import Events
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.orchestrator.uploading.run import run_cloud_verb
from tests.integration.clouds.commands import failing, meta, run
from tests.integration.clouds.gcp.commands import FAMILY, NAME, failure, family, place, upload, words
from tests.integration.clouds.gcp.conftest import PROJECT
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictgoogle import BUCKET, StrictGoogle

OLD = "rhcos-old"
LOOKS = {"images.get", "images.list", "images.getIamPolicy"}


def with_older_image(google: StrictGoogle) -> dict[str, object]:
    """An image of the family that was published before."""
    address = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/images/{OLD}"
    image: dict[str, object] = {"name": OLD, "family": FAMILY, "status": "READY", "selfLink": address}
    google.compute.images[PROJECT, OLD] = image
    return image


def test_publish_promotes_the_image_in_its_family(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    older = with_older_image(google)
    upload(tmp_path / "builds", proxy, *family())
    # It was deprecated before it came into the family.
    order = [each.action for each in proxy.requests if each.action in ("images.deprecate", "images.patch")]
    assert order == ["images.deprecate", "images.patch"]
    assert "deprecated" not in older
    assert place("publish", tmp_path / "builds", proxy, "--dry-run")["state"] == "would be done"
    done = place("publish", tmp_path / "builds", proxy)
    assert done["text"] == f"{NAME}: made public, no longer deprecated, {OLD} replaced"
    image = google.compute.images[PROJECT, NAME]
    assert "deprecated" not in image
    assert older["deprecated"] == {"state": "DEPRECATED", "replacement": image["selfLink"]}
    (binding,) = google.compute.policies[PROJECT, NAME]["bindings"]
    assert binding == {"role": "roles/compute.imageUser", "members": ["allAuthenticatedUsers"]}
    sent = len(proxy.requests)
    assert place("publish", tmp_path / "builds", proxy)["state"] == "was there"
    # A later upload of what was published leaves it published.
    assert upload(tmp_path / "builds", proxy, *family())["places"][0]["state"] == "was there"
    assert {each.action for each in proxy.requests[sent:]} <= LOOKS


def test_replicate_has_nothing_to_do(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    assert failing("replicate", tmp_path / "builds", *words(proxy)).id == "cloud-nothing-uploaded"
    upload(tmp_path / "builds", proxy)
    sent = len(proxy.requests)
    (found,) = run("replicate", tmp_path / "builds", *words(proxy))["uploads"]
    assert found["places"] == []
    assert len(proxy.requests) == sent


def test_share_adds_members_and_leaves_the_others(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy)
    owner = {"role": "roles/owner", "members": ["user:boss@example.com"]}
    google.compute.policies[PROJECT, NAME] = {"etag": "BBBB", "version": 1, "bindings": [owner]}
    member = "serviceAccount:ci@example.iam.gserviceaccount.com"
    place("share", tmp_path / "builds", proxy, "--grant", member)
    place("share", tmp_path / "builds", proxy, "--grant", "group:team@example.com")
    assert google.compute.policies[PROJECT, NAME]["bindings"] == [
        owner, {"role": "roles/compute.imageUser", "members": [member, "group:team@example.com"]}
    ]  # fmt: skip
    assert place("share", tmp_path / "builds", proxy, "--grant", member)["state"] == "was there"
    assert failing("share", tmp_path / "builds", *words(proxy)).id == "cloud-setting-missing"


def test_deprecate_and_an_image_that_is_gone(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    assert failing("deprecate", tmp_path / "builds", *words(proxy)).id == "cloud-nothing-uploaded"
    upload(tmp_path / "builds", proxy)
    assert place("deprecate", tmp_path / "builds", proxy)["text"] == f"{NAME}: deprecated"
    assert google.compute.images[PROJECT, NAME]["deprecated"] == {"state": "DEPRECATED"}
    assert place("deprecate", tmp_path / "builds", proxy)["state"] == "was there"
    google.compute.images.clear()
    assert failure(tmp_path / "builds", proxy, verb="deprecate")["id"] == "cloud-image-missing"


def retire(builds: Path, proxy: Proxy, *, dry_run: bool = False) -> PlaceResult:
    request = CloudRequest(verb=Verb.RETIRE, builds=builds, platforms=("gcp",), dry_run=dry_run,
                           overrides={"compute_endpoint": proxy.url})  # fmt: skip
    (report,) = run_cloud_verb(request, Cache(builds.parent / "cache"), Events())
    (found,) = report.results
    return found


def test_retire_deletes_image_and_object_and_keeps_the_record(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy)
    entry = meta(build[0])["gcp"]
    assert retire(tmp_path / "builds", proxy, dry_run=True).state == "would be done"
    assert google.objects()
    done = retire(tmp_path / "builds", proxy).done
    assert done is not None
    assert done.text == f"{NAME}: image deleted, object deleted"
    assert not google.objects()
    assert not google.compute.images
    assert retire(tmp_path / "builds", proxy).state == "was there"
    assert meta(build[0])["gcp"] == entry


def test_retire_leaves_what_is_not_of_this_build(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy)
    google.compute.images[PROJECT, NAME]["labels"]["bootimg-sha256"] = "0" * 63
    error = retire(tmp_path / "builds", proxy).error
    assert error is not None
    assert error.id == "cloud-image-foreign"
    assert google.objects()
    google.compute.images.clear()
    entry = {**meta(build[0])["gcp"], "url": f"https://storage.googleapis.com/{BUCKET}/other.tar.gz"}
    (build[0] / "meta.json").write_text(json.dumps({**meta(build[0]), "gcp": entry}))
    assert retire(tmp_path / "builds", proxy).state == "was there"
    assert google.objects()

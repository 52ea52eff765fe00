"""The shipped Pipeline from a stream's name to its published metadata, for two architectures."""

from __future__ import annotations

import hashlib

from tests.cluster.layers import ARCHES, STREAM, VERSION
from tests.cluster.publishing import Published


def test_the_results_say_what_was_published(published: Published) -> None:
    results = published.results()
    assert results["build"] == VERSION
    assert results["IMAGE_DIGEST"] == published.layer_digest()
    assert results["stream-sha256"] == hashlib.sha256(published.object(f"{STREAM}.json")).hexdigest()


def test_the_build_is_whole_and_verified_here_too(published: Published) -> None:
    index = published.json(f"streams/{STREAM}/builds/builds.json")
    assert [(each["id"], sorted(each["arches"])) for each in index["builds"]] == [
        (VERSION, sorted(each.value for each in ARCHES))
    ]
    # The layer, its manifest and a disk for QEMU of both, and one for AWS.
    assert len(published.digests()) == 7
    for arch in ARCHES:
        words = ("verify", VERSION, "--deep", "--arch", arch.value)
        assert published.team.bootimg(*words, folder=published.fetched)["good"] is True


def test_the_stream_names_the_images_of_the_build(published: Published) -> None:
    stream = published.json(f"{STREAM}.json")
    digests = published.digests()
    found = {}
    for arch in ARCHES:
        for artifact in stream["architectures"][arch.value]["artifacts"].values():
            for disk in (file["disk"] for file in artifact["formats"].values()):
                found[disk["location"].rpartition("/")[2]] = disk["sha256"]
    assert found
    assert found == {name: digest for name, digest in digests.items() if name in found}
    (image,) = published.seen["images"]
    regions = stream["architectures"]["aarch64"]["images"]["aws"]["regions"]
    assert regions == {published.region: {"release": VERSION, "image": image["id"]}}


def test_release_and_pages_are_there(published: Published) -> None:
    folder = f"streams/{STREAM}"
    (listed,) = published.json(f"{folder}/releases.json")["releases"]
    assert listed["version"] == VERSION
    assert published.json(f"{folder}/builds/{VERSION}/release.json")["release"] == VERSION
    assert "site/index.html" in published.seen["objects"]

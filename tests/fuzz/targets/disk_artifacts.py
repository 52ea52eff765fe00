"""Disks in registries: the list of a build, the manifest of a disk, and answers that refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cloud.registries.answers import failed, forbidden, refused
from bootimg.cloud.registries.attachments import attachments
from bootimg.cloud.registries.diskartifact import Choice, DiskArtifact, find_disk
from bootimg.cloud.registries.manifests import (
    BUILD,
    PLAIN_DIGEST,
    PLAIN_SIZE,
    SIGNATURE_TYPE,
    SPDX_TYPE,
    TITLE,
    Listed,
    Part,
    artifact,
    build_list,
    disk_type,
    referrers_list,
)
from bootimg.cloud.registries.referring import descriptors_in
from bootimg.cloud.registries.tags import entries_in, is_digest
from bootimg.formats import Compressor
from bootimg.layer.image.fetched import OCI_MANIFEST, digest_of
from tests.fuzz.mutate import SEPARATOR, json_documents
from tests.fuzz.target import check, refusals, target

LIMIT = 1 << 40
WORDS = ("mediaType", "manifests", "annotations", "platform", "artifactType", "digest", "size", "layers",
         "org.opencontainers.image.title", PLAIN_DIGEST, PLAIN_SIZE, "../", "sha256:", "amd64")  # fmt: skip


def _seeds() -> Iterator[bytes]:
    kind, digest = disk_type("qcow2", "gz"), f"sha256:{'0' * 64}"
    annotations = {BUILD: "1", PLAIN_DIGEST: digest, PLAIN_SIZE: "9"}
    manifest = artifact(kind, Part(kind, digest, 5, "disk.qcow2.gz"), annotations)
    listed = Listed(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest), arch="amd64",
                    os="qemu", artifact_type=kind)  # fmt: skip
    yield SEPARATOR.join((build_list([listed], annotations), manifest))
    yield SEPARATOR.join((manifest, b"{}"))
    yield SEPARATOR.join((json.dumps({"manifests": [{}]}).encode(), manifest))


@target(_seeds, words=WORDS, mutate=json_documents, runs=600)
def disk_artifact(data: bytes, folder: Path) -> None:
    """The choice of a disk from a list, and what its manifest says."""
    first, _, second = data.partition(SEPARATOR)
    for _, each in entries_in(first):
        assert not is_digest(each.get("digest")) or len(each["digest"]) == 71
    with refusals():
        found = find_disk("a.b/c:t", first, Choice(Arch.X86_64, None, LIMIT), lambda digest: second)
        assert found.name is None or (found.name == Path(found.name).name and not found.name.startswith("."))
        assert 0 < found.size <= LIMIT
        assert found.plain_size is None or found.plain_size <= LIMIT


DISK = DiskArtifact(
    manifest=f"sha256:{'3' * 64}", name="disk.qcow2.gz", digest=f"sha256:{'4' * 64}", size=5,
    compressor=Compressor.GZIP, plain_digest=f"sha256:{'5' * 64}", plain_size=9, facts={},
)  # fmt: skip


def _referring() -> Iterator[bytes]:
    for kind, name in ((SPDX_TYPE, "a.spdx.json"), (SIGNATURE_TYPE, f"{DISK.name}.sig")):
        layer = {"digest": f"sha256:{'6' * 64}", "size": 3, "annotations": {TITLE: name}}
        document = {"artifactType": kind, "subject": {"digest": DISK.manifest}, "layers": [layer]}
        manifest = json.dumps(document).encode()
        yield SEPARATOR.join(
            (referrers_list([{"artifactType": kind, "digest": digest_of(manifest)}]), manifest)
        )


@target(_referring, words=(*WORDS, SPDX_TYPE, SIGNATURE_TYPE, ".sig"), mutate=json_documents, runs=600)
def disk_attachments(data: bytes, folder: Path) -> None:
    """What refers to a disk goes beside it, under a name of its own kind."""
    first, _, second = data.partition(SEPARATOR)
    listed = [{**each, "digest": digest_of(second)} for each in descriptors_in(first)]
    path = folder / "disk.qcow2.gz"
    with refusals():
        for place, found in attachments("a.b/c:t", DISK, path, listed, lambda digest: second).items():
            assert place.parent == folder and place != path
            assert all(each.blob.size > 0 for each in found)


@target(
    lambda: [b'{"errors": [{"code": "DENIED", "message": "no"}]}', b"<html>"],
    words=("errors", "code", "message", "DENIED"), mutate=json_documents,
)  # fmt: skip
def registry_answers(data: bytes, folder: Path) -> None:
    """What a registry says when it refuses becomes a clear error."""
    for login in (True, False):
        check(refused("a.b/c", data, login=login))
    check(failed("a.b/c", "push to", 418, data))
    check(forbidden("a.b/c", "push to", data))

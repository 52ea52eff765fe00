"""Runs the verbs for Azure, and reads what they leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bootimg.errors import ExitCode
from tests.integration.clouds.commands import invoke, run
from tests.support.clouds.cloudbuilds import BUILD, make_cloud_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictazure import GALLERY, GROUP, StrictAzure

BLOB = f"rhcos-{BUILD}-azure.x86_64.vhd"


@dataclass(frozen=True)
class Storage:
    """A container on a server behind a proxy; `account` is the SDK's client, past the proxy."""

    proxy: Proxy
    account: Any
    container: str

    @property
    def words(self) -> tuple[str, ...]:
        """The options of a verb that name the container."""
        return "-p", "azure", "--set", f"storage_container={self.container}"

    def client(self, name: str = BLOB) -> Any:  # noqa: ANN401
        """The SDK's client of a blob."""
        return self.account.get_blob_client(self.container, name)

    def names(self) -> list[str]:
        """The names of all blobs."""
        return [each.name for each in self.account.get_container_client(self.container).list_blobs()]

    def read(self, name: str = BLOB) -> bytes:
        """The content of a blob."""
        return bytes(self.client(name).download_blob().readall())

    def ranges(self, name: str = BLOB) -> list[tuple[int, int]]:
        """The ranges (start, end) of a blob that were written."""
        return [(each.start, each.end + 1) for each in self.client(name).list_page_ranges()]

    def sent(self) -> int:
        """The bytes of the pages that were sent."""
        return sum(len(each.body) for each in self.proxy.requests if each.action == "PutPage")


@dataclass(frozen=True)
class Galleries:
    """A gallery on a server behind a proxy, and the container of its sources."""

    proxy: Proxy
    azure: StrictAzure
    storage: Storage

    @property
    def words(self) -> tuple[str, ...]:
        """The options of a verb that name the gallery."""
        settings = (f"gallery={GALLERY}", f"resource_group={GROUP}", f"management_endpoint={self.proxy.url}")
        return (*self.storage.words, *(word for each in settings for word in ("--set", each)))

    @property
    def version(self) -> Any:  # noqa: ANN401
        """The one image version."""
        (found,) = self.azure.versions.values()
        return found

    @property
    def publishing(self) -> Any:  # noqa: ANN401
        """The publishing profile of the one image version."""
        return self.version["properties"]["publishingProfile"]

    @property
    def regions(self) -> set[str]:
        """The regions of the one image version."""
        return {each["name"] for each in self.publishing["targetRegions"]}

    def uploaded(self, builds: Path) -> Path:
        """A build with a blob."""
        make_cloud_build(builds, "azure", image_json=None)
        each_place("upload", builds, self.storage.words)
        return builds

    def replicated(self, builds: Path, regions: str = "eastus2") -> Path:
        """A build with an image version."""
        each_place("replicate", self.uploaded(builds), (*self.words, "--region", regions))
        return builds


def compute_action(handler: BaseHTTPRequestHandler, body: bytes) -> str:
    """The name of a call of the compute API."""
    path = urlsplit(handler.path).path
    names = {"versions": "version", "images": "definition", "share": "sharing"}
    found = [name for part, name in names.items() if f"/{part}" in path]
    return f"{handler.command} {found[0] if found else 'gallery'}"


def storage_action(handler: BaseHTTPRequestHandler, body: bytes) -> str:
    """The name of a call of the storage's API."""
    query = parse_qs(urlsplit(handler.path).query)
    known = {("PUT", "page"): "PutPage", ("PUT", "metadata"): "SetBlobMetadata", ("PUT", ""): "PutBlob",
             ("GET", "pagelist"): "GetPageRanges", ("HEAD", ""): "GetBlobProperties",
             ("DELETE", ""): "DeleteBlob"}  # fmt: skip
    key = handler.command, query.get("comp", [""])[0]
    return known.get(key, f"{handler.command} {handler.path}")


def each_place(verb: str, builds: Path, words: Sequence[object], code: int = ExitCode.OK) -> dict[str, Any]:
    """What a verb says of each place."""
    (found,) = run(verb, builds, *words, code=code)["uploads"]
    return {each["place"]: each for each in found["places"]}


def uploaded(storage: Storage, builds: Path, *words: object) -> Any:  # noqa: ANN401
    """The result of an upload for its only place."""
    (found,) = each_place("upload", builds, (*storage.words, *words)).values()
    return found


def refused(verb: str, builds: Path, *words: object) -> Any:  # noqa: ANN401
    """The error of a verb in its one place."""
    done = invoke(verb, builds, *words)
    error = json.loads(done.stdout)["uploads"][0]["places"][0]["error"]
    assert done.exit_code == error["exit-code"]
    return error

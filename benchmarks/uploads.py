"""`python -m benchmarks uploads`: `bootimg upload` against the plain way, to the same server in the same run.

The servers are those of the tests: moto for AWS, Azurite for Azure.  A relay before them counts what is sent.
The plain way converts the build's qcow2, and sends the whole file with the cloud's own SDK.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from azure.storage.blob import BlobServiceClient

from benchmarks.elapsed import Elapsed, measured_programs
from benchmarks.figures import Figure
from benchmarks.memory import Peak, run_measured
from benchmarks.plainupload import PLACE
from benchmarks.relay import Relay, counting_relay
from bootimg.disk.extents import FileSource
from bootimg.sizes import GIB, MIB
from tests.integration.clouds.commands import HOME
from tests.integration.clouds.conftest import ENVIRONMENT
from tests.support.clouds.azurite import azurite, connection_string
from tests.support.clouds.strictaws import strict_aws

SIZE = 2 * GIB
_MOST_SENT = 1.03
Json = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A cloud's server behind a relay: the environment that leads to it, and options of `bootimg upload`."""

    relay: Relay
    environment: Mapping[str, str]
    words: Sequence[str]


@dataclass(frozen=True)
class Way:
    """One way of an upload: its time, the bytes that it sent, its memory and what it printed."""

    elapsed: Elapsed
    sent: int
    peak: Peak
    document: Json


@dataclass(frozen=True)
class UploadBench:
    """Uploads of one build of a layer, from base disks in `cache`; missing base disks are made first.

    `size` is the size of cloud disks in bytes (None: 2 GiB).
    """

    folder: Path
    layer: Path
    cache: Path
    size: int | None

    def figures(self, only: Sequence[str] = ()) -> Iterator[Figure]:
        """Measure one cloud after the other, or those of `only`; a cloud without its server is left out."""
        _ = self._build
        for name, (why_not, site) in _SITES.items():
            if only and name not in only:
                continue
            if reason := why_not():
                print(f"{name}: left out, because its server cannot run: {reason}", file=sys.stderr)
                continue
            with site() as running:
                yield from self._compared(name, running)

    def _compared(self, cloud: str, site: Site) -> Iterator[Figure]:
        own = ["-p", cloud, *site.words, "--cache", str(self.cache), "-o", str(self._builds), "--json"]
        ours = _run(site, "bootimg", "upload", *own)
        theirs = _run(
            site, "benchmarks.plainupload", cloud, str(self._artifact("qemu")), str(self.folder)
        )  # fmt: skip
        yield self._sent(cloud, ours, theirs)
        yield _time(cloud, ours, theirs)
        note = f"the plain way {_mib(theirs.peak.together)}, without qemu-img"
        yield Figure(f"{cloud}: peak memory of the upload", ours.peak.together / MIB, "MiB", None, note)

    def _sent(self, cloud: str, ours: Way, theirs: Way) -> Figure:
        note = f"{_mib(ours.sent)} for {_mib(self._allocated)}; the plain way sent {_mib(theirs.sent)}"
        ratio = ours.sent / self._allocated
        return Figure(f"{cloud}: bytes sent for each byte of data", ratio, "ratio", _MOST_SENT, note)

    @cached_property
    def _build(self) -> Json:
        own = ["--cache", str(self.cache), "-o", str(self._builds), "--json"]
        words = ["-p", "aws,azure,qemu", "--size", str(self.size or SIZE)]
        argv = [sys.executable, "-m", "bootimg", "build", str(self.layer), *words, *own]
        return dict(json.loads(run_measured(argv, os.environ).stdout))

    @property
    def _builds(self) -> Path:
        return self.folder / "builds"

    def _artifact(self, key: str) -> Path:
        return Path(next(each["path"] for each in self._build["artifacts"] if each["key"] == key))

    @cached_property
    def _allocated(self) -> int:
        """The bytes of data in the base disk, without holes."""
        with FileSource(Path(self._build["base-disks"]["512"])) as source:
            return sum(each.length for each in source.extents() if each.data)


def _run(site: Site, module: str, *words: str) -> Way:
    """Run a module of this project as a program."""
    before = site.relay.sent
    with measured_programs() as elapsed:
        done = run_measured([sys.executable, "-m", module, *words], {**os.environ, **site.environment})
    return Way(elapsed, site.relay.sent - before, done.peak, json.loads(done.stdout))


def _time(cloud: str, ours: Way, theirs: Way) -> Figure:
    """The ratio of the times; the plain way's does not have the server's own work after the last byte."""
    converting, joining = (float(theirs.document[f"{key}-seconds"]) for key in ("convert", "joining"))
    seconds = theirs.elapsed.seconds - joining
    note = (
        f"{ours.elapsed} against {seconds:.1f} s ({theirs.elapsed.cpu:.1f} s CPU), of which qemu-img took "
        f"{converting:.1f} s; of CPU {ours.elapsed.cpu / theirs.elapsed.cpu:.2f}"
    )
    name = f"{cloud}: upload against conversion and upload of the whole file"
    return Figure(name, ours.elapsed.seconds / seconds, "ratio", None, note)


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"


@contextmanager
def _aws() -> Iterator[Site]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with strict_aws() as aws, counting_relay(aws.url) as relay:
        client = boto3.client(
            "s3", HOME, endpoint_url=aws.url, aws_access_key_id="x", aws_secret_access_key="x"
        )  # fmt: skip
        client.create_bucket(Bucket=PLACE)
        environment = {**ENVIRONMENT, **_NO_PROXY, "AWS_ENDPOINT_URL": relay.url, "AWS_DEFAULT_REGION": HOME}
        yield Site(relay, environment, ("--region", HOME))


@contextmanager
def _azure() -> Iterator[Site]:
    with azurite() as url, counting_relay(url) as relay:
        BlobServiceClient.from_connection_string(connection_string(url)).create_container(PLACE)
        environment = {**_NO_PROXY, "AZURE_STORAGE_CONNECTION_STRING": connection_string(relay.url)}
        yield Site(relay, environment, ("--set", f"storage_container={PLACE}"))


def _no_npm() -> str | None:
    return None if shutil.which("npm") else "npm is not installed, which brings Azurite"


_NO_PROXY: Mapping[str, str] = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
_SITES: Mapping[str, tuple[Callable[[], str | None], Callable[[], AbstractContextManager[Site]]]] = {
    "aws": (lambda: None, _aws),
    "azure": (_no_npm, _azure),
}

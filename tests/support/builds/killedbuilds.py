"""Work on a tree of builds in a process that is killed before one of its writes, and what must hold then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds import prune as pruning
from bootimg.builds.bucket.fetch import Wanted, fetch_build
from bootimg.builds.bucket.jsonstore import Stored
from bootimg.builds.bucket.tree import Bucket, Head
from bootimg.builds.expected import expect
from bootimg.builds.find import find_build
from bootimg.builds.folder import open_build
from bootimg.builds.index import read_index
from bootimg.builds.signing.signatures import sign_build, signature_of
from bootimg.builds.state import build_states
from bootimg.events import Events
from tests.support.builds.killing import killed_before_write
from tests.unit.builds.test_meta import X86, add_sbom, make_build
from tests.unit.builds.test_tree import names, tree


@dataclass(frozen=True)
class Scenario:
    """Work on the tree that `prepare` makes; `work` is pickled.

    `after_kill` must hold after a kill, `at_end` when the work is then done again.  The work has more writes
    than `least`.
    """

    prepare: Callable[[Path], object]
    work: Callable[[Path], object]
    after_kill: Callable[[Path], None]
    at_end: Callable[[Path], None]
    least: int = 20


def kill_before_writes(scenario: Scenario, folder: Path, every: int) -> None:
    """Kill the work before its first write and each `every`th after that, and then redo it."""
    start, builds = folder / "start", folder / "builds"
    start.mkdir()
    scenario.prepare(start)
    killed, number = True, 0
    while killed:
        shutil.copytree(start, builds, symlinks=True)
        killed = killed_before_write(number, scenario.work, builds)
        scenario.after_kill(builds)
        scenario.work(builds)
        scenario.at_end(builds)
        shutil.rmtree(builds)
        number += every
    assert number - every > scenario.least


def readable(builds: Path) -> None:
    """Every build that is listed has a meta.json whose files are there, and `latest` leads to a build."""
    for entry in read_index(builds)["builds"]:
        for arch in entry["arches"]:
            build = find_build(builds, entry["id"], Arch(arch))
            for key in build.images:
                build.artifact(key)
    if (builds / "latest").is_symlink():
        assert (builds / "latest").exists()
        assert find_build(builds, str(builds / "latest"), X86).images


def _prune(builds: Path) -> object:
    return pruning.prune(builds, pruning.judge(builds, pruning.Rule(1)))


def _pruned(builds: Path) -> None:
    readable(builds)
    assert names(builds) == ["3", "1"]
    assert {each.name for each in builds.iterdir() if each.is_dir()} == {"3", "1", "latest"}


def _build(builds: Path) -> object:
    return make_build(builds, "2")


def _built(builds: Path) -> None:
    readable(builds)
    assert names(builds) == ["2", "1"]


class FolderBucket(Bucket):
    """A bucket that is a folder: no network, and no server that a killed process would leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, key: str) -> str:
        return f"folder:{key}"

    def read(self, key: str, *, optional: bool = False) -> Stored | None:
        path = self.folder / key
        return Stored(path.read_bytes(), "tag") if path.exists() else None

    def head(self, key: str, *, optional: bool = False) -> Head | None:
        path = self.folder / key
        return Head(path.stat().st_size, None) if path.exists() else None

    def _chunks(self, key: str) -> Iterator[bytes]:
        yield (self.folder / key).read_bytes()


def _remote(builds: Path) -> Path:
    return builds.with_name("remote")


def _prepare_fetch(builds: Path) -> None:
    remote = _remote(builds)
    made = make_build(remote, "2")
    (made / "rhcos-2-qemu.x86_64.qcow2.sig").write_bytes(b"signature")
    add_sbom(remote, "2")
    make_build(builds, "1")
    expect(made, ["qemu"])


def _fetch(builds: Path) -> object:
    return fetch_build(builds, FolderBucket(_remote(builds)), Wanted("2", (X86,), ("all",)), Events())


def _fetched(builds: Path) -> None:
    _built(builds)
    assert build_states(builds)[0].complete
    here, there = (
        {each.name for each in (tree / "2/x86_64").iterdir() if not each.name.startswith(".")}
        for tree in (builds, _remote(builds))
    )
    assert here == there


class PlainSigner:
    """Signs with the content itself."""

    def sign(self, file: Path) -> None:
        signature_of(file).write_bytes(b"signed: " + file.read_bytes())

    def accepts(self, file: Path, signature: Path) -> bool:
        return signature.read_bytes() == b"signed: " + file.read_bytes()


def _sign(builds: Path) -> None:
    with open_build(builds, "1", X86) as folder:
        sign_build(folder, PlainSigner(), Events())


def _signatures_are_whole(builds: Path) -> None:
    for signature in find_build(builds, "1", X86).path.glob("*.sig"):
        assert PlainSigner().accepts(signature.with_suffix(""), signature)


def _signed(builds: Path) -> None:
    assert all(each.signed for each in build_states(builds)[0].arches[0].artifacts)
    assert not (find_build(builds, "1", X86).path / ".scratch").exists()


SCENARIOS = {
    "prune": Scenario(lambda builds: tree(builds, 3), _prune, readable, _pruned),
    "build": Scenario(lambda builds: make_build(builds, "1"), _build, readable, _built),
    "fetch": Scenario(_prepare_fetch, _fetch, readable, _fetched),
    "sign": Scenario(lambda builds: make_build(builds, "1"), _sign, _signatures_are_whole, _signed, least=10),
}

"""`python -m benchmarks arches`: the base disk of each foreign architecture, over one of x86_64."""

from __future__ import annotations

import json
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.basedisks import BaseBench
from benchmarks.figures import Figure
from bootimg.arch import Arch
from bootimg.disk.bootloaders.choice import disk_obstacle
from tests.layer.small import small_layer
from tests.layer.small.recipe import HERE
from tests.support.layers import oci

ROUNDS, AIM = 3, 1.1


@dataclass(frozen=True)
class ArchBench:
    """Base disks of small layers, each against one of the same files for x86_64, below `folder`."""

    folder: Path

    def figures(self, only: Sequence[str] = ()) -> Iterator[Figure]:
        """A figure for each architecture whose disks can be made, or for those of `only`."""
        for arch in Arch:
            if arch is Arch.X86_64 or (only and arch not in only):
                continue
            if (reason := why_not(arch)) is not None:
                print(f"{arch}: left out: {reason}", file=sys.stderr)
                continue
            yield self.base_disk(arch, small_layer(arch))

    def base_disk(self, arch: Arch, layer: Path) -> Figure:
        """The whole command with the layer imported and no base disk; the best of some rounds of each."""
        own = BaseBench(self.folder / arch / "own", layer, arch)
        other = BaseBench(self.folder / arch / "other", twin(layer, self.folder / arch / "twin"), Arch.X86_64)
        for bench in (own, other):
            # The first one also imports the layer.
            _ = bench.gpt
        rounds = [(own.make(), other.make()) for _ in range(ROUNDS)]
        ours, theirs = min(each for each, _ in rounds), min(each for _, each in rounds)
        cpu = ours.elapsed.cpu / theirs.elapsed.cpu
        note = f"{ours.elapsed} against {theirs.elapsed}, of CPU {cpu:.2f}; {ours.split}; best of {ROUNDS}"
        ratio = ours.elapsed.seconds / theirs.elapsed.seconds
        return Figure(f"base disk of {arch} against one of x86_64", ratio, "ratio", AIM, note)


def why_not(arch: Arch) -> str | None:
    """Why an architecture is not measured; None if it is."""
    if arch.value not in tomllib.loads((HERE / "recipe.toml").read_text())["architecture"]:
        return "there is no small layer of it"
    return disk_obstacle(arch)


def twin(layer: Path, folder: Path) -> Path:
    """A layer for x86_64 with the same files, and those that its bootloaders need; an OCI directory.

    Nothing would boot from it: the kernel is the other architecture's.
    """
    layout = oci.Layout(folder)
    with tarfile.open(layer) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith("blobs/"):
                member.name = Path(member.name).name
                archive.extract(member, layout.blobs, filter="data")
        archive.extract("index.json", folder, filter="data")
    index = json.loads((folder / "index.json").read_bytes())
    manifest = _document(layout, index["manifests"][0])
    config = _document(layout, manifest["config"])
    more = oci.tar(*(oci.file(path, data) for path, data in oci.BOOTLOADER.items()))
    config["architecture"] = Arch.X86_64.oci
    config["rootfs"]["diff_ids"].append(oci.digest(more))
    # A history would need an entry for the added layer too.
    config.pop("history", None)
    settings = json.dumps(config).encode()
    manifest["config"] = oci.descriptor(manifest["config"]["mediaType"], layout.blob(settings), settings)
    manifest["layers"].append(oci.descriptor(f"{oci.OCI}layer.v1.tar", layout.blob(more), more))
    data = json.dumps(manifest).encode()
    layout.list(oci.descriptor(f"{oci.OCI}manifest.v1+json", layout.blob(data), data))
    return layout.path


def _document(layout: oci.Layout, descriptor: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (layout.blobs / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    )
    return found

"""Base disks, kept in the cache under a key of their inputs.

A base disk is made in a scratch folder, which gets its final name once the disk is sealed: read-only,
with its digest recorded.  The next run that makes a base disk removes the leftovers of interrupted runs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bootimg.appliance import FailureHook
from bootimg.arch import Arch
from bootimg.atomic import sync, write_whole
from bootimg.cache import BASES, Cache
from bootimg.disk.base import BaseInputs, make_base_disks
from bootimg.disk.extents import FileSource, Source, is_zero
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.versions import native_versions
from bootimg.events import Events
from bootimg.manifest.recipe import Recipe
from bootimg.platform import Platform
from bootimg.vm.probe import Accelerator

# Raise this number when the same inputs give another disk than before.
BUILDER = 7
_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class BaseDisk:
    """A sealed base disk; `digest` is the result of `seal_digest`.

    `platform` is None for a disk from the cache.  Else the disk is that platform's image, used instead of a
    base disk: it has the platform's edits already, and `digest` is the image's SHA-256.
    `way` is how it was made; None for a platform's image.  `programs` are the versions of this machine's
    packages whose programs wrote its file systems; none if others wrote them, or an older bootimg.
    """

    path: Path
    digest: str
    commit: str
    platform: Platform | None = None
    way: DeployWay | None = None
    programs: Mapping[str, str] = field(default_factory=dict, hash=False)


def base_key(recipe: Recipe, layer_digest: str, tools_digest: str, way: DeployWay) -> str:
    """The content key: all inputs of the base disk from the recipe, the layer and the tools."""
    return _digest(_key_inputs(recipe, layer_digest, tools_digest, way))[:32]


def _key_inputs(recipe: Recipe, layer_digest: str, tools_digest: str, way: DeployWay) -> dict[str, object]:
    fields = asdict(recipe)
    for platform_only in ("platforms", "source"):
        del fields[platform_only]
    return {
        "builder": BUILDER,
        "recipe": fields,
        "layer": layer_digest,
        "tools": tools_digest,
        "deploy": str(way),
        # bootupd runs on a machine of its layer's architecture; elsewhere its files are written as data.
        "machine": str(Arch.of_machine()),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _parts(inputs: dict[str, object]) -> dict[str, str]:
    """The digest of each input, with a separate digest for each field of the recipe."""
    recipe = inputs["recipe"]
    assert isinstance(recipe, dict)
    named = {**inputs, **{f"recipe.{name}": value for name, value in recipe.items()}}
    del named["recipe"]
    return {name: _digest(value) for name, value in named.items()}


def why_no_base(
    cache: Cache,
    key: str,
    recipe: Recipe,
    layer_digest: str,
    tools_digest: str,
    way: DeployWay,
) -> str:
    """Why `find_base` finds nothing for this key: the inputs that differ from the most similar kept disk."""
    bases = cache.place(BASES)
    if (bases / key).exists():
        return "the kept base disk was changed after it was sealed"
    wanted = _parts(_key_inputs(recipe, layer_digest, tools_digest, way))
    changes: list[list[str]] = []
    for path in bases.glob("[!.]*/inputs.json"):
        had = json.loads(path.read_bytes())
        changes.append(sorted(name for name, digest in wanted.items() if had.get(name) != digest))
    if not changes:
        return "no base disk is kept"
    nearest = min(changes, key=len)
    return f"its key changed: other {', '.join(nearest)}"


def find_base(cache: Cache, key: str) -> BaseDisk | None:
    """The sealed base disk of this key, if it exists and was not changed since it was sealed."""
    folder = cache.place(BASES) / key
    try:
        seal = json.loads((folder / "seal.json").read_bytes())
        status = (folder / "disk.raw").stat()
    except FileNotFoundError:
        return None
    if seal["mtime_ns"] != status.st_mtime_ns or seal["size"] != status.st_size:
        return None
    return BaseDisk(
        folder / "disk.raw",
        seal["digest"],
        seal["commit"],
        way=DeployWay(seal["way"]),
        programs=seal.get("programs", {}),
    )


def make_bases(
    cache: Cache,
    wanted: Mapping[str, BaseInputs],
    scratch: Path,
    accelerator: Accelerator,
    events: Events,
    on_failure: FailureHook | None = None,
) -> dict[str, BaseDisk]:
    """Make and seal base disks, by their keys; the caller holds the lock `base-<key>` of each.

    `scratch` is a folder for unfinished disks, on the file system of the base disks.
    """
    log = cache.folder("logs") / f"appliance-{next(iter(wanted))}.log"
    log.unlink(missing_ok=True)
    disks = {key: scratch / key / "disk.raw" for key in wanted}
    for disk in disks.values():
        # The native way may have left an unfinished disk.
        shutil.rmtree(disk.parent, ignore_errors=True)
        disk.parent.mkdir()
    make_base_disks(
        [(inputs, disks[key]) for key, inputs in wanted.items()],
        log=log,
        accelerator=accelerator,
        cache=cache,
        events=events,
        on_failure=on_failure,
    )
    return {key: keep_base(cache, key, inputs, disks[key], _made(inputs)) for key, inputs in wanted.items()}


def _made(inputs: BaseInputs) -> DeployWay:
    return DeployWay.LAYER if inputs.way is DeployWay.LAYER else DeployWay.APPLIANCE


def keep_base(cache: Cache, key: str, inputs: BaseInputs, disk: Path, way: DeployWay) -> BaseDisk:
    """Seal a finished disk, and move the folder that it is in to its place in the cache.

    `way` is how it was made: the appliance takes over where the native way meets an obstacle.
    """
    bases = cache.folder(BASES)
    parts = _parts(_key_inputs(inputs.recipe, inputs.image.digest, inputs.tools.digest, inputs.way))
    write_whole(disk.with_name("inputs.json"), json.dumps(parts, indent=1).encode())
    _seal(disk.parent, disk, inputs.commit.checksum, way)
    shutil.rmtree(bases / key, ignore_errors=True)
    disk.parent.rename(bases / key)
    sync(bases)
    base = find_base(cache, key)
    assert base is not None
    return base


def _seal(folder: Path, disk: Path, commit: str, way: DeployWay) -> None:
    disk.chmod(0o444)
    with ThreadPoolExecutor(1) as pool:
        # The disk is hashed from the page cache while the kernel writes it.
        durable = pool.submit(sync, disk)
        digest = seal_digest(disk)
        durable.result()
    status = disk.stat()
    seal = {
        "digest": digest,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "commit": commit,
        "way": way,
        "programs": native_versions() if way is DeployWay.NATIVE else {},
    }
    write_whole(folder / "seal.json", json.dumps(seal, indent=1).encode())


def seal_digest(disk: Path) -> str:
    """The sha256 of the 64 KiB blocks that are not all zeros, each preceded by its offset and length.

    The digest does not depend on the file's holes: SEEK_DATA's answer changes when pages are written back.
    """
    digest = hashlib.sha256()
    with FileSource(disk) as source:
        for number in _blocks_with_data(source):
            offset = number * _BLOCK
            data = source.read(offset, min(_BLOCK, source.size - offset))
            if not is_zero(data):
                digest.update(b"%d+%d\n" % (offset, len(data)))
                digest.update(data)
    return digest.hexdigest()


def _blocks_with_data(source: Source) -> Iterator[int]:
    """The numbers of the blocks that overlap an extent with data, each once, in ascending order."""
    following = 0
    for extent in source.extents():
        if extent.data and extent.length:
            end = (extent.end - 1) // _BLOCK + 1
            yield from range(max(following, extent.offset // _BLOCK), end)
            following = max(following, end)

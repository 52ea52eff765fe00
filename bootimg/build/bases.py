"""Base disks, kept by what they are made from.

A base disk is made in a folder of its own that takes its name once the disk is sealed: read-only,
with its digest recorded.  What an interrupted run left is removed by the next that makes one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bootimg.appliance import FailureHook
from bootimg.atomic import sync, write_whole
from bootimg.cache import Cache
from bootimg.disk.base import BaseInputs, make_base_disk
from bootimg.disk.extents import FileSource
from bootimg.disk.layer_deploy import DeployWay
from bootimg.events import Events
from bootimg.manifest.recipe import Recipe
from bootimg.vm.probe import Accelerator

# Raise it when the same inputs give another disk than before.
BUILDER = 3
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BaseDisk:
    """A sealed base disk; `digest` is that of `seal_digest`."""

    path: Path
    digest: str
    commit: str


def base_key(recipe: Recipe, layer_digest: str, tools_digest: str, way: DeployWay = DeployWay.OWN) -> str:
    """The content key: everything of the recipe that the base disk depends on, the layer, the tools."""
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
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _parts(inputs: dict[str, object]) -> dict[str, str]:
    """The digest of each input, of each field of the recipe for itself."""
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
    way: DeployWay = DeployWay.OWN,
) -> str:
    """Why `find_base` has nothing for this key: what differs from the nearest base disk that is kept."""
    bases = cache.root / "bases"
    if (bases / key).exists():
        return "the kept base disk was touched after it was sealed"
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
    """The sealed base disk of this key, if it is there and was not touched since it was sealed."""
    folder = cache.root / "bases" / key
    try:
        seal = json.loads((folder / "seal.json").read_bytes())
        status = (folder / "disk.raw").stat()
    except FileNotFoundError:
        return None
    if seal["mtime_ns"] != status.st_mtime_ns or seal["size"] != status.st_size:
        return None
    return BaseDisk(folder / "disk.raw", seal["digest"], seal["commit"])


def make_base(
    cache: Cache,
    key: str,
    inputs: BaseInputs,
    scratch: Path,
    accelerator: Accelerator,
    events: Events,
    on_failure: FailureHook | None = None,
) -> BaseDisk:
    """Make and seal the base disk of this key; the caller holds the lock `base-<key>`.

    `scratch` is a folder for what is not yet whole, on the file system of the base disks.
    """
    bases = cache.folder("bases")
    log = cache.folder("logs") / f"appliance-{key}.log"
    log.unlink(missing_ok=True)
    partial = scratch / key
    partial.mkdir()
    disk = partial / "disk.raw"
    make_base_disk(
        inputs, disk, log=log, accelerator=accelerator, cache=cache, events=events, on_failure=on_failure
    )
    parts = _parts(_key_inputs(inputs.recipe, inputs.image.digest, inputs.tools.digest, inputs.way))
    write_whole(partial / "inputs.json", json.dumps(parts, indent=1).encode())
    _seal(partial, disk, inputs.commit.checksum)
    shutil.rmtree(bases / key, ignore_errors=True)
    partial.rename(bases / key)
    sync(bases)
    base = find_base(cache, key)
    assert base is not None
    return base


def _seal(folder: Path, disk: Path, commit: str) -> None:
    disk.chmod(0o444)
    sync(disk)
    status = disk.stat()
    seal = {
        "digest": seal_digest(disk),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "commit": commit,
    }
    write_whole(folder / "seal.json", json.dumps(seal, indent=1).encode())


def seal_digest(disk: Path) -> str:
    """sha256 over the disk's data extents, each preceded by its offset and length: holes cost nothing."""
    digest = hashlib.sha256()
    with FileSource(disk) as source:
        for extent in source.extents():
            if not extent.data:
                continue
            digest.update(b"%d+%d\n" % (extent.offset, extent.length))
            for offset in range(extent.offset, extent.offset + extent.length, _CHUNK):
                digest.update(source.read(offset, min(_CHUNK, extent.offset + extent.length - offset)))
    return digest.hexdigest()

"""Products in the cache: a tar for each key, whose name has the digest of its bytes."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bootimg.atomic import write_whole
from bootimg.cache import Cache
from bootimg.disk.bootloaders.bootcode import BootCode
from bootimg.disk.bootloaders.bootloader import Placement
from bootimg.disk.native.content import read_content
from bootimg.disk.native.products.products import Maker, Products, StartAppliance
from bootimg.events import Events
from bootimg.sysroot.entries import Entry, HostFile, Kind

FOLDER = "bootloaders"
_BOOT, _ESP = "boot/", "esp/"
_SECTOR, _PARTITION = "code/boot-sector", "code/bios-boot-partition"


def kept_products(
    maker: Maker, cache: Cache, events: Events, start: StartAppliance, scratch: Path
) -> Products:
    """The products; they are made if the cache lacks them, or if they were changed there."""
    key = maker.key
    with cache.locked(f"bootloader-{key}", events), events.step("bootloader", "the bootloader") as step:
        path = _find(cache, key)
        if path is not None:
            # It may be another user's, in a cache that a team shares.
            with suppress(PermissionError):
                os.utime(path)
            step.result("kept", cached=True)
        else:
            if _paths(cache, key):
                events.message("the kept bootloader was changed; it is made again", "warning")
            path = keep_products(cache, key, maker.make(start, scratch))
        return _read(path)


def has_products(cache: Cache, key: str) -> bool:
    """Whether the cache has the products of a key undamaged."""
    return _find(cache, key) is not None


def has_bootloaders(cache: Cache) -> bool:
    """Whether the cache has any products, whatever they were made from."""
    return any((cache.root / FOLDER).glob("*.tar"))


def _find(cache: Cache, key: str) -> Path | None:
    for path in _paths(cache, key):
        with path.open("rb") as file:
            if path.name == _name(key, hashlib.file_digest(file, "sha256").hexdigest()):
                return path
    return None


def _paths(cache: Cache, key: str) -> list[Path]:
    return sorted((cache.root / FOLDER).glob(_name(key, "*")))


def _name(key: str, digest: str) -> str:
    return f"{key}.{digest}.tar"


def keep_products(cache: Cache, key: str, products: Products) -> Path:
    """Put products in the cache, instead of damaged ones; the caller holds the lock `bootloader-<key>`."""
    folder = cache.folder(FOLDER)
    for damaged in _paths(cache, key):
        damaged.unlink()
    data = _tar(products)
    path = folder / _name(key, hashlib.sha256(data).hexdigest())
    write_whole(path, data)
    return path


def _tar(products: Products) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in _code(products.code):
            archive.addfile(_member(name, len(data)), io.BytesIO(data))
        for prefix, entries in ((_BOOT, products.boot), (_ESP, products.esp)):
            for entry in entries:
                data = read_content(entry) if entry.kind is Kind.FILE else b""
                info = _member(prefix + entry.path.decode(), len(data))
                info.type = tarfile.REGTYPE if entry.kind is Kind.FILE else tarfile.DIRTYPE
                info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
                archive.addfile(info, io.BytesIO(data))
    return output.getvalue()


def _code(code: Placement | None) -> Iterator[tuple[str, bytes]]:
    if isinstance(code, BootCode):
        yield _SECTOR, code.sector
        yield _PARTITION, code.partition
    elif code is not None:
        raise TypeError(f"{type(code).__name__} is made by no program of the layer")


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


def _read(path: Path) -> Products:
    with tarfile.open(path, "r:") as archive:
        members = archive.getmembers()
        code = {info.name: read_content(_entry(info, info.name, path)) for info in members if _is_code(info)}
    return Products(
        boot=_below(_BOOT, members, path),
        esp=_below(_ESP, members, path),
        code=BootCode(code[_SECTOR], code[_PARTITION]) if code else None,
    )


def _is_code(info: tarfile.TarInfo) -> bool:
    return info.name in (_SECTOR, _PARTITION)


def _below(prefix: str, members: Sequence[tarfile.TarInfo], path: Path) -> list[Entry]:
    return [
        _entry(info, info.name.removeprefix(prefix), path) for info in members if info.name.startswith(prefix)
    ]


def _entry(info: tarfile.TarInfo, name: str, path: Path) -> Entry:
    """The entry of a member; its content stays in the tar."""
    return Entry(
        path=name.encode(),
        kind=Kind.FILE if info.isreg() else Kind.DIRECTORY,
        mode=info.mode,
        uid=info.uid,
        gid=info.gid,
        size=info.size,
        content=HostFile(str(path), info.offset_data) if info.size else b"",
    )

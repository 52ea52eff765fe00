"""A whole disk with an ESP, a boot and a root file system, of whose metadata bytes are changed.

Each kind of metadata is changed as often as each other one, however few bytes it has.  Of most changed
structures the checksums are right again, so that what is behind the check is met too.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

from bootimg.api.looking import inspect, verify
from bootimg.checks.purity import Purity
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.disk.filetree import Node
from bootimg.disk.gpt import Gpt, Partition, read_gpt, write_gpt
from bootimg.disk.xfs.read.folders import find_folder, names
from bootimg.disk.xfs.read.volume import open_xfs
from bootimg.live.osmet.objects import stored_objects
from bootimg.sizes import KIB, MIB
from tests.fuzz.target import Target, note, refusals
from tests.fuzz.targets.boot import CONSOLE, ENTRY
from tests.hostile.diskareas import (
    BLOCK,
    GPT_LENGTH,
    areas_of_xfs,
    record_at,
    with_checksum,
    with_gpt_checksums,
)
from tests.support.live.metaldisk import BOOT, ROOT_AT, metal_disk, repository
from tests.support.xfs.xfsimages import SMALL
from tests.support.xfs.xfstrees import file, folder, label, link

_EDIT = struct.Struct(">IBB")
"""Where, how many bytes, and the value of each of them."""
_MOST = 24
_ESP, _ESP_TYPE = MIB, UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
_ORIGIN = b"[origin]\ncontainer-image-reference=ostree-unverified-registry:example.com/a:b\n"
_DEPLOYMENT = f"ostree/deploy/os/deploy/{'a' * 64}.0".encode()
_ZEROS = bytes(64 * KIB)
_SEALED, _PROGRAMS, _VERIFIED = 1, 2, 4
"""Flags of an input: checksums are right again; commands read it, which run programs; the command is `verify`
and not `inspect`.  Every disk is read by the readers of GPT and XFS in this process.
"""
_FOLDERS = (_DEPLOYMENT, b"block", b"leaf", b"node")


def _nodes() -> Iterator[Node]:
    """What a root file system has: a repository, a deployment with its origin, the aleph, large folders."""
    yield from repository(f"content {each}".encode() * 9 for each in range(20))
    parts = _DEPLOYMENT.split(b"/")
    yield from (folder(b"/".join(parts[: end + 1]), xattrs=(label(),)) for end in range(1, len(parts)))
    yield file(_DEPLOYMENT + b".origin", _ORIGIN)
    for name in (b"usr", b"usr/lib", b"usr/share", b"etc"):
        yield folder(_DEPLOYMENT + b"/" + name)
    yield file(_DEPLOYMENT + b"/usr/lib/os-release", b"ID=rhcos\nVERSION_ID=9.6\n")
    yield file(b".aleph-version.json", b'{"version": "9.6.20261101-0"}\n')
    for name, count in ((b"block", 30), (b"leaf", 150), (b"node", 400)):
        yield folder(name)
        for each in range(count):
            yield link(name + b"/name-%d" % each, b".aleph-version.json")


@cache
def _boot() -> bytes:
    """An ext4 whose metadata has no checksums, so that a changed byte is read."""
    with TemporaryDirectory() as name:
        for path, content in (("loader/entries/a.conf", ENTRY), ("grub2/console.cfg", CONSOLE)):
            (Path(name) / path).parent.mkdir(parents=True)
            (Path(name) / path).write_bytes(content)
        options = "-t ext4 -O ^metadata_csum,^resize_inode -b 1024 -N 32 -J size=1"
        return _made(f"mke2fs -q {options} -d {name}", 4 * MIB)


def _made(command: str, size: int) -> bytes:
    """A file system of `size` bytes by a command whose last word is to be the image."""
    with TemporaryDirectory() as folder_name:
        image = Path(folder_name) / "image"
        image.touch()
        os.truncate(image, size)
        subprocess.run([*command.split(), image], check=True, capture_output=True)
        return image.read_bytes()


_FOLDER = TemporaryDirectory(prefix="whole-disk-")


@cache
def _disk() -> Path:
    """The disk; what of it is zero is a hole."""
    whole, path = Path(_FOLDER.name) / "whole", Path(_FOLDER.name) / "disk"
    metal_disk(whole, _nodes(), {0: _boot()})
    with FileSource(whole) as source:
        table = read_gpt(source)
        esp = Partition(2, "EFI-SYSTEM", _ESP_TYPE, UUID(int=2), _ESP // 512, MIB // 512)
        with path.open("wb") as target:
            target.truncate(source.size)
            for at, length in data_chunks(source, 0, source.size, 64 * KIB):
                if (data := source.read(at, length)) != _ZEROS[:length]:
                    target.seek(at)
                    target.write(data)
            target.seek(_ESP)
            target.write(_made("mkfs.fat -F 12 -n EFI-SYSTEM", MIB))
    write_gpt(path, Gpt(table.disk_guid, table.sectors, (esp, *table.partitions), 512))
    whole.unlink()
    return path


@cache
def _areas() -> Mapping[str, Sequence[int]]:
    """Where the bytes are that are not zero, by the kind of metadata."""
    found: dict[str, list[int]] = {}
    with FileSource(_disk()) as source:
        chunks = [(at, source.read(at, length)) for at, length in data_chunks(source, 0, source.size, MIB)]
    for kind, at in _kinds(chunks):
        found.setdefault(kind, []).append(at)
    return found


def _kinds(chunks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[str, int]]:
    root = [(at, data) for at, data in chunks if at >= ROOT_AT]
    yield from areas_of_xfs(root)
    for at, data in chunks:
        for index, byte in enumerate(data if at < ROOT_AT else b"", at):
            if byte:
                yield _before_root(index), index


def _before_root(at: int) -> str:
    if at < _ESP:
        return "MBR" if at < 512 else "GPT header" if at < 1024 else "GPT entries"
    if at < BOOT:
        return "FAT"
    block = (at - BOOT) // KIB
    return {1: "ext4 superblock", 2: "ext4 groups"}.get(block, "ext4 rest")


def _seeds() -> Iterator[bytes]:
    """Flags, then edits."""
    yield bytes([_SEALED]) + _EDIT.pack(ROOT_AT, 1, 0)


def _mutate(data: bytes, longest: int, seed: int, plain: Callable[[bytes, int], bytes]) -> bytes:
    random, areas = Random(seed), _areas()
    kinds = random.choices(sorted(areas), k=random.choice((1, 2, 4, 8, _MOST)))
    # What only programs read is read by them, and some of the rest, because each of them takes long.
    alone = kinds[0].startswith(("ext4", "FAT"))
    flags = _SEALED * (random.random() < 0.75) | _VERIFIED * (random.random() < 0.2)
    flags |= _PROGRAMS * (alone or random.random() < 0.1)
    return bytes([flags]) + b"".join(
        _EDIT.pack(
            random.choice(areas[kind]),
            random.choice((1, 1, 2, 4, 8)),
            random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256))),
        )
        for kind in kinds
    )


def _run(data: bytes, folder: Path) -> None:
    path, cache_folder = folder / "disk", folder / "cache"
    with FileSource(_disk()) as source:
        copy_sparse(source, path)
    flags, edits = data[0], list(_EDIT.iter_unpack(data[1:]))
    _change(path, edits, sealed=bool(flags & _SEALED))
    if flags & _PROGRAMS:
        with refusals():
            _judge(path, cache_folder, whole=bool(flags & _VERIFIED))
    with FileSource(path) as source:
        _read_here(source)
    left = [each.name for each in (cache_folder / "tmp").iterdir()] if (cache_folder / "tmp").exists() else []
    assert not left, f"left behind: {left}"
    path.unlink()


def _read_here(source: FileSource) -> None:
    with refusals():
        read_gpt(source)
    with refusals():
        volume = open_xfs(source, ROOT_AT, SMALL)
        with refusals():
            list(stored_objects(volume))
        for each in _FOLDERS:
            with refusals():
                names(volume, find_folder(volume, each))


def _judge(path: Path, cache_folder: Path, *, whole: bool) -> None:
    if whole:
        found = verify(path, arch="x86_64", purity=Purity.OFF, cache=cache_folder)
        note(*(each.rule for each in found.findings if each.rule.endswith("-unreadable")))
    else:
        root = inspect(path, arch="x86_64", cache=cache_folder)["root"]
        note(*([root["problem"]["id"]] if root and root["problem"] else []))


def _change(path: Path, edits: Sequence[tuple[int, int, int]], *, sealed: bool) -> None:
    with path.open("r+b") as disk:
        for at, length, value in edits:
            start = at // BLOCK * BLOCK
            disk.seek(start)
            before = disk.read(BLOCK)
            data = bytearray(before)
            data[at - start : at - start + length] = bytes([value]) * min(length, BLOCK - at + start)
            found = record_at(before, at - start)
            if sealed and at >= ROOT_AT and found:
                place, record = found
                part = data[place : place + record.size]
                with_checksum(part, record)
                data[place : place + record.size] = part
            disk.seek(start)
            disk.write(data)
        if sealed and any(at < GPT_LENGTH for at, _, _ in edits):
            disk.seek(0)
            first = bytearray(disk.read(GPT_LENGTH))
            with_gpt_checksums(first)
            disk.seek(0)
            disk.write(first)


WHOLE_DISK = Target(
    name="whole-disk", run=_run, seeds=_seeds, words=(), mutate=_mutate, runs=20,
    longest=1 + _MOST * _EDIT.size,
)  # fmt: skip

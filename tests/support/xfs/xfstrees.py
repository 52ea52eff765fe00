"""Trees that meet the limits of XFS's structures."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from random import Random

from bootimg.disk.filetree import HostRange, Kind, Node, Xattrs
from bootimg.sizes import KIB, TIB

ROOT = Node(path=b"", kind=Kind.DIRECTORY, mode=0o755)
NOBODY = 2**32 - 2
SECOND = 10**9


def folder(path: bytes, **fields: object) -> Node:
    return Node(path=path, kind=Kind.DIRECTORY, **{"mode": 0o755} | fields)  # type: ignore[arg-type]


def file(path: bytes, content: bytes | HostRange | None = b"", **fields: object) -> Node:
    size = len(content) if isinstance(content, bytes) else 0
    values = {"mode": 0o644, "content": content, "size": size} | fields
    return Node(path=path, kind=Kind.FILE, **values)  # type: ignore[arg-type]


def link(path: bytes, target: bytes) -> Node:
    return Node(path=path, kind=Kind.HARD_LINK, target=target)


def label(kind: bytes = b"usr_t") -> tuple[bytes, bytes]:
    return b"security.selinux", b"system_u:object_r:" + kind + b":s0\0"


CAPABILITY = (b"security.capability", struct.pack("<5I", 0x02000001, 0x400, 0, 0, 0))


def _entry_size(length: int) -> int:
    return -(-(length + 12) // 8) * 8


def form_limits(length: int) -> set[int]:
    """Numbers of names of one length around which a directory changes its form."""
    size = _entry_size(length)
    block = (4096 - 64 - 8 - 48) // (size + 8)
    per_block = (4096 - 64) // size
    leaf = 0
    while 64 + 8 * (leaf + 2) + 2 * -(-(leaf + 2) // per_block) + 4 <= 4096:
        leaf += 1
    short = (336 - 6) // (length + 8)
    return {0, 1, 2, 255, 256, 300, 336} | {
        limit + step for limit in (short, block, leaf) for step in (-1, 0, 1, 2)
    }


def names_of(length: int, count: int) -> list[bytes]:
    """As many different names of one length as there are, up to `count`."""
    if length == 1:
        return [bytes((byte,)) for byte in range(1, 256) if byte not in b"./"][:count]
    return [(b"%d" % each).rjust(length, b"n") for each in range(count)]


def directories(lengths: Iterable[int]) -> Iterator[Node]:
    """Directories of every size at which their form changes, with and without attributes."""
    yield Node(path=b"", kind=Kind.DIRECTORY, mode=0o755, xattrs=(label(b"root_t"),))
    yield file(b"target")
    for number, xattrs in enumerate(((), (label(),), (label(), (b"user.long", b"x" * 230)))):
        for length in lengths:
            base = b"%d-%d" % (number, length)
            yield folder(base, xattrs=xattrs)
            for count in sorted(form_limits(length)):
                yield folder(base + b"/%d" % count, xattrs=xattrs)
                for name in names_of(length, count):
                    yield link(base + b"/%d/" % count + name, b"target")


def attribute_sets(random: Random) -> Iterator[Xattrs]:
    """Attributes of sizes around each limit of the forms."""
    yield ()
    yield (label(),)
    yield (label(), CAPABILITY)
    short = (1, 50, 96, 97, 98, 140, 141, 142, 143, 144, 200, 240, 254, 255)
    medium = (256, 257, 270, 280, 290, 320, 324, 328, 332)
    leaves = (400, 1000, 3050, *range(3057, 3071), 3080, 4039, 4040, 4041, 8080, 8081, 60000, 65535, 65536)
    for size in (*short, *medium, *leaves):
        yield (label(), (b"trusted.x", random.randbytes(size)))
        yield ((b"trusted.x", b"y" * size),)
    yield tuple((b"trusted.a%d" % each, b"v" * each) for each in range(30))
    yield tuple((b"trusted.a%d" % each, b"v" * random.randrange(200)) for each in range(300))
    yield tuple((b"trusted.a%d" % each, b"v" * random.randrange(5000)) for each in range(100))
    yield tuple((b"trusted.e%d" % each, b"") for each in range(20))
    yield tuple((b"user." + b"n" * 246 + b"%04d" % each, b"v" * (each % 99)) for each in range(120))
    yield tuple((namespace + b".same", namespace) for namespace in (b"trusted", b"security", b"user"))


def attributes(every: int = 1) -> Iterator[Node]:
    """Every kind of inode with every set of attributes (or one of `every`), odd owners and times."""
    random = Random(2)
    yield Node(path=b"", kind=Kind.DIRECTORY, mode=0o1777, mtime=-5 * SECOND + 7)
    kinds: list[tuple[Kind, dict[str, object]]] = [
        (Kind.FILE, {}),
        (Kind.DIRECTORY, {}),
        (Kind.SYMLINK, {"target": b"t"}),
        (Kind.SYMLINK, {"target": b"t" * 200}),
        (Kind.SYMLINK, {"target": b"t" * 290}),
        (Kind.SYMLINK, {"target": b"t" * 1023}),
        (Kind.CHARACTER_DEVICE, {"device": (5, 70000)}),
        (Kind.CHARACTER_DEVICE, {"device": (0, 0)}),
        (Kind.BLOCK_DEVICE, {"device": (259, 3)}),
        (Kind.FIFO, {}),
        (Kind.SOCKET, {}),
    ]
    times = (0, -(2**31) * SECOND, -1, 1, 2**31 * SECOND, 2**32 * SECOND + SECOND - 1, 8 * 10**18)
    for number, (kind, fields) in enumerate(kinds):
        yield folder(b"%d" % number)
        for index, xattrs in enumerate(attribute_sets(random)):
            if index % every:
                continue
            content = (
                bytes(index * at & 255 for at in range(1000 + index * 37)) if kind is Kind.FILE else None
            )
            path = b"%d/%03d" % (number, index)
            yield Node(
                path=path,
                kind=kind,
                mode=0o777 if kind is Kind.SYMLINK else 0o6755,
                uid=random.choice((0, 1, 1000, NOBODY)),
                gid=random.choice((0, 5, NOBODY)),
                mtime=random.choice(times),
                xattrs=xattrs,
                content=content,
                size=len(content or b""),
                immutable=index % 10 == 0 and kind in (Kind.FILE, Kind.DIRECTORY),
                **fields,  # type: ignore[arg-type]
            )
            if kind is Kind.DIRECTORY:
                yield from (file(path + b"/n%d" % each) for each in range(index % 25))


def symlinks() -> Iterator[Node]:
    """Symbolic links whose targets are around the limits of the inode."""
    yield ROOT
    for size in (1, 2, 100, 190, 191, 192, 193, 200, 296, 328, 334, 335, 336, 337, 338, 1000, 1022, 1023):
        for number, xattrs in enumerate(((), (label(),), (label(), (b"trusted.b", b"b" * 120)))):
            path = b"%d-%d" % (size, number)
            yield Node(path=path, kind=Kind.SYMLINK, mode=0o777, target=b"z" * size, xattrs=xattrs)


def sparse(path: bytes, pieces: int, xattrs: Xattrs = (), tail: int = 0) -> Node:
    """A file with so many pieces of data, a hole before each."""
    ranges = tuple(((2 * piece + 1) * 4096, 4096) for piece in range(pieces))
    content = b"".join(bytes(4096) + struct.pack(">I", piece) * 1024 for piece in range(pieces)) + bytes(tail)
    return file(path, content, data=ranges, xattrs=xattrs)


def extents(counts: Iterable[int]) -> Iterator[Node]:
    """Files of many extents beside attributes of several sizes; holes, empty files, odd sizes."""
    yield ROOT
    long = (label(), (b"user.q", b"q" * 2000))
    for number, xattrs in enumerate(((), (label(),), (label(), (b"user.q", b"q" * 150)), long)):
        for count in counts:
            yield sparse(b"s%d-%d" % (number, count), count, xattrs, tail=number * 100)
    ranges = ((100, 50), (4000, 200), (20000, 1))
    content = bytearray(30000)
    for start, length in ranges:
        content[start : start + length] = b"d" * length
    yield file(b"ragged", bytes(content), data=ranges)
    yield file(b"hole", content=None, size=TIB)
    yield file(b"small hole", content=None, size=5000)
    yield file(b"no data", bytes(9000), data=())
    for size in (0, 1, 4095, 4096, 4097, 128 * KIB - 1, 128 * KIB, 128 * KIB + 1, 8192 * KIB + 1):
        yield file(b"z%d" % size, b"c" * size)


def same_hash(number: int) -> bytes:
    """Names of one hash: a change of a byte's lowest bit is undone by the highest bit of the next."""
    name = bytearray(b"abcdefghijklmnopqrstuvwx")
    for bit in range(12):
        if number >> bit & 1:
            name[2 * bit] ^= 1
            name[2 * bit + 1] ^= 0x80
    return bytes(name)


def collisions() -> Iterator[Node]:
    """Directories and attributes with many names of one hash."""
    yield ROOT
    yield file(b"target")
    for count in (2, 50, 400, 500):
        yield folder(b"d%d" % count)
        yield from (link(b"d%d/" % count + same_hash(each), b"target") for each in range(count))
        yield from (link(b"d%d/other%d" % (count, each), b"target") for each in range(count // 3))
    small = ((2, 5), (10, 5), (40, 5), (2, 90), (20, 90))
    for count, size in (*small, (5, 250), (3, 900), (2, 1400), (2, 5000), (40, 5000)):
        names = tuple((b"trusted." + same_hash(each), b"%d" % each * size) for each in range(count))
        more = tuple((b"user.m%d" % each, b"v" * 50) for each in range(count))
        yield file(b"a%d-%d" % (count, size), b"a", xattrs=names + more)


def shared() -> Iterator[Node]:
    """Files that share extents, in chains, with attributes of their own, of several owners."""
    yield ROOT
    for number, size in enumerate((0, 1, 4096, 100_000)):
        yield file(b"source%d" % number, bytes([number + 1]) * size, xattrs=(label(),))
        for copy in range(number):
            path, near = b"copy%d-%d" % (number, copy), b"source%d" % number
            if copy:
                near = b"copy%d-%d" % (number, copy - 1)
            yield file(path, None, reflink=near, uid=copy, xattrs=(label(b"etc_t"),))
    many = sparse(b"many", 300)
    yield many
    yield file(b"many copy", None, reflink=b"many", xattrs=(label(),))


def wide(count: int, length: int = 0) -> Iterator[Node]:
    """One directory of many names, with links into it and out of it."""
    yield ROOT
    yield folder(b"wide")
    yield file(b"target", b"www", xattrs=(label(),))
    for each in range(count):
        name = b"wide/" + (b"%d" % each).rjust(length, b"l")
        yield file(name) if each % 100 == 0 else link(name, b"target")


def many_inodes(count: int) -> Iterator[Node]:
    """So many small files in directories of a thousand, each with a label."""
    yield ROOT
    for each in range(count):
        if each % 1000 == 0:
            yield folder(b"m%d" % (each // 1000), xattrs=(label(),))
        content = b"ab"[: each % 3]
        yield file(b"m%d/f%d" % (each // 1000, each), content, xattrs=(label(),))


def odd_names() -> Iterator[Node]:
    """Names of any bytes, and deep directories."""
    yield ROOT
    yield folder("dä€".encode())
    for each in range(60):
        name = "ñ漢字".encode() * (each % 15) + b"%d" % each + (b"\xff\xfe" if each % 3 == 0 else b"") + b"\n"
        yield file("dä€/".encode() + name, b"q" * each)
    yield from (file(bytes([byte])) for byte in range(1, 256) if byte not in b"./")
    path = b"deep"
    yield folder(path)
    for _ in range(300):
        path += b"/d"
        yield folder(path, xattrs=(label(),))
    yield file(path + b"/end", b"end")

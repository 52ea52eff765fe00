"""osmet files: what is packed is unpacked with the objects, and only with them."""

from __future__ import annotations

import lzma
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Extent, FileSource
from bootimg.disk.gpt import read_gpt
from bootimg.disk.xfs.read.volume import open_xfs
from bootimg.errors import BootimgError
from bootimg.live.bincode import number
from bootimg.live.osmet.fileformat import MAGIC, MappedPartition, Mapping, Osmet, encoded, read_osmet
from bootimg.live.osmet.mapping import Gaps, mapped_partitions
from bootimg.live.osmet.objects import disjoint
from bootimg.live.osmet.pack import pack_osmet, write_osmet
from bootimg.live.osmet.resolve import DiskObjects, RepositoryFolder
from bootimg.live.osmet.unpack import describe_osmet, unpack_osmet
from bootimg.sizes import KIB
from bootimg.untrusted.budget import Budget
from tests.support.live.metaldisk import BOOT, ROOT_AT, checksum, metal_disk, repository
from tests.support.xfs.xfsimages import SMALL
from tests.support.xfs.xfstrees import file, sparse

RANDOM = random.Random(7)
KERNEL = RANDOM.randbytes(100 * KIB) + bytes(20 * KIB) + RANDOM.randbytes(90 * KIB + 77)
OBJECTS = [KERNEL, b"", b"x", b"y" * 4096, RANDOM.randbytes(4097), RANDOM.randbytes(130 * KIB)]
DESCRIPTION, ARCHITECTURE = "Stand-in 9.6", "x86_64"


def make_disk(path: Path, sector: int) -> Path:
    """A disk whose /boot has the kernel in two pieces, with a gap, and without the zeros in its middle."""
    boot = {
        64 * KIB: RANDOM.randbytes(3 * KIB),
        70 * KIB: KERNEL[: 60 * KIB],
        200 * KIB: KERNEL[60 * KIB : 100 * KIB],
        400 * KIB: KERNEL[120 * KIB :],
        900 * KIB: KERNEL,
    }
    many = sparse(f"ostree/repo/objects/00/{'a' * 62}.file".encode(), 40, tail=100)
    nodes = [*repository([*OBJECTS, b"00 exists"]), file(b"other", RANDOM.randbytes(5000))]
    if not any(node.path == b"ostree/repo/objects/00" for node in nodes):
        nodes.append(replace(next(node for node in nodes if node.path == b"ostree"), path=many.path[:22]))
    return metal_disk(path, [*nodes, many], boot, sector=sector)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("disk") / "metal.raw", 512)


@pytest.fixture(scope="module")
def packed(disk: Path) -> Path:
    out = disk.with_suffix(".osmet")
    with FileSource(disk) as source:
        written = pack_osmet(source, out, description=DESCRIPTION, architecture=ARCHITECTURE)
    assert (written.size, written.sha256) == (out.stat().st_size, sha256(out.read_bytes()).hexdigest())
    return out


def digest_of(path: Path) -> str:
    with path.open("rb") as handle:
        return sha256(handle.read()).hexdigest()


def disk_objects(source: FileSource) -> DiskObjects:
    return DiskObjects(open_xfs(source, ROOT_AT, SMALL))


def test_the_disk_comes_back(disk: Path, packed: Path) -> None:
    with FileSource(disk) as source, disk.open("rb") as expected:
        for data in unpack_osmet(packed, disk_objects(source), Budget()):
            assert data == expected.read(len(data))
        assert not expected.read(1)
    assert packed.stat().st_size < 100 * KIB < len(KERNEL)


@pytest.mark.parametrize("sector", [512, 4096])
def test_objects_are_found_in_both_partitions(sector: int, tmp_path: Path) -> None:
    with FileSource(make_disk(tmp_path / "disk", sector)) as source:
        gpt = read_gpt(source)
        boot, root = mapped_partitions(source, gpt)
    assert gpt.sector_size == sector
    assert (boot.start, root.start, root.end) == (BOOT, ROOT_AT, ROOT_AT + SMALL)
    assert {each.checksum.hex() for each in boot.mappings} == {checksum(KERNEL)}
    found = [(each.physical // KIB, each.logical // KIB) for each in boot.mappings]
    assert found == [(70, 0), (200, 60), (400, 120), (900, 0)]
    assert boot.mappings[-1].length == len(KERNEL)
    whole = {checksum(content) for content in OBJECTS if content} | {"00" + "a" * 62, checksum(b"00 exists")}
    assert {each.checksum.hex() for each in root.mappings} == whole
    assert len([each for each in root.mappings if each.checksum.hex() == "00" + "a" * 62]) == 40


class Counted(FileSource):
    """A disk that counts how often it is read."""

    reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read(offset, length)


def test_very_many_objects_that_begin_alike(tmp_path: Path) -> None:
    """Not each of them is compared at each place."""
    alike, count, places = RANDOM.randbytes(4 * KIB), 300, 40
    objects = [alike + RANDOM.randbytes(KIB) for _ in range(count)]
    boot = {number * 16 * KIB: alike for number in range(places)}
    path = metal_disk(tmp_path / "disk", repository(objects), boot)
    with FileSource(path) as plain:
        gpt = read_gpt(plain)
    with Counted(path) as source:
        found, _ = mapped_partitions(source, gpt)
        assert source.reads < count * places / 2
    assert [(each.physical // KIB, each.length) for each in found.mappings] == [
        (number * 16, 4 * KIB) for number in range(places)
    ]


def test_a_known_checksum_gives_the_same_file(simple: Path, tmp_path: Path) -> None:
    """One thread or several, holes or zeros give the same bytes too."""
    image = b"".join(unpack_osmet(simple, repository_folder(tmp_path, OBJECTS), Budget()))
    digest = sha256(image).hexdigest()
    other = tmp_path / "other.osmet"
    write_osmet(
        Bytes(image, 512), describe_osmet(simple, Budget()), other, checksum=lambda: digest, threads=1
    )
    assert other.read_bytes() == simple.read_bytes()


def test_its_description_says_what_it_is(disk: Path, packed: Path) -> None:
    found = describe_osmet(packed, Budget()).as_dict()
    assert found["sector-size"] == 512
    assert (found["description"], found["architecture"]) == (DESCRIPTION, ARCHITECTURE)
    assert (found["size"], found["sha256"]) == (disk.stat().st_size, digest_of(disk))


def test_a_tail_that_is_not_zeros_is_packed(tmp_path: Path) -> None:
    """The kernel writes zeros after a file's end; whatever else is there must come back too."""
    path = metal_disk(tmp_path / "disk", repository([b"short"]))
    with FileSource(path) as source:
        [root] = mapped_partitions(source, read_gpt(source))
        [mapping] = root.absolute()
        patched = Composite(source, Patch(((mapping.physical + 50, b"left over"),)))
        [changed] = mapped_partitions(patched, read_gpt(source))
    assert mapping.length == 4096
    assert changed.mappings == [root.mappings[0]._replace(length=len(b"short"))]


class Bytes:
    """A disk in memory, whose zero pages are holes."""

    def __init__(self, data: bytes, page: int = 4096) -> None:
        self._data, self._page = data, page

    @property
    def size(self) -> int:
        return len(self._data)

    def extents(self) -> Iterator[Extent]:
        for at in range(0, self.size, self._page):
            part = self._data[at : at + self._page]
            yield Extent(at, len(part), data=any(part))

    def read(self, offset: int, length: int) -> bytes:
        assert offset + length <= self.size
        return self._data[offset : offset + length]


def described(partitions: Sequence[MappedPartition], size: int) -> Osmet:
    return Osmet(
        app_version="test",
        sector_size=512,
        description="ä",
        architecture="s390x",
        partitions=partitions,
        checksum=bytes(32),
        size=size,
    )


def repository_folder(folder: Path, contents: Sequence[bytes]) -> RepositoryFolder:
    for content in contents:
        name = checksum(content)
        path = folder / "objects" / name[:2] / f"{name[2:]}.file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return RepositoryFolder(folder)


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The osmet file of an image that has the objects one after the other, between other data."""
    image, mappings = RANDOM.randbytes(5000), []
    for content in filter(None, OBJECTS):
        length = -(-len(content) // 4096) * 4096
        mappings.append(Mapping(len(image), length, 0, bytes.fromhex(checksum(content))))
        image += content.ljust(length, b"\0") + RANDOM.randbytes(3000)
    osmet = described([MappedPartition(0, len(image), mappings)], len(image))
    return write_osmet(Bytes(image), osmet, tmp_path_factory.mktemp("simple") / "osmet").path


def test_a_repository_folder_has_the_objects(simple: Path, tmp_path: Path) -> None:
    image = b"".join(unpack_osmet(simple, repository_folder(tmp_path, OBJECTS), Budget()))
    assert sha256(image).digest() == describe_osmet(simple, Budget()).checksum


def test_bytes_after_an_objects_end_are_zeros(tmp_path: Path) -> None:
    """Also at places that no file can have."""
    name = bytes.fromhex(checksum(b"x"))
    mappings = [Mapping(0, 3, 0, name), Mapping(3, 3, 9, name), Mapping(6, 3, (1 << 64) - 1, name)]
    osmet = described([MappedPartition(0, 9, mappings)], 9)
    write_osmet(Bytes(b"x" + bytes(8)), osmet, tmp_path / "osmet")
    assert b"".join(
        unpack_osmet(tmp_path / "osmet", repository_folder(tmp_path, [b"x"]), Budget())
    ) == b"x" + bytes(8)


def test_an_object_that_is_a_link_is_not_followed(simple: Path, tmp_path: Path) -> None:
    objects = repository_folder(tmp_path, OBJECTS)
    name = checksum(KERNEL)
    path = tmp_path / "objects" / name[:2] / f"{name[2:]}.file"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BootimgError) as caught:
        list(unpack_osmet(simple, objects, Budget()))
    assert caught.value.id == "osmet-object-missing"


def test_an_object_that_is_missing_is_named(simple: Path, tmp_path: Path) -> None:
    objects = repository_folder(tmp_path, OBJECTS[1:])
    with pytest.raises(BootimgError, match=checksum(KERNEL)) as caught:
        list(unpack_osmet(simple, objects, Budget()))
    assert caught.value.id == "osmet-object-missing"


def test_an_object_that_was_changed_is_noticed(simple: Path, tmp_path: Path) -> None:
    objects = repository_folder(tmp_path, OBJECTS)
    name = checksum(KERNEL)
    (tmp_path / "objects" / name[:2] / f"{name[2:]}.file").write_bytes(KERNEL[:-1] + b"!")
    with pytest.raises(BootimgError) as caught:
        list(unpack_osmet(simple, objects, Budget()))
    assert caught.value.id == "osmet-image-differs"


@pytest.mark.parametrize("change", ["cut", "cut in the head", "xz", "more", "magic"])
def test_a_damaged_file_is_refused(change: str, simple: Path, tmp_path: Path) -> None:
    objects, data = repository_folder(tmp_path, OBJECTS), simple.read_bytes()
    head = len(encoded(describe_osmet(simple, Budget())))
    changed = {
        "cut": data[:-20],
        "cut in the head": data[: head - 40],
        "xz": data[: head + 100] + bytes((data[head + 100] ^ 1,)) + data[head + 101 :],
        "more": data + b"x",
        "magic": b"X" + data[1:],
    }[change]
    (tmp_path / "osmet").write_bytes(changed)
    with pytest.raises(BootimgError) as caught:
        list(unpack_osmet(tmp_path / "osmet", objects, Budget()))
    assert caught.value.id == "osmet-damaged"


def test_another_version_is_refused() -> None:
    with pytest.raises(BootimgError) as caught:
        read_osmet(BytesIO(MAGIC + b"\x02"), Budget())
    assert caught.value.id == "osmet-version-unsupported"


def test_a_count_of_mappings_that_are_not_there_takes_no_memory() -> None:
    partitions = [MappedPartition(0, 9, [Mapping(0, 9, 0, bytes(32))]), MappedPartition(9, 9, [])]
    data = encoded(described(partitions, 9))
    count = len(data) - 34
    assert data[count] == 0
    with pytest.raises(BootimgError, match="ends too early") as caught:
        read_osmet(BytesIO(data[:count] + number(1 << 60) + data[count + 1 :]), Budget())
    assert caught.value.id == "osmet-damaged"


def test_a_disk_without_a_repository_is_refused(tmp_path: Path) -> None:
    disk = metal_disk(tmp_path / "disk", [next(iter(repository([])))])
    with FileSource(disk) as source, pytest.raises(BootimgError, match="it has no /ostree") as caught:
        pack_osmet(source, tmp_path / "osmet", description=DESCRIPTION, architecture=ARCHITECTURE)
    assert caught.value.id == "root-filesystem-unreadable"
    assert not (tmp_path / "osmet").exists()


class Contents:
    """Objects in memory."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self._contents = contents

    def read(self, checksum: str, offset: int, length: int) -> bytes:
        return self._contents[checksum][offset : offset + length]


_pages = st.lists(st.one_of(st.just(bytes(64)), st.binary(min_size=64, max_size=64)), min_size=1, max_size=40)


@st.composite
def images(draw: st.DrawFn) -> tuple[bytes, list[MappedPartition], dict[str, bytes]]:
    """An image, mappings in two partitions, and the objects, each somewhere in a longer content."""
    data = b"".join(draw(_pages))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), min_size=4, max_size=24)))
    middle = draw(st.integers(0, len(cuts) - 1))
    halves = [(cuts[0], cuts[middle]), (cuts[middle], cuts[-1])]
    partitions: list[MappedPartition] = []
    objects: dict[str, bytes] = {}
    for start, end in halves:
        mappings = []
        inside = [cut for cut in cuts if start <= cut <= end]
        for low, high in [*pairwise(inside)][:: draw(st.integers(1, 2))]:
            before = draw(st.binary(max_size=9))
            content = before + data[low:high].rstrip(b"\0")
            name = sha256(content + bytes((len(objects),))).digest()
            objects[name.hex()] = content
            mappings.append(Mapping(low - start, high - low, len(before), name))
        partitions.append(MappedPartition(start, end, mappings))
    return data, partitions, objects


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(image=images(), page=st.sampled_from((64, 128, 1000)))
def test_any_image_comes_back(
    image: tuple[bytes, list[MappedPartition], dict[str, bytes]], page: int, tmp_path: Path
) -> None:
    data, partitions, objects = image
    osmet = described(partitions, len(data))
    written = write_osmet(Bytes(data, page), osmet, tmp_path / "osmet", threads=1)
    assert b"".join(unpack_osmet(written.path, Contents(objects), Budget())) == data
    found = describe_osmet(written.path, Budget())
    assert found == replace(osmet, checksum=sha256(data).digest())
    head = encoded(found)
    packed = (tmp_path / "osmet").read_bytes()[len(head) :]
    rest = len(data) - sum(each.length for each in osmet.absolute())
    assert len(lzma.decompress(packed)) == rest


_mappings = st.builds(
    Mapping,
    st.integers(0, 200),
    st.integers(1, 60),
    st.integers(0, 9),
    st.binary(min_size=1, max_size=1),
)


@given(st.lists(_mappings, max_size=30))
def test_overlapping_mappings_become_disjoint(mappings: list[Mapping]) -> None:
    """Every byte that a mapping has keeps one, with the object's byte that some mapping had for it."""
    found = disjoint(mappings)
    assert all(before.end <= after.physical for before, after in pairwise(found))
    wanted = {
        (at, at - each.physical + each.logical, each.checksum) for each in mappings for at in places(each)
    }
    kept = [(at, at - each.physical + each.logical, each.checksum) for each in found for at in places(each)]
    assert set(kept) <= wanted
    assert {at for at, _, _ in kept} == {at for at, _, _ in wanted}


@given(st.lists(_mappings, max_size=30), st.lists(st.integers(0, 300), max_size=10))
def test_gaps_are_what_mappings_leave(mappings: list[Mapping], cuts: list[int]) -> None:
    found, gaps = disjoint(mappings), None
    gaps = Gaps(found)
    ends = [0, *sorted(cuts), 300]
    left = [
        at
        for low, high in pairwise(ends)
        for start, end in gaps.within(low, high)
        for at in range(start, end)
    ]
    covered = {at for each in found for at in places(each)}
    assert left == [at for at in range(300) if at not in covered]


def places(mapping: Mapping) -> range:
    return range(mapping.physical, mapping.end)

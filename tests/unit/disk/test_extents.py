import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.disk.extents import Extent, FileSource, copy_sparse, is_zero
from bootimg.sizes import MIB

BLOCK = 4096
ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), max_size=6)


def sparse(path: Path, size: int, data: list[tuple[int, bytes]]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, content in data:
            file.seek(offset)
            file.write(content)
    return path


def has_holes(folder: Path) -> bool:
    path = sparse(folder / "probe", 16 * MIB, [])
    with FileSource(path) as source:
        return list(source.extents()) == [Extent(0, 16 * MIB, data=False)]


def test_data_and_holes_are_distinguished(tmp_path: Path) -> None:
    if not has_holes(tmp_path):
        pytest.skip("this filesystem does not report holes")
    path = sparse(tmp_path / "disk", 8 * MIB, [(MIB, b"x" * BLOCK), (6 * MIB, b"y" * BLOCK)])
    with FileSource(path) as source:
        found = list(source.extents())
    assert [(each.offset, each.length) for each in found if each.data] == [(MIB, BLOCK), (6 * MIB, BLOCK)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(blocks=ranges, tail=st.integers(0, BLOCK))
def test_extents_cover_the_file_and_holes_are_zero(
    tmp_path: Path, blocks: list[tuple[int, int]], tail: int
) -> None:
    size = 70 * BLOCK + tail
    path = sparse(tmp_path / "disk", size, [(at * BLOCK, b"d" * (n * BLOCK)) for at, n in blocks])
    content = path.read_bytes()
    with FileSource(path) as source:
        found = list(source.extents())
    assert sum(each.length for each in found) == size
    position = 0
    for extent in found:
        assert extent.offset == position
        position = extent.end
        assert extent.data or not any(content[extent.offset : extent.end])


def test_without_seek_hole_all_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sparse(tmp_path / "disk", MIB, [])

    def refused(fd: int, offset: int, whence: int) -> int:
        raise OSError(22, "Invalid argument")

    with FileSource(path) as source, monkeypatch.context() as patch:
        patch.setattr("bootimg.disk.extents.os.lseek", refused)
        assert list(source.extents()) == [Extent(0, MIB, data=True)]


def test_copy_keeps_content_and_makes_holes_of_zeros(tmp_path: Path) -> None:
    data = [(MIB, bytes(2 * MIB)), (5 * MIB + 100, b"end")]
    path = sparse(tmp_path / "disk", 9 * MIB + 7, data)
    with FileSource(path) as source:
        copy_sparse(source, tmp_path / "copy")
        copy_sparse(source, tmp_path / "part", offset=5 * MIB, length=4096)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    assert (tmp_path / "part").read_bytes() == path.read_bytes()[5 * MIB : 5 * MIB + 4096]
    if has_holes(tmp_path):
        assert os.stat(tmp_path / "copy").st_blocks * 512 <= MIB  # noqa: PTH116


@pytest.mark.parametrize("length", [0, 1, 4096, MIB, 3 * MIB + 5])
def test_zeros_are_recognised(length: int) -> None:
    assert is_zero(bytes(length)) and is_zero(memoryview(bytes(length)))
    for at in {0, length // 2, length - 1} if length else ():
        assert not is_zero(bytes(at) + b"\1" + bytes(length - at - 1))


def test_reading_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    with FileSource(sparse(tmp_path / "disk", 100, [])) as source, pytest.raises(EOFError):
        source.read(90, 20)

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bootimg.disk.bootpatch import Patch
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Extent, FileSource

BLOCK = 4096
BLOCKS = 40


@st.composite
def disks(draw: st.DrawFn) -> tuple[bytes, list[bool], Patch, int]:
    present = draw(st.lists(st.booleans(), min_size=BLOCKS, max_size=BLOCKS))
    tail = draw(st.integers(0, BLOCK - 1))
    base = b"".join((b"b" if here else b"\0") * BLOCK for here in present) + b"\0" * tail
    indices = draw(st.lists(st.integers(0, BLOCKS - 1), unique=True, max_size=8))
    patch = Patch(tuple((index * BLOCK, bytes([index + 1]) * BLOCK) for index in indices))
    return base, present, patch, len(base) + draw(st.integers(0, 3 * BLOCK))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    disk=disks(), reads=st.lists(st.tuples(st.integers(0, 44 * BLOCK), st.integers(0, 9 * BLOCK)), max_size=8)
)
def test_it_equals_a_plain_copy_with_the_patch_written_in(
    tmp_path: Path,
    disk: tuple[bytes, list[bool], Patch, int],
    reads: list[tuple[int, int]],
) -> None:
    base, present, patch, size = disk
    path = tmp_path / "base"
    with path.open("wb") as file:
        file.truncate(len(base))
        for index, here in enumerate(present):
            if here:
                file.seek(index * BLOCK)
                file.write(b"b" * BLOCK)
    model = bytearray(base.ljust(size, b"\0"))
    for offset, data in patch.blocks:
        model[offset : offset + len(data)] = data
    with Composite(path, patch, size) as composite:
        assert composite.size == size
        assert composite.read(0, size) == model
        for offset, length in reads:
            low, high = min(offset, size), min(offset + length, size)
            assert composite.read(low, high - low) == model[low:high]
        check_extents(list(composite.extents()), model)


def check_extents(extents: list[Extent], model: bytearray) -> None:
    position = 0
    for before, extent in zip([None, *extents], extents, strict=False):
        assert extent.offset == position
        assert extent.length > 0
        assert before is None or before.data != extent.data
        position = extent.end
        assert extent.data or not any(model[extent.offset : extent.end])
    assert position == len(model)


def test_a_patched_range_in_a_hole_is_data_and_the_tail_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "base"
    with path.open("wb") as file:
        file.truncate(64 * BLOCK)
    with FileSource(path) as source:
        if any(extent.data for extent in source.extents()):
            pytest.skip("this filesystem does not report holes")
    with Composite(path, Patch(((8 * BLOCK, b"p" * BLOCK),)), 100 * BLOCK) as composite:
        assert list(composite.extents()) == [
            Extent(0, 8 * BLOCK, data=False),
            Extent(8 * BLOCK, BLOCK, data=True),
            Extent(9 * BLOCK, 91 * BLOCK, data=False),
        ]


def test_a_source_as_base_stays_open(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"a" * BLOCK)
    with FileSource(tmp_path / "base") as source:
        with Composite(source, Patch()) as composite:
            assert composite.read(0, 3) == b"aaa"
        assert source.read(0, 3) == b"aaa"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base"
    path.write_bytes(bytes(4 * BLOCK))
    for patch, size in (
        (Patch(), BLOCK),
        (Patch(((4 * BLOCK, b"x" * BLOCK),)), None),
        (Patch(((0, b"x" * BLOCK), (10, b"x" * BLOCK))), None),
    ):
        with pytest.raises(ValueError, match=r"fit|overlap"):
            Composite(path, patch, size)
    with Composite(path) as composite, pytest.raises(EOFError):
        composite.read(4 * BLOCK, 1)

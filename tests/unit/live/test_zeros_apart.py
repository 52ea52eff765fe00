"""Runs of zeros become blocks of their own, the same however they are given."""

from __future__ import annotations

import lzma
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.formats.compression import xzwrite
from bootimg.formats.compression.xzwrite import XzCodec
from bootimg.live.osmet import zerosapart
from bootimg.live.osmet.zerosapart import ZerosApart

UNIT, BLOCK = 64, 256


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of some bytes, so that the streams of the tests have many."""
    with pytest.MonkeyPatch.context() as patch:
        xzwrite._zero_block.cache_clear()
        patch.setattr(xzwrite, "BLOCK", BLOCK)
        patch.setattr(xzwrite, "SMALL_BLOCK", UNIT)
        patch.setattr(zerosapart, "SMALL_BLOCK", UNIT)
        yield
    xzwrite._zero_block.cache_clear()


def packed(parts: list[bytes | int]) -> bytes:
    """The stream of data, and of zeros by their number."""
    out: list[bytes] = []
    with XzCodec(out.append, 2) as codec:
        stream = ZerosApart(codec)
        for part in parts:
            if isinstance(part, int):
                stream.skip(part)
            else:
                stream.write(part)
        stream.finish()
    return b"".join(out)


_parts = st.lists(st.one_of(st.integers(0, 700), st.binary(max_size=200)), max_size=12)


@settings(max_examples=50)
@given(_parts)
def test_the_stream_comes_back_however_zeros_are_given(parts: list[bytes | int]) -> None:
    plain = b"".join(bytes(part) if isinstance(part, int) else part for part in parts)
    found = packed(parts)
    assert lzma.decompress(found) == plain
    assert packed([plain]) == found


def test_zeros_are_not_compressed_with_data() -> None:
    """Two blocks of data and, between them, one large and two small ones of zeros."""
    found = packed([b"x" * UNIT, BLOCK + 2 * UNIT + 5, b"y"])
    index = (int.from_bytes(found[-8:-4], "little") + 1) * 4
    assert found[-12 - index + 1] == 5

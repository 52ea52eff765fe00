"""Deflate: what shrinks is deflated, what does not is stored, and any inflater reads both."""

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.formats.compression import deflate
from bootimg.sizes import KIB

Piece = tuple[bool, int, int]


def made(pieces: list[Piece]) -> bytes:
    """Runs of (random, length, seed): noise, or words."""
    parts = []
    for noise, length, seed in pieces:
        source = random.Random(seed)
        parts.append(source.randbytes(length) if noise else b"%d " % seed * (length // 2))
    return b"".join(parts)


PIECES = st.lists(st.tuples(st.booleans(), st.integers(0, 90 * KIB), st.integers(0, 9)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(PIECES, PIECES, st.sampled_from([12, 15]))
def test_what_was_deflated_inflates(first: list[Piece], second: list[Piece], window: int) -> None:
    one, other = made(first), made(second)
    stream = deflate.raw(one, window=window) + deflate.raw(other, one[-4096:], last=True, window=window)
    inflater = zlib.decompressobj(-window)
    assert inflater.decompress(stream) == one + other
    assert inflater.eof
    assert not inflater.unused_data
    assert zlib.decompress(deflate.wrapped(one)) == one


@pytest.mark.parametrize("length", [32 * KIB, 64 * KIB, 65535, 65536 + 1, 128 * KIB])
@pytest.mark.parametrize("last", [False, True])
def test_noise_is_stored(length: int, last: bool) -> None:
    data = random.Random(length).randbytes(length)
    assert len(deflate.raw(data, last=last)) == length + 5 * -(-length // 65535)


def test_a_block_of_which_a_part_shrinks_is_deflated() -> None:
    noise = random.Random(1).randbytes(96 * KIB)
    assert len(deflate.raw(noise + bytes(32 * KIB))) < 97 * KIB
    assert len(deflate.raw(bytes(32 * KIB) + noise)) < 97 * KIB


def test_it_stays_close_to_zlib_where_half_is_dense() -> None:
    source = random.Random(7)
    blocks = [source.randbytes(128 * KIB) if n % 2 else b"%d " % n * 40000 for n in range(20)]
    ours = sum(len(deflate.raw(block)) for block in blocks)
    assert ours <= 1.03 * sum(len(zlib.compress(block, 6)) for block in blocks)

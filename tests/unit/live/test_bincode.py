"""bincode's integers and texts."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.live.bincode import Decoder, blob, number, text
from bootimg.live.malformed import MalformedError

MOST = (1 << 64) - 1
# As bincode's documentation of VarintEncoding says.
KNOWN = {
    0: "00",
    250: "fa",
    251: "fbfb00",
    65535: "fbffff",
    65536: "fc00000100",
    (1 << 32) - 1: "fcffffffff",
    1 << 32: "fd0000000001000000",
}


@pytest.mark.parametrize("value", KNOWN)
def test_integers_have_the_documented_form(value: int) -> None:
    assert number(value).hex() == KNOWN[value]


@given(st.integers(0, MOST), st.text(max_size=80), st.binary(max_size=300))
def test_what_is_written_is_read(value: int, line: str, data: bytes) -> None:
    decoder = Decoder(BytesIO(number(value) + text(line) + blob(data)))
    assert decoder.number(MOST) == value
    assert decoder.text(4 * 80) == line
    assert decoder.blob(300) == data


@pytest.mark.parametrize("data", [b"", b"\xfb\x01", b"\xfe" + bytes(16), b"\xff", b"\x05"])
def test_other_integers_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Decoder(BytesIO(data)).number(4)


@pytest.mark.parametrize("data", [b"\x02a", b"\x01\xff", b"\x09123456789"])
def test_other_texts_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Decoder(BytesIO(data)).text(8)

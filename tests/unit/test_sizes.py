"""Sizes and durations as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bootimg.errors import BootimgError
from bootimg.printable import shown
from bootimg.sizes import parse_duration, parse_size


def test_sizes_and_durations() -> None:
    assert [parse_size(text) for text in ("4096", " 10G ", "1 MiB", "1k")] == [4096, 10 << 30, 1 << 20, 1024]
    assert [parse_duration(text) for text in ("90s", "2h")] == [90, 7200]


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize(
    "text", ["9" * 5000, "9" * 5000 + "s", "\u0661s", "\u0661G", "", "-1s", "1\x1b[2J", "8388608T"]
)
def test_what_is_none_is_refused_in_few_words(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(BootimgError) as error:
        parse(text)
    assert error.value.id in ("size-malformed", "duration-malformed")
    assert len(error.value.message) < 200


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *(
            ("a", "'a'"),
            (None, "None"),
            (12, "12"),
            (-(1 << 64), "a huge number"),
            (1 << 100_000, "a huge number"),
        ),
        *(
            ([1], "a list"),
            ({1: 2}, "an object"),
            ({1}, "a list"),
            (b"\xff", r"b'\xff'"),
            ("\x1b", r"'\x1b'"),
        ),
    ],
    ids=range(10),
)
def test_a_value_is_shown_in_few_words(value: object, words: str) -> None:
    assert shown(value) == words
    assert len(shown("x" * 1000)) <= 80

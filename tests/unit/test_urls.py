"""Names in URLs: quoted where a URL is made, unquoted once where it is read."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.urls import joined, name_in, quoted

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: "/" not in name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("9.6.20250203-0", "9.6.20250203-0"),
        ("4.20+2", "4.20%2B2"),
        ("a^b~c@d:e", "a%5Eb~c%40d%3Ae"),
        ("a?b#c%d e", "a%3Fb%23c%25d%20e"),
        ("a/b+c", "a/b%2Bc"),
        # A name of a file that is no text.
        ("a\udcff", "a%FF"),
    ],
)
def test_only_unreserved_characters_stay(name: str, written: str) -> None:
    assert quoted(name) == written


@given(NAMES)
def test_a_name_is_read_back_as_it_was(name: str) -> None:
    url = joined("https://example.com/a", f"b/{name}")
    assert name_in(url) == name
    assert urlsplit(url)[:2] == ("https", "example.com")
    assert urlsplit(url)[3:] == ("", "")

"""Names in URLs: quoted where a URL is made, unquoted once where it is read."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit


def quoted(path: str) -> str:
    """A path of plain names as a URL has it.

    Only letters, digits and `-._~` stay (RFC 3986).  S3 reads a bare `+` of a path as a blank, and `:`, `?`
    or `#` in a name would make a scheme, a query or a fragment of it.
    """
    return "/".join(quote(part, safe="") for part in path.split("/"))


def joined(base: str, path: str) -> str:
    """The URL of a path of plain names below the URL `base`, which is taken as it is."""
    return f"{base}/{quoted(path)}"


def name_in(url: str) -> str:
    """The plain name of the file that a URL is of; empty where it is of none."""
    return unquote(urlsplit(url).path.rpartition("/")[2])

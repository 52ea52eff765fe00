"""Names in URLs: quoted where a URL is made, unquoted once where it is read."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit


def quoted(path: str) -> str:
    """A path of plain names, quoted for a URL.

    Only letters, digits and `-._~` stay unquoted (RFC 3986).  S3 reads a bare `+` in a path as a blank, and
    `:`, `?` or `#` in a name would begin a scheme, a query or a fragment.
    """
    # Names of files may be bytes that are no text.
    return "/".join(quote(part.encode(errors="surrogateescape"), safe="") for part in path.split("/"))


def joined(base: str, path: str) -> str:
    """The URL of a path of plain names below the URL `base`, which stays unchanged."""
    return f"{base}/{quoted(path)}"


def name_in(url: str) -> str:
    """The plain name of a URL's file; empty if the URL names no file."""
    return unquote(urlsplit(url).path.rpartition("/")[2])

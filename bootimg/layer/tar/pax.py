"""What the extension members of a tar declare for the members after them: pax records and GNU long names.

Formats: POSIX.1-2008 pax (`x` and `g` records) and GNU tar's `L` and `K` types.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bootimg.layer.tar.damaged import decimal, malformed_tar, text_of

EXTENSIONS = (b"x", b"g", b"L", b"K")
"""The types of members that describe others."""
MAX_HEADER = 1 << 20
"""The most bytes of one pax record block or long name; xattrs have at most 64 KiB each."""
MAX_RECORDS = 1000
"""The most pax records of one file, and of all files together."""
XATTR = "SCHILY.xattr."
SPARSE = "GNU.sparse."
_LONGEST_NUMBER = 20
_READ = ("path", "linkpath", "size", "uid", "gid", "mtime")
Xattrs = tuple[tuple[str, bytes], ...]


@dataclass
class Records:
    """What extension members declare for the next member (`shared`: for all members after them).

    Records that nobody reads are left out: those of all files would be looked at for each file.
    """

    pax: dict[str, bytes] = field(default_factory=dict)
    name: bytes | None = None
    link: bytes | None = None
    shared: dict[str, bytes] = field(default_factory=dict)
    _keys: set[bytes] = field(default_factory=set)

    def take(self, kind: bytes, body: bytes) -> None:
        """Take over the content of an extension member."""
        if kind == b"x":
            self.pax = _wanted(_pax(body))
        elif kind == b"g":
            found = _pax(body)
            self._keys |= found.keys()
            if len(self._keys) > MAX_RECORDS:
                raise malformed_tar(f"more than {MAX_RECORDS} records for all files")
            self.shared |= _wanted(found)
        elif kind == b"L":
            self.name = body.rstrip(b"\0")
        else:
            self.link = body.rstrip(b"\0")

    def next(self) -> Records:
        """What holds for the member after the next one."""
        return Records(shared=self.shared, _keys=self._keys)

    @property
    def merged(self) -> dict[str, bytes]:
        """The records of the next member."""
        return {**self.shared, **self.pax} if self.shared else self.pax


def xattrs_of(pax: dict[str, bytes]) -> Xattrs:
    """The extended attributes in a member's records, in order."""
    found = [(key[len(XATTR) :], value) for key, value in pax.items() if key.startswith(XATTR)]
    return tuple(sorted(found))


def seconds(text: bytes) -> int:
    """Whole seconds since 1970; 0 for a time before that."""
    whole = text.partition(b".")[0]
    return 0 if whole.startswith(b"-") else decimal(whole or b"0")


def _wanted(records: dict[bytes, bytes]) -> dict[str, bytes]:
    texts = ((text_of(key), value) for key, value in records.items())
    return {key: value for key, value in texts if key in _READ or key.startswith((XATTR, SPARSE))}


def _pax(body: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at, end = 0, len(body.rstrip(b"\0"))
    for _ in range(MAX_RECORDS + 1):
        if at >= end:
            return records
        # A length has few digits; without a bound each search could run to the end.
        blank = body.find(b" ", at, at + _LONGEST_NUMBER)
        if blank < 0:
            raise malformed_tar("a pax record without a length")
        size = decimal(body[at:blank])
        key, equals, value = body[blank + 1 : at + size].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise malformed_tar("a pax record without `=` or newline")
        records[key] = value[:-1]
        at += size
    raise malformed_tar(f"more than {MAX_RECORDS} records in one header")

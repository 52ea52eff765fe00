"""Random trees for hypothesis, with the odd sizes where XFS changes its structures."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from bootimg.disk.filetree import Kind, Node
from tests.support.xfs.xfstrees import NOBODY, same_hash, sparse

_plain = st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"0"))
_names = st.one_of(
    _plain, st.integers(0, 4095).map(same_hash), st.integers(1, 255).map(lambda size: b"n" * size)
).filter(lambda name: name not in (b".", b".."))
_sizes = st.sampled_from((0, 1, 10, 141, 142, 200, 255, 256, 1000, 3060, 3064, 3065, 4040, 4041, 9000, 65536))
_values = st.one_of(st.binary(max_size=300), _sizes.map(lambda size: b"v" * size))
_prefixes = st.sampled_from((b"user.", b"trusted.", b"security."))
# hypothesis also draws constants of the tested modules, and XFS reserves these names.
_pairs = st.tuples(_prefixes, _names).filter(lambda pair: not pair[1].startswith(b"SGI_"))
_xattrs = st.dictionaries(_pairs, _values, max_size=6).map(
    lambda found: tuple((prefix + name, value) for (prefix, name), value in found.items())
)
_times = st.integers(-(2**31) * 10**9, 2 * 10**18)
_owners = st.sampled_from((0, 1000, 65534, NOBODY))
_contents = st.one_of(
    st.binary(max_size=50),
    st.sampled_from((4095, 4096, 4097, 20_000, 131_072, 131_073)).map(lambda size: b"c" * size),
)
_counts = st.sampled_from((0, 1, 5, 20, 37, 39, 40, 160, 170, 400, 500, 1000))
HUGE = st.sampled_from((10_000, 50_000))
_depths = st.sampled_from((0, 0, 0, 0, 1, 30, 200))
_lengths = st.one_of(st.sampled_from((1, 190, 192, 193, 328, 336, 337, 1023)), st.integers(1, 1023))
_targets = st.builds(
    lambda start, size: start.replace(b"\0", b"/")[:size].ljust(size, b"t"),
    st.binary(max_size=100),
    _lengths,
)
_kinds = st.sampled_from((*Kind, Kind.FILE, Kind.FILE, Kind.DIRECTORY))


@st.composite
def trees(draw: st.DrawFn, most: int = 40, counts: st.SearchStrategy[int] = _counts) -> list[Node]:
    """The nodes of a random tree, the root first.

    `counts` gives how many files there are in a directory beside its random ones.
    """
    nodes = [Node(path=b"", kind=Kind.DIRECTORY, mode=0o755, xattrs=draw(_xattrs))]
    folders, files, paths = [b""], list[Node](), {b""}
    for _ in range(draw(st.integers(0, most))):
        where = draw(st.sampled_from(folders))
        path = where + b"/" + draw(_names) if where else draw(_names)
        if path in paths:
            continue
        paths.add(path)
        node = _node(draw, path, draw(_kinds), files)
        nodes.append(node)
        if node.kind is Kind.DIRECTORY:
            folders.append(path)
            crowd = _crowd(path, draw(counts), draw(st.integers(5, 200)))
            chain = list(_chain(path, draw(_depths)))
            nodes += crowd + chain
            paths |= {each.path for each in crowd + chain}
            folders += [each.path for each in chain[-1:]]
        elif node.kind is Kind.FILE:
            files.append(node)
    return nodes


def _crowd(path: bytes, count: int, length: int) -> list[Node]:
    """Many files in a directory."""
    names = ((b"#%d" % each).ljust(length, b"l") for each in range(count))
    return [Node(path=path + b"/" + name, kind=Kind.FIFO, mode=0o600) for name in names]


def _chain(path: bytes, depth: int) -> Iterator[Node]:
    """Directories within each other."""
    for _ in range(depth):
        path += b"/d"
        yield Node(path=path, kind=Kind.DIRECTORY, mode=0o700)


def _node(draw: st.DrawFn, path: bytes, kind: Kind, files: list[Node]) -> Node:
    if kind is Kind.HARD_LINK and files:
        return Node(path=path, kind=kind, target=draw(st.sampled_from(files)).path)
    kind = Kind.FILE if kind is Kind.HARD_LINK else kind
    return Node(
        path=path,
        kind=kind,
        mode=draw(st.sampled_from((0o644, 0o4755, 0o1777, 0))),
        uid=draw(_owners),
        gid=draw(_owners),
        mtime=draw(_times),
        xattrs=draw(_xattrs),
        target=draw(_targets) if kind is Kind.SYMLINK else b"",
        device=(draw(st.integers(0, 511)), draw(st.integers(0, 0x3FFFF))) if "device" in kind else (0, 0),
        immutable=kind is Kind.FILE and draw(st.booleans()),
        **_content(draw, kind, files),  # type: ignore[arg-type]
    )


def _content(draw: st.DrawFn, kind: Kind, files: list[Node]) -> dict[str, object]:
    if kind is not Kind.FILE:
        return {}
    match draw(st.sampled_from(("plain", "plain", "sparse", "shared", "hole"))):
        case "sparse":
            node = sparse(b"", draw(st.sampled_from((1, 5, 18, 22, 300))))
            return {"content": node.content, "size": node.size, "data": node.data}
        case "shared" if files:
            return {"reflink": draw(st.sampled_from(files)).path}
        case "hole":
            return {"size": draw(st.integers(0, 100_000))}
    content = draw(_contents)
    return {"content": content, "size": len(content)}

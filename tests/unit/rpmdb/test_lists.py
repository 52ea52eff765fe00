"""Lists of packages, in oc's form and in the full one, and the folder they are kept in."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.errors import BootimgError
from bootimg.rpmdb.listcache import ListCache
from bootimg.rpmdb.lists import all_versions, difference, dump_list, in_order, parse_list, versions
from bootimg.rpmdb.package import Package

DIGEST = "sha256:" + "ab" * 32
OLD = [
    Package("kernel", 0, "5.14.0", "572.el9", "x86_64"),
    Package("kernel", 0, "5.14.0", "1000.el9", "x86_64"),
    Package("glibc", None, "2.34", "60.el9", "x86_64"),
    Package("glibc", None, "2.34", "60.el9", "i686"),
    Package("grub2", 1, "2.06", "80.el9", "x86_64"),
    Package("tool", None, "1", "1", "noarch"),
    Package("gpg-pubkey", None, "fd431d51", "4ae0493b", None),
]
NEW = [
    Package("kernel", None, "5.14.0", "1000.el9", "x86_64"),
    Package("glibc", None, "2.34", "60.el9", "x86_64"),
    Package("grub2", 1, "2.06", "81.el9", "x86_64"),
    Package("tool", None, "1", "1", "x86_64"),
    Package("vim", 2, "9", "1", "x86_64"),
]


def test_oc_s_list_has_the_newest_of_each_name() -> None:
    assert versions(in_order(OLD)) == {
        "glibc": "2.34-60.el9",
        "grub2": "1:2.06-80.el9",
        "kernel": "5.14.0-1000.el9",
        "tool": "1-1",
    }


def test_the_full_list_has_every_package() -> None:
    assert all_versions(in_order(OLD)) == {
        "glibc": ["2.34-60.el9.i686", "2.34-60.el9.x86_64"],
        "grub2": ["1:2.06-80.el9.x86_64"],
        "kernel": ["5.14.0-572.el9.x86_64", "5.14.0-1000.el9.x86_64"],
        "tool": ["1-1.noarch"],
    }


def test_oc_s_difference_field_by_field() -> None:
    found = difference(versions(in_order(OLD)), versions(in_order(NEW)))
    assert found == {
        "changed": {"grub2": {"old": "1:2.06-80.el9", "new": "1:2.06-81.el9"}},
        "added": {"vim": "2:9-1"},
    }


def test_the_full_difference_sees_architectures_and_second_kernels() -> None:
    found = difference(all_versions(in_order(OLD)), all_versions(in_order(NEW)))
    assert set(found["changed"]) == {"glibc", "grub2", "kernel", "tool"}
    assert found["changed"]["kernel"] == {
        "old": ["5.14.0-572.el9.x86_64", "5.14.0-1000.el9.x86_64"],
        "new": ["5.14.0-1000.el9.x86_64"],
    }
    assert found["changed"]["tool"] == {"old": ["1-1.noarch"], "new": ["1-1.x86_64"]}
    assert found["added"] == {"vim": ["2:9-1.x86_64"]}


MAPS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("12"))


@given(MAPS, MAPS)
def test_a_difference_turns_one_into_the_other(old: dict[str, str], new: dict[str, str]) -> None:
    found = difference(old, new)
    assert (found == {}) == (old == new)
    made = {name: value for name, value in old.items() if name not in found.get("removed", {})}
    made |= {name: each["new"] for name, each in found.get("changed", {}).items()} | found.get("added", {})
    assert made == new


def test_what_is_kept_is_what_node_images_have() -> None:
    rows = json.loads(dump_list(in_order(NEW)))["rpmdb.pkglist"]
    assert rows[0] == ["glibc", "0", "2.34", "60.el9", "x86_64"]
    assert rows[-1] == ["vim", "2", "9", "1", "x86_64"]


def test_a_kept_list_says_the_same() -> None:
    found = parse_list(dump_list(in_order(OLD)), "x")
    assert versions(found) == versions(in_order(OLD))
    assert all_versions(found) == all_versions(OLD)


def test_of_several_in_a_kept_list_the_last_counts_as_for_oc() -> None:
    rows = [
        ["k", "0", "2", "1", "a"],
        ["k", "0", "1", "1", "a"],
        ["gpg-pubkey", "(none)", "1", "1", "(none)"],
    ]
    assert versions(parse_list(json.dumps({"rpmdb.pkglist": rows}).encode(), "x")) == {"k": "1-1"}


ROW: Any = st.lists(st.text(max_size=3) | st.integers() | st.none(), max_size=6)


def test_an_empty_architecture_is_none() -> None:
    (found,) = parse_list(b'{"rpmdb.pkglist": [["a", "0", "1", "1", ""]]}', "x")
    assert (found.arch, found.evra) == (None, "1-1")


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner), max_leaves=4)
    .map(lambda made: json.dumps({"rpmdb.pkglist": made}).encode())
    | st.lists(ROW).map(lambda rows: json.dumps({"rpmdb.pkglist": rows}).encode())
)  # fmt: skip
def test_any_list_is_read_or_refused(data: bytes) -> None:
    try:
        assert all(each.name and each.version for each in parse_list(data, "there"))
    except BootimgError as error:
        assert error.id == "rpmdb-list-malformed"
        assert "there" in error.message


def test_a_nested_list_is_refused() -> None:
    with pytest.raises(BootimgError):
        parse_list(b"[" * 200_000, "x")


def test_the_folder_has_oc_s_layout(tmp_path: Path) -> None:
    lists = ListCache(tmp_path / "made")
    with lists.locked():
        assert lists.load(DIGEST) is None
        lists.store(DIGEST, in_order(NEW))
    assert [path.name for path in lists.folder.iterdir()] == ["sha256_" + "ab" * 32]
    assert lists.load(DIGEST) == parse_list(dump_list(in_order(NEW)), "")


def test_the_error_names_an_invalid_list(tmp_path: Path) -> None:
    (tmp_path / DIGEST.replace(":", "_")).write_text("{}")
    with pytest.raises(BootimgError, match=DIGEST.replace(":", "_")):
        ListCache(tmp_path).load(DIGEST)


def test_readers_lock_the_folder_as_oc_does(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with ListCache(tmp_path).locked(), pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)

"""Writers of one meta.json or builds.json, in any order and at any moment, lose nothing of each other's."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds.bucket.jsonstore import Stored, update
from bootimg.builds.index import insert_build, listed, read_index
from bootimg.builds.merge import STAMP, merged, with_images
from bootimg.builds.meta import MetaFile
from bootimg.errors import BootimgError

Json = dict[str, Any]
NAMES = ("qemu", "aws", "metal", "gcp")
REGIONS = ("us-east-1", "eu-west-1", "sa-east-1")


def image(number: int) -> Json:
    packed = {"uncompressed-size": 9} if number % 2 else {}
    return {"path": f"f{number}", "sha256": f"{number:064x}", "size": number, **packed}


entries = st.integers(0, 9).map(image)
regions: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"name": st.sampled_from(REGIONS), "hvm": st.text("ab", min_size=1)}
)
optional: dict[str, st.SearchStrategy[Any]] = {
    "images": st.dictionaries(st.sampled_from(NAMES), entries),
    "amis": st.lists(regions, unique_by=lambda each: str(each["name"])),
    "gcp": st.dictionaries(st.sampled_from(("image", "url")), st.text("ab")),
    "summary": st.text("ab"),
}
stamps: dict[str, st.SearchStrategy[Any]] = {STAMP: st.integers(1, 4)}
documents: st.SearchStrategy[Json] = st.fixed_dictionaries(stamps, optional=optional)


def said(document: Json) -> set[tuple[str, str]]:
    """What a document says something of, by name."""
    found = {("top", key) for key in document if key != STAMP}
    found |= {(key, name) for key in ("images", "gcp") for name in document.get(key, {})}
    return found | {("amis", each["name"]) for each in document.get("amis", [])}


@given(documents, documents)
def test_whatever_one_of_two_says_both_say_after_it_and_in_either_order(one: Json, other: Json) -> None:
    both = merged(one, other, "here")
    assert said(both) == said(one) | said(other)
    back = merged(other, one, "here")
    assert {**both, STAMP: 0} == {**back, STAMP: 0}
    assert merged(both, one, "here") == both
    assert merged(both, other, "here") == both
    assert both[STAMP] >= max(one[STAMP], other[STAMP])


@given(documents, documents)
def test_the_newer_is_believed_and_entries_of_images_are_not_mixed(one: Json, other: Json) -> None:
    older, newer = {**one, STAMP: 1}, {**other, STAMP: 2}
    both = merged(older, newer, "here")
    for key, entry in both.get("images", {}).items():
        assert entry == newer.get("images", {}).get(key, older.get("images", {}).get(key))
    assert both.get("summary") == newer.get("summary", older.get("summary"))


@pytest.mark.parametrize("key", ["ostree-commit", "name", "coreos-assembler.image-config-checksum"])
def test_states_of_two_builds_do_not_merge(key: str) -> None:
    with pytest.raises(BootimgError) as caught:
        merged({key: "a"}, {key: "b"}, "builds/1/x86_64")
    assert caught.value.id == "build-conflict"
    assert key in caught.value.message


def test_a_config_of_another_commit_is_a_conflict_as_coreos_assembler_has_it() -> None:
    key = "coreos-assembler.container-config-git"
    with pytest.raises(BootimgError) as caught:
        merged({key: {"commit": "aaaaa", "origin": "x"}}, {key: {"commit": "bbbbb", "origin": "x"}}, "x")
    assert caught.value.id == "build-conflict"
    assert merged({key: {"commit": "aaaaa"}}, {key: {"commit": "aaaaa", "branch": "b"}}, "x")[key] == {
        "commit": "aaaaa",
        "branch": "b",
    }


@pytest.mark.parametrize("stamp", ["9" * 4300, "1e300", "null", "[1]", str(2**70)], ids=range(5))
def test_a_stamp_that_is_none_counts_as_none(stamp: str, tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_text(f'{{"{STAMP}": {stamp}}}')
    assert 0 < MetaFile(path).merge({"summary": "new"})[STAMP] < 2**63
    assert MetaFile(path).read()["summary"] == "new"


def test_a_stamp_grows_though_the_clock_goes_back(tmp_path: Path) -> None:
    far = 2**62
    path = tmp_path / "meta.json"
    path.write_text(json.dumps({STAMP: far, "name": "rhcos"}))
    assert MetaFile(path).merge({"summary": "new"})[STAMP] == far + 1
    assert with_images({STAMP: far}, {"qemu": image(1)})[STAMP] == far + 1
    assert merged({STAMP: far, "a": 1}, {STAMP: 5, "b": 2}, "x")[STAMP] == far + 1


@settings(max_examples=25, deadline=None)
@given(order=st.permutations([(who, step) for who in range(2) for step in range(3)]))
def test_two_writers_of_meta_json_in_any_order(
    order: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One of them is coreos-assembler's way: it reads, takes its time, and merges what it read by stamps."""
    meta = MetaFile(tmp_path_factory.mktemp("build") / "meta.json")
    meta.merge({"ostree-commit": "c" * 64})
    held: Json = meta.read()
    for who, step in order:
        key = f"{who}-{step}"
        if who == 0:
            meta.merge({"images": {key: image(step)}})
        else:
            mine = {**held, "images": {**held.get("images", {}), key: image(step)}}
            meta.join(lambda there, mine=mine: with_images(merged(there, mine, "x"), {}))  # type: ignore[misc]
            if step == 1:
                held = meta.read()
    assert set(meta.read()["images"]) == {f"{who}-{step}" for who, step in order}


@dataclass
class Memory:
    """A store in which another writer can come between a read and the put that follows it."""

    objects: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    between: list[Callable[[], None]] = field(default_factory=list)
    tags: itertools.count[int] = field(default_factory=itertools.count)

    def read(self, key: str) -> Stored | None:
        found = self.objects.get(key)
        if self.between:
            self.between.pop()()
        return Stored(found[0], str(found[1])) if found else None

    def put(self, key: str, data: bytes, replaces: str | None) -> bool:
        found = self.objects.get(key)
        if (str(found[1]) if found else None) != replaces:
            return False
        self.objects[key] = (data, next(self.tags))
        return True


@settings(max_examples=60, deadline=None)
@given(writers=st.lists(documents, min_size=2, max_size=6))
def test_writers_that_come_in_between_lose_nothing_in_a_bucket(writers: list[Json]) -> None:
    store = Memory()

    def write(document: Json) -> Callable[[], None]:
        return lambda: void(update(store, "m", lambda there: merged(there, document, "m")))

    store.between = [write(each) for each in writers[1:]]
    write(writers[0])()
    for left in store.between:
        left()
    final = json.loads(store.objects["m"][0])
    assert said(final) == set().union(*(said(each) for each in writers))


def void(_: object) -> None:
    pass


def test_a_store_that_never_rests_is_given_up() -> None:
    store = Memory()

    def disturb() -> None:
        store.objects["m"] = (b"{}", next(store.tags))
        store.between.append(disturb)

    disturb()
    with pytest.raises(BootimgError) as caught:
        update(store, "m", lambda there: {**there, "a": 1})
    assert caught.value.id == "bucket-changing"


ids = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(ids, ids, st.sampled_from("abcdef"))
def test_a_build_goes_after_those_that_are_newer_in_the_other_list(
    there: list[str], order: list[str], new: str
) -> None:
    index = {"builds": [{"id": each, "arches": ["x86_64"]} for each in there], "tags": []}
    after = [each["id"] for each in listed(index, new, "x86_64", order)["builds"]]
    assert sorted(after) == sorted({*there, new})
    assert [each for each in after if each in there] == there
    if new not in there:
        newer = order[: order.index(new)] if new in order else []
        assert all(after.index(each) < after.index(new) for each in newer if each in there)


def test_builds_json_keeps_what_it_does_not_know_when_a_build_is_added(tmp_path: Path) -> None:
    text = {"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["riscv64"], "policy-cleanup": {}}],
            "tombstone-builds": ["0"], "timestamp": "x"}  # fmt: skip
    (tmp_path / "builds.json").write_text(json.dumps(text))
    insert_build(tmp_path, "1", Arch.X86_64)
    insert_build(tmp_path, "0.9", Arch.X86_64, order=["1", "0.9"])
    index = read_index(tmp_path)
    assert index["builds"][0] == {"id": "1", "arches": ["riscv64", "x86_64"], "policy-cleanup": {}}
    assert [each["id"] for each in index["builds"]] == ["1", "0.9"]
    assert index["tombstone-builds"] == ["0"]

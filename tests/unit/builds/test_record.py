"""bootimg.json: what a build was meant to be, beside its meta.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.builds.companions import Companion, companion, record_companion
from bootimg.builds.expected import joined
from bootimg.builds.made import Made
from bootimg.builds.record import LIMIT, RECORD, Record, change_record, parse_record, read_record
from bootimg.errors import BootimgError

FULL = Record(
    stream="4.19-9.6",
    skip_reason="OpenShift's content",
    expected=("ostree", "qemu"),
    left_out={"live": "not made yet"},
    made={
        "qemu": Made(
            bootimg="1", deploy="native", target_imgref="ostree-unverified-registry:r.io/os", size=4096
        ),
        "aws": Made(bootimg="2", deploy="metal", target_imgref="ostree-unverified-registry:r.io/os"),
        "live-iso": Made(
            bootimg="2", deploy="native", target_imgref="r:x", draft=True, programs={"sqfstar": "4.6.1"}
        ),
    },
)


def test_a_build_without_the_file_says_nothing(tmp_path: Path) -> None:
    assert read_record(tmp_path) == Record()
    change_record(tmp_path, Record())
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read(tmp_path: Path) -> None:
    change_record(tmp_path, FULL)
    assert read_record(tmp_path) == FULL
    assert json.loads((tmp_path / RECORD).read_text()) == {
        "stream": "4.19-9.6",
        "skip-disk-images": "OpenShift's content",
        "expected": ["ostree", "qemu"],
        "left-out": {"live": "not made yet"},
        "made": {
            "qemu": {
                "bootimg": "1",
                "deploy": "native",
                "target-imgref": "ostree-unverified-registry:r.io/os",
                "size": 4096,
            },
            "aws": {
                "bootimg": "2",
                "deploy": "metal",
                "target-imgref": "ostree-unverified-registry:r.io/os",
            },
            "live-iso": {
                "bootimg": "2",
                "deploy": "native",
                "target-imgref": "r:x",
                "draft": True,
                "programs": {"sqfstar": "4.6.1"},
            },
        },
    }
    assert [path.name for path in tmp_path.iterdir()] == [RECORD]


def test_keys_of_others_stay_and_ours_go_when_they_say_nothing(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text('{"purity": ["oc"], "skip-disk-images": true}')
    assert read_record(tmp_path).skip_reason == "no reason was given"
    change_record(tmp_path, Record(stream="rhel-9.6"))
    assert json.loads((tmp_path / RECORD).read_text()) == {"purity": ["oc"], "stream": "rhel-9.6"}
    written = (tmp_path / RECORD).stat().st_ino
    change_record(tmp_path, Record(stream="rhel-9.6"))
    assert (tmp_path / RECORD).stat().st_ino == written


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", "[" * 100_000, '{"stream": 1}', '{"skip-disk-images": 1}', '{"expected": {}}'),
        *('{"expected": [1]}', '{"left-out": []}', '{"left-out": {"a": 1}}'),
        *(
            '{"made": []}',
            '{"made": {"qemu": 1}}',
            '{"made": {"qemu": {"bootimg": "1", "deploy": "native"}}}',
        ),
        " " * (LIMIT + 1),
    ],
    ids=range(14),
)
def test_another_shape_is_refused_and_stays(text: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(BootimgError) as error:
        read_record(tmp_path)
    assert error.value.id == "build-record-malformed"
    assert str(tmp_path / RECORD) in error.value.message


@pytest.mark.parametrize(
    "entry",
    [
        [], "x", {}, {"path": "meta.json", "sha256": "0" * 64, "size": 1},
        {"path": "../a.spdx.json", "sha256": "0" * 64, "size": 1},
        {"path": "a.spdx.json", "sha256": "0" * 63, "size": 1},
        {"path": "a.spdx.json", "sha256": "0" * 64}, {"path": "a.spdx.json", "sha256": "0" * 64, "size": -1},
    ],
    ids=range(8),
)  # fmt: skip
def test_an_sbom_that_cannot_be_is_refused(entry: object, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(json.dumps({"sbom": entry}))
    with pytest.raises(BootimgError) as error:
        companion(tmp_path, "sbom")
    assert error.value.id == "build-record-malformed"


def test_an_sbom_is_recorded_beside_all_else(tmp_path: Path) -> None:
    change_record(tmp_path, FULL)
    for sbom in (Companion("a.spdx.json", "0" * 64, 1), Companion("b.spdx.json", "1" * 64, 2)):
        record_companion(tmp_path, "sbom", sbom)
        assert companion(tmp_path, "sbom") == sbom
    written = (tmp_path / RECORD).stat().st_ino
    record_companion(tmp_path, "sbom", sbom)
    assert (tmp_path / RECORD).stat().st_ino == written
    assert read_record(tmp_path) == FULL
    change_record(tmp_path, Record(stream="rhel-9.6"))
    assert companion(tmp_path, "sbom") == sbom


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
                    max_leaves=8)  # fmt: skip
KEYS = st.sampled_from(["stream", "skip-disk-images", "expected", "left-out", "other"])


@given(st.dictionaries(KEYS, JSON).map(json.dumps).map(str.encode) | st.binary(max_size=50))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        parse_record(data, "bootimg.json")
    except BootimgError as error:
        assert error.id == "build-record-malformed"


def test_records_of_one_build_are_joined_artifact_by_artifact() -> None:
    here = {"made": {"qemu": 1, "aws": 2}, "asked": ["qemu"]}
    there = {"made": {"qemu": 3, "gcp": 4}, "asked": ["gcp"], "stream": "s"}
    assert joined(here, there, "record") == {
        "made": {"qemu": 1, "aws": 2, "gcp": 4},
        "asked": ["gcp", "qemu"],
        "stream": "s",
    }
    assert joined({}, {}, "record") == {}

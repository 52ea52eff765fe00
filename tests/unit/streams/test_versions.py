"""Versions in their three schemes, the next of a stream, and what streams and pages they belong to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.errors import BootimgError, ExitCode
from bootimg.streams.metadata.releasebrowser import stream_for_version, stream_of
from bootimg.streams.versions.layermatch import require_stream, tells_versions, version_fits
from bootimg.streams.versions.nextversion import next_version, rhel_of_ocp
from bootimg.streams.versions.schemes import (
    Dev,
    FedoraVersion,
    LegacyVersion,
    RhelVersion,
    Version,
    find_version,
)
from tests.support.program import program

NOW = datetime(2026, 11, 24, 22, 5, tzinfo=UTC)


def known(text: str) -> Version:
    found = find_version(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("419.96.202412101440-0", LegacyVersion((4, 19), (9, 6), "202412101440", 0)),
        ("49.94.202302111038-0", LegacyVersion((4, 9), (9, 4), "202302111038", 0)),
        ("412.86.202211091602-3", LegacyVersion((4, 12), (8, 6), "202211091602", 3)),
        ("9.6.20250203-0", RhelVersion((9, 6), "20250203", 0)),
        ("10.2.20260423-12", RhelVersion((10, 2), "20260423", 12)),
        ("9.0.20250411-0.dev", RhelVersion((9, 0), "20250411", 0, Dev.AFTER)),
        ("9.6.20250203-dev2", RhelVersion((9, 6), "20250203", 2, Dev.BEFORE)),
        ("9.4.202409090849-0", RhelVersion((9, 4), "202409090849", 0)),
        ("44.20260419.3.1", FedoraVersion(44, "20260419", 3, 1)),
        ("44.20260419.20.dev7", FedoraVersion(44, "20260419", 20, 7, Dev.BEFORE)),
    ],
)
def test_the_three_schemes(text: str, version: object) -> None:
    assert known(text) == version
    assert str(version) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "latest", "9.6", "9.6.20250203", "9.6.20250230-0", "9.6.20251301-0", "9.6.2025020-0",
            "9.6.20250203-",
        "9.6.20250203-00", "09.6.20250203-0", "9.6.20250203-dev0.dev", "9.6.20250203-0\n", "9.6.20250203-0 ",
        "9.6.2025020\uff13-0", "419.96.202412102540-0", "419.961.202412101440-0", "4.20260419.3.1",
        "44.20260419.3.1.dev", "412.86.202211091602", "9.6.20250203-9999999999",
    ],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    assert find_version(text) is None


@given(st.text() | st.from_regex(r"\A[0-9]{1,4}\.[0-9]{1,8}\.[0-9]{8,12}(-(dev)?|\.3\.)[0-9]{1,3}(\.dev)?\Z"))
def test_any_text_is_a_version_that_is_written_so_or_none(text: str) -> None:
    found = find_version(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    "texts",
    [
        ["9.4.20240908-0", "9.4.202409090849-0", "9.4.202409090849-1", "9.4.20241210-0", "9.6.20240101-0",
         "10.0.20230101-0"],
        ["9.6.20250203-0", "9.6.20250203-0.dev", "9.6.20250203-9", "9.6.20250203-10", "9.6.20250204-0"],
        ["49.94.202302111038-0", "412.86.202302111038-0", "419.94.202401010000-0", "419.96.202401010000-0",
         "419.96.202401010001-0", "419.96.202401010001-10"],
        ["43.20261231.3.5", "44.20260419.2.9", "44.20260419.3.1", "44.20260419.3.10", "44.20260420.1.0"],
    ],
)  # fmt: skip
def test_versions_of_one_scheme_have_an_order(texts: list[str]) -> None:
    versions = [known(text) for text in texts]
    by_text = sorted(versions, key=str)
    assert sorted(by_text) == versions
    assert len(set(versions)) == len(versions)


DAYS = st.dates(datetime(2020, 1, 1).date(), datetime(2030, 1, 1).date()).map(
    lambda day: day.strftime("%Y%m%d")
)
RHELS = st.builds(RhelVersion, st.tuples(st.integers(8, 11), st.integers(0, 10)), DAYS, st.integers(0, 20))


@given(RHELS, RHELS)
def test_the_order_is_that_of_the_numbers(one: RhelVersion, other: RhelVersion) -> None:
    # As semantic versioning has it: numbers, and not texts, also behind the hyphen.
    keys = [tuple(map(int, str(each).replace("-", ".").split("."))) for each in (one, other)]
    assert (one < other) == (keys[0] < keys[1])
    assert known(str(one)) == one


def test_versions_of_different_schemes_have_none() -> None:
    with pytest.raises(TypeError):
        sorted([known("9.6.20250203-0"), known("419.96.202412101440-0")])


@pytest.mark.parametrize(
    ("stream", "last", "version"),
    [
        ("rhel-9.6", None, "9.6.20261124-0"),
        ("rhel-9.6", "9.6.20261123-4", "9.6.20261124-0"),
        ("rhel-9.6", "9.6.20261124-0", "9.6.20261124-1"),
        ("rhel-9.6", "9.6.20261124-9", "9.6.20261124-10"),
        ("rhel-9.6", "9.6.20261124-4.dev", "9.6.20261124-5"),
        ("rhel-9.6", "9.4.20261124-4", "9.6.20261124-0"),
        ("rhel-9.6", "my-build", "9.6.20261124-0"),
        ("rhel-10.2", None, "10.2.20261124-0"),
        ("c9s", "9.0.20261124-0", "9.0.20261124-1"),
        ("c10s", None, "10.0.20261124-0"),
        ("4.19-9.6", None, "419.96.202611242205-0"),
        ("4.19-9.6", "419.96.202611242205-0", "419.96.202611242205-1"),
        ("4.12", "412.86.202611242204-3", "412.86.202611242205-0"),
        ("4.16-9.4", None, "416.94.202611242205-0"),
    ],
)
def test_the_next_version_of_a_stream(stream: str, last: str | None, version: str) -> None:
    assert str(next_version(stream, last, NOW)) == version


def test_developers_versions_are_marked_and_counted() -> None:
    assert str(next_version("rhel-9.6", "9.6.20261124-1", NOW, dev=True)) == "9.6.20261124-2.dev"
    last = "44.20261124.20.dev3"
    assert str(next_version("testing-devel", last, NOW, dev=True)) == "44.20261124.20.dev4"
    assert str(next_version("testing-devel", last, NOW, dev=True, release=45)) == "45.20261124.20.dev0"
    assert str(next_version("stable", last, NOW, dev=True)) == "44.20261124.3.dev0"


def test_fedora_s_iteration_is_given() -> None:
    assert str(next_version("stable", None, NOW, release=44, iteration=2)) == "44.20261124.3.2"
    with pytest.raises(BootimgError) as caught:
        next_version("stable", "44.20261124.3.1", NOW)
    assert caught.value.id == "version-iteration-unknown"


@pytest.mark.parametrize("stream", ["4.22-9.8", "4.20", "5.0", "rhel-9", "rhel9.6", "stable", "", "4.12-c9s"])
def test_streams_of_which_nothing_is_known(stream: str) -> None:
    with pytest.raises(BootimgError) as caught:
        next_version(stream, None, NOW, iteration=0)
    assert (caught.value.id, caught.value.exit_code) == ("stream-version-unknown", ExitCode.USAGE)


@given(st.text() | st.sampled_from(["rhel-9.6", "c9s", "4.12", "next"]), st.none() | st.text(max_size=20))
def test_any_stream_has_a_version_that_reads_or_is_refused(stream: str, last: str | None) -> None:
    try:
        made = next_version(stream, last, NOW, iteration=1, release=44)
    except BootimgError as error:
        assert error.id == "stream-version-unknown"
    else:
        assert known(str(made)) == made


def test_rhel_of_ocp() -> None:
    said = {
        (4, 12): (8, 6),
        (4, 13): (9, 2),
        (4, 15): (9, 2),
        (4, 18): (9, 4),
        (4, 21): (9, 6),
        (5, 0): (9, 8),
    }
    assert {ocp: rhel_of_ocp(ocp) for ocp in said} == said
    assert rhel_of_ocp((4, 2)) is None


@pytest.mark.parametrize(
    ("version", "suffix", "path"),
    [
        ("412.86.202211091602-0", "", "releases/rhcos-4.12"),
        ("412.86.202211091602-0", "-s390x", "releases/rhcos-4.12-s390x"),
        ("412.86.202302091419-0", "-s390x", "prod/streams/4.12"),
        ("49.94.202302111038-0", "", "prod/streams/4.9-9.4"),
        ("48.84.202301181057-0", "", "releases/rhcos-4.8"),
        ("412.86.202211091602", "", None),
        ("419.96.202502030000-0", "", "prod/streams/4.19-9.6"),
        ("9.6.20250121-0", "", "prod/streams/rhel-9.6"),
        ("10.2.20260423-0", "-aarch64", "prod/streams/rhel-10.2"),
        ("9.0.20250411-0", "", "prod/streams/rhel-9.0"),
        ("44.20260419.3.1", "", None),
        ("412.86.99999999999999999999-0", "", None),
        ("", "", None),
    ],
)
def test_the_stream_of_a_version_as_release_controller_has_it(
    version: str, suffix: str, path: str | None
) -> None:
    assert stream_for_version(version, suffix) == path


def test_the_label_comes_first() -> None:
    assert stream_of({"com.coreos.stream": "c9s"}, "9.0.20250411-0") == "prod/streams/c9s"
    assert stream_of({}, "9.0.20250411-0") == "prod/streams/rhel-9.0"


@given(st.text())
def test_any_version_has_a_stream_or_none(version: str) -> None:
    path = stream_for_version(version)
    assert path is None or path.startswith(("prod/streams/", "releases/rhcos-"))


def run(*words: str | Path, code: int = 0, epoch: str = "1795557900") -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", epoch)
        done = program("version", "next", *words)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def builds(folder: Path, *ids: str) -> Path:
    index = {"schema-version": "1.0.0", "builds": [{"id": id, "arches": ["x86_64"]} for id in ids]}
    (folder / "builds.json").write_text(json.dumps(index))
    return folder


def test_the_command_reads_the_tree_of_builds(tmp_path: Path) -> None:
    tree = builds(tmp_path, "9.6.20261124-1", "9.6.20261124-7")
    assert run("--stream", "rhel-9.6", "-o", tree) == "9.6.20261124-2\n"
    assert json.loads(run("--stream", "rhel-9.6", "-o", tree, "--json")) == {
        "stream": "rhel-9.6",
        "last": "9.6.20261124-1",
        "version": "9.6.20261124-2",
        "iteration": 2,
    }
    assert run("--stream", "rhel-9.6", "-o", tmp_path / "none") == "9.6.20261124-0\n"
    assert run("--stream", "c9s", "-o", tree, "--dev", "--iteration", "5") == "9.0.20261124-5.dev\n"


def test_a_tree_of_builds_that_is_none(tmp_path: Path) -> None:
    for text in (
        "x",
        '{"schema-version": "1.0.0", "builds": [7]}',
        '{"schema-version": "1.0.0", "builds": [{}]}',
    ):
        (tmp_path / "builds.json").write_text(text)
        said = run("--stream", "rhel-9.6", "-o", tmp_path, code=ExitCode.FAILED)
        assert "build-meta-malformed" in said


def test_without_the_variable_it_is_today(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    text = run("--stream", "rhel-9.6", "-o", tmp_path, epoch="")
    assert text in {f"9.6.{day:%Y%m%d}-0\n" for day in (before, datetime.now(UTC))}


@pytest.mark.parametrize("epoch", ["yesterday", "1e9", "999999999999", "-1"])
def test_a_variable_that_is_no_time(epoch: str, tmp_path: Path) -> None:
    said = run("--stream", "rhel-9.6", "-o", tmp_path, epoch=epoch, code=ExitCode.USAGE)
    assert "source-date-epoch-malformed" in said


@pytest.mark.parametrize(
    ("stream", "version", "fits"),
    [
        ("rhel-9.6", "9.6.20250203-0", True),
        ("rhel-9.6", "9.4.20250203-0", False),
        ("rhel-9.6", "419.96.202412101440-0", False),
        ("rhel-9.6", "9.6", False),
        ("rhel-10.2", "10.2.20260423-0.dev", True),
        ("rhel-9.4", "9.4.202409090849-0", True),
        ("c9s", "9.0.20250411-0", True),
        ("c10s", "9.0.20250411-0", False),
        ("4.19-9.6", "419.96.202412101440-0", True),
        ("4.19-9.6", "419.94.202412101440-0", False),
        ("4.19-9.6", "418.96.202412101440-0", False),
        ("4.19-9.6", "9.6.20250203-0", True),
        ("4.19-9.6", "9.4.20250203-0", False),
        ("4.12", "412.86.202211091602-0", True),
        ("4.12", "412.92.202211091602-0", False),
        ("stable", "44.20260419.3.1", True),
        ("stable", "44.20260419.2.1", False),
        ("rawhide", "45.20260419.91.dev0", True),
        ("stable", "9.6.20250203-0", False),
        ("mine", "1.0", True),
    ],
)
def test_versions_of_a_stream_are_of_the_form_that_its_name_says(
    stream: str, version: str, fits: bool
) -> None:
    assert version_fits(version, stream) is fits
    assert tells_versions(stream) is (stream != "mine")


@pytest.mark.parametrize(
    ("labels", "version", "id", "told"),
    [
        ({}, "9.6.20250203-0", "layer-stream-mismatch", "it lacks the label com.coreos.stream"),
        ({"com.coreos.stream": "c9s"}, "9.6.20250203-0", "layer-stream-mismatch", "is c9s"),
        ({"com.coreos.stream": "rhel-9.6"}, "9.4.20250203-0", "layer-version-mismatch", "9.4.20250203-0"),
    ],
)
def test_a_layer_of_another_stream_is_refused(
    labels: dict[str, str], version: str, id: str, told: str
) -> None:
    require_stream("a:b", {"com.coreos.stream": "rhel-9.6"}, "9.6.20250203-0", "rhel-9.6")
    with pytest.raises(BootimgError) as error:
        require_stream("a:b", labels, version, "rhel-9.6")
    assert (error.value.id, error.value.exit_code) == (id, ExitCode.USAGE)
    assert told in error.value.message


@given(
    st.dates(min_value=datetime(2000, 1, 1).date()), st.sampled_from(["rhel-9.6", "c9s", "4.19-9.6", "4.12"])
)
def test_the_next_version_of_a_stream_fits_it(day: object, stream: str) -> None:
    now = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    assert version_fits(str(next_version(stream, None, now)), stream)

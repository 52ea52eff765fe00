"""Versions, labels and what the pivot needs: each rule with what keeps it and what breaks it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.checks.image import image_findings
from bootimg.checks.pivot import OSTREE_CONTAINER, PROGRAMS, UNITS, pivot_findings
from bootimg.checks.purity import Purity
from bootimg.checks.system import System, TreeContent, os_release
from bootimg.checks.versionrules import version_findings
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from tests.support.layers import oci
from tests.unit.layer.test_declares import tree_of

VERSION = "9.6.20261101-0"
LABEL = "org.opencontainers.image.version"
RELEASE = {"ID": "rhel", "VERSION_ID": "9.6", "OSTREE_VERSION": VERSION, "IMAGE_VERSION": VERSION}


@dataclass(frozen=True)
class Files:
    """A system's files by path."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def names(self, folder: str) -> Collection[str]:
        return [path.rpartition("/")[2] for path in self.texts if path.rpartition("/")[0] == folder]

    def text(self, path: str) -> str:
        return self.texts.get(path, "")


def system(
    labels: Mapping[str, str] | None = None,
    release: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> System:
    """A system that breaks no rule of versions, but for these; what is empty is left out."""
    given_labels = {**oci.LABELS, **(labels or {})}
    given_release = {**RELEASE, **(release or {})}
    return System(
        where="x",
        labels={name: value for name, value in given_labels.items() if value},
        os_release={name: value for name, value in given_release.items() if value},
        content=Files(files or {}),
        packages=(),
    )


def broken(of: System) -> list[tuple[str, str]]:
    return [(each.rule.value, each.evidence) for each in version_findings(of)]


CENTOS = {"com.coreos.osname": "scos", "com.coreos.stream": "c9s", LABEL: "9.0.20250411-0"}
FEDORA = {"com.coreos.osname": "fedora-coreos", "com.coreos.stream": "stable", LABEL: "44.20260419.3.1"}


def release_of(labels: Mapping[str, str], id: str) -> dict[str, str]:
    return {"VERSION_ID": id, "OSTREE_VERSION": labels[LABEL], "IMAGE_VERSION": labels[LABEL]}


@pytest.mark.parametrize(
    ("labels", "release"),
    [
        ({}, {}),
        (CENTOS, release_of(CENTOS, "9")),
        (FEDORA, release_of(FEDORA, "44")),
        ({"io.openshift.build.versions": f"machine-os={VERSION}"}, {}),
        # os-release says whose it is where the label does not; a stream of one's own has no number.
        ({**FEDORA, "com.coreos.osname": "mine"}, {**release_of(FEDORA, "44"), "ID": "fedora"}),
        ({**FEDORA, LABEL: "44.20260419.7.1"},
         release_of({LABEL: "44.20260419.7.1"}, "44")),
        # Another system than these: nothing is known of its streams.
        ({"com.coreos.osname": "mine", "com.coreos.stream": "x"}, {"ID": "mine", "VERSION_ID": "3"}),
        # OpenShift's and RHEL's own VERSION_ID differ in the old scheme.
        ({LABEL: "419.96.202412101440-0", "com.coreos.stream": "4.19-9.6"},
         release_of({LABEL: "419.96.202412101440-0"}, "4.19")),
    ],
)  # fmt: skip
def test_versions_that_agree(labels: dict[str, str], release: dict[str, str]) -> None:
    assert broken(system(labels, release)) == []


@pytest.mark.parametrize(
    ("labels", "release", "rule", "evidence"),
    [
        ({LABEL: ""}, {}, "version-label", "none"),
        ({}, {"OSTREE_VERSION": "9.6.20261031-0"}, "os-release-version", "OSTREE_VERSION=9.6.20261031-0"),
        ({}, {"IMAGE_VERSION": "1"}, "os-release-version", "IMAGE_VERSION=1"),
        ({}, {"OSTREE_VERSION": ""}, "os-release-unset", "OSTREE_VERSION: none"),
        ({}, {"VERSION_ID": "9.4"}, "version-id", "VERSION_ID=9.4"),
        ({}, {"VERSION_ID": ""}, "version-id", "VERSION_ID=None"),
        ({"com.coreos.stream": "rhel-9.4"}, {}, "stream-label", "com.coreos.stream=rhel-9.4"),
        ({"com.coreos.stream": "c9s"}, {}, "stream-label", "com.coreos.stream=c9s"),
        ({"com.coreos.stream": ""}, {}, "stream-unset", "com.coreos.stream: none"),
        ({"com.coreos.osname": ""}, {}, "osname-unset", "com.coreos.osname: none"),
        ({"containers.bootc": ""}, {}, "bootc-label", "containers.bootc: none"),
        ({"containers.bootc": "true"}, {}, "bootc-label", "containers.bootc: true"),
        ({"io.openshift.build.versions": "machine-os=1"}, {}, "machine-os-label", "machine-os=1"),
        ({LABEL: "mine"}, release_of({LABEL: "mine"}, "9.6"), "version-scheme", "mine"),
        (CENTOS, release_of(CENTOS, "9.0"), "version-id", "VERSION_ID=9.0"),
        ({**CENTOS, "com.coreos.stream": "rhel-9.0"}, release_of(CENTOS, "9"), "stream-label",
         "com.coreos.stream=rhel-9.0"),
        (FEDORA, release_of(FEDORA, "43"), "version-id", "VERSION_ID=43"),
        ({**FEDORA, "com.coreos.stream": "testing"}, release_of(FEDORA, "44"), "stream-label",
         "com.coreos.stream=testing"),
    ],
)  # fmt: skip
def test_versions_that_do_not(
    labels: dict[str, str], release: dict[str, str], rule: str, evidence: str
) -> None:
    assert broken(system(labels, release)) == [(rule, evidence)]


def test_labels_that_are_not_known_are_not_missed() -> None:
    bare = replace(system(), labels={LABEL: VERSION}, labelled=False)
    assert broken(bare) == []


def pivoting(*without: str) -> dict[str, str]:
    paths = [f"usr/{'sbin' if name in ('semodule', 'NetworkManager') else 'bin'}/{name}" for name in PROGRAMS]
    paths += [OSTREE_CONTAINER, *(f"usr/lib/systemd/system/{name}" for name in UNITS)]
    return {path: "" for path in paths if path.rpartition("/")[2] not in without}


def test_what_the_pivot_needs_is_looked_for() -> None:
    assert [*pivot_findings(system(files=pivoting()))] == []
    merged = {path.replace("sbin", "bin"): "" for path in pivoting()}
    assert [*pivot_findings(system(files=merged))] == []


@pytest.mark.parametrize("name", [*PROGRAMS, "ostree-container", *UNITS])
def test_what_it_lacks_is_named(name: str) -> None:
    [found] = pivot_findings(system(files=pivoting(name)))
    assert found.rule.value == ("pivot-unit" if name in UNITS else "pivot-program")
    assert name in found.evidence


def test_fedora_is_no_base_of_a_pivot() -> None:
    assert [*pivot_findings(system(FEDORA))] == []
    assert [*pivot_findings(system(CENTOS))] != []


def of_image(folder: Path, *, kernels: tuple[str, ...] = (oci.KERNEL,)) -> list[str]:
    cache = Cache(folder / "cache")
    oci.Layout(folder / "image").add([oci.bootable(kernels=kernels)])
    image = fetch(str(folder / "image"), arch=Arch.X86_64, cache=cache, events=Events())
    found = image_findings(image, open_tree(image, cache, Events()), cache.folder("tmp"), Purity.OFF)
    return sorted({each.rule.value for each in found})


def test_a_layer_of_which_no_disk_can_be_made(tmp_path: Path) -> None:
    others = ["os-release-unset", "pivot-program", "pivot-unit"]
    assert of_image(tmp_path / "one") == others
    assert of_image(tmp_path / "two", kernels=()) == ["layer-unbuildable", *others]


def test_os_release_is_found_where_it_is(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, oci.file("usr/x"))
    assert os_release(TreeContent(tree))["VERSION_ID"] == "9.6"
    assert os_release(Files({"usr/etc/os-release": "A=1\n", "usr/lib/os-release": "A=2\n"})) == {"A": "1"}
    assert os_release(Files({"usr/lib/os-release": "A=2\n"})) == {"A": "2"}
    assert os_release(Files({})) == {}


def test_a_text_that_is_too_long_or_none_is_empty(tmp_path: Path) -> None:
    long = oci.file("etc/motd", b"x" * ((1 << 20) + 1))
    content = TreeContent(tree_of(tmp_path, long, oci.folder("etc/motd.d")))
    assert [content.text(path) for path in ("etc/motd", "etc/motd.d", "etc/none")] == ["", "", ""]


@given(st.dictionaries(st.sampled_from([*oci.LABELS, "io.openshift.build.versions"]), st.text(max_size=40)),
       st.dictionaries(st.sampled_from([*RELEASE]), st.text(max_size=40)))  # fmt: skip
def test_whatever_labels_say_is_told(labels: dict[str, str], release: dict[str, str]) -> None:
    for each in version_findings(system(labels, release)):
        assert each.as_dict()["rule"] == each.rule
        assert str(each).isprintable()

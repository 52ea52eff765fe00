"""`verify NODE_IMAGE --base …`: whether a node image is built on this layer, and can be pivoted to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.api.looking import Verification, verify
from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.layout import ociarchive_name
from bootimg.builds.made import Made
from bootimg.builds.meta import layer_meta
from bootimg.builds.record import Record, change_record
from bootimg.checks import node as nodes
from bootimg.checks.pivot import OSTREE_CONTAINER, PROGRAMS, UNITS
from bootimg.cli.main import bootimg
from bootimg.errors import ExitCode
from bootimg.sizes import GIB, MIB
from tests.support.layers import oci
from tests.unit.builds.test_meta import identity
from tests.unit.checks.test_builds import entry
from tests.unit.rpmdb.test_database import PLACE, database, header

X86 = Arch.X86_64
VERSION = oci.LABELS["org.opencontainers.image.version"]
LIST = "usr/share/openshift/base/meta.json"
NODE_LABELS = {**oci.LABELS, "io.openshift.metalayer": "true"}
BASE_PACKAGES = {"bash": "5.1", "kernel": "5.14"}
OS_RELEASE = oci.file("usr/lib/os-release", f'ID=rhel\nVERSION_ID="9.6"\nOSTREE_VERSION={VERSION}\n'.encode())


def packages(folder: Path, found: Mapping[str, str]) -> oci.Member:
    blobs = tuple(
        header(name=name, version=version, release="1.el9", arch="x86_64") for name, version in found.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    return oci.file(PLACE, database(folder / "-".join(found.values()), blobs=blobs))


@pytest.fixture
def base(tmp_path: Path) -> list[bytes]:
    """The layers of a base from which OpenShift can be installed."""
    programs = [oci.file(f"usr/bin/{name}", b"", 0o755) for name in PROGRAMS]
    units = [oci.file(f"usr/lib/systemd/system/{name}") for name in UNITS]
    rpmdb = packages(tmp_path / "rpm", BASE_PACKAGES)
    return [
        oci.bootable(*programs, oci.file(OSTREE_CONTAINER, b"", 0o755), *units),
        oci.tar(rpmdb, OS_RELEASE),
    ]


def node_layers(tmp_path: Path, changes: Mapping[str, str] | None = None) -> list[bytes]:
    """What a node image has on top of the base: packages and their files, and then its list of packages."""
    found = {**BASE_PACKAGES, "openshift-clients": "4.20", **(changes or {})}
    rpmdb = packages(tmp_path / "rpm", found)
    return [oci.tar(rpmdb, oci.file("usr/bin/oc", b"o" * 1000, 0o755)), oci.tar(oci.file(LIST, b"{}"))]


def image(path: Path, layers: Sequence[bytes], labels: Mapping[str, str] = NODE_LABELS) -> Path:
    oci.Layout(path).add(layers, labels=labels)
    return path


def check(tmp_path: Path, layers: Sequence[bytes], base: object, **labels: str) -> Verification:
    found = image(tmp_path / "node", layers, {**NODE_LABELS, **labels})
    builds = tmp_path / "builds"
    return verify(found, base=str(base), arch=X86, builds=builds, cache=tmp_path / "cache")


def broken(found: Verification) -> list[str]:
    return [each.rule.value for each in found.findings]


def test_a_node_image_on_its_base(tmp_path: Path, base: list[bytes]) -> None:
    below = image(tmp_path / "base", base, oci.LABELS)
    found = check(tmp_path, [*base, *node_layers(tmp_path)], below)
    assert (found.kind, found.good, broken(found)) == ("node", True, [])
    facts = found.as_dict()["node"]
    assert (facts["layers"], facts["layers-shared"]) == (4, 2)
    assert facts["packages"] == {"added": {"openshift-clients": "4.20-1.el9"}}
    assert facts["size"] > facts["size-added"] > 1000
    assert 4 * GIB - 600 * MIB < facts["disk-free"] < 4 * GIB
    assert facts["live-space"] == 5 * GIB


def test_another_base_is_told_by_labels_layers_and_packages(tmp_path: Path, base: list[bytes]) -> None:
    rpmdb = packages(tmp_path / "rpm", {"bash": "5.0", "kernel": "5.14", "zlib": "1"})
    labels = {**oci.LABELS, "org.opencontainers.image.version": "9.6.20261001-0", "com.coreos.inputhash": "a"}
    below = image(tmp_path / "base", [base[0], oci.tar(rpmdb)], labels)
    found = check(tmp_path, [*base, *node_layers(tmp_path)], below)
    assert not found.good
    told = [
        (each.rule.value, each.evidence) for each in found.findings if each.where.startswith("node image")
    ]
    assert told == [
        ("node-label", VERSION), ("node-label", "None"), ("node-layers", "1 of the base's 2 layers"),
        ("node-package", "bash-5.1-1.el9.x86_64"), ("node-package", "no zlib"),
    ]  # fmt: skip


def test_a_package_of_the_base_that_the_node_image_replaced(tmp_path: Path, base: list[bytes]) -> None:
    below = image(tmp_path / "base", base, oci.LABELS)
    found = check(tmp_path, [*base, *node_layers(tmp_path, {"kernel": "5.15"})], below)
    assert [(each.rule.value, each.where) for each in found.findings] == [
        ("node-package", "node image, package kernel")
    ]
    assert found.node is not None and "kernel" in found.node.packages["changed"]


def test_many_packages_are_counted(tmp_path: Path, base: list[bytes]) -> None:
    many = {f"p{number:02}": "1" for number in range(25)}
    below = image(tmp_path / "base", [base[0], oci.tar(packages(tmp_path / "rpm", many))], oci.LABELS)
    found = check(tmp_path, [*base, *node_layers(tmp_path)], below)
    assert broken(found).count("node-package") == 11
    assert "15 packages more" in [each.evidence for each in found.findings]


def test_the_base_alone_is_no_node_image(tmp_path: Path, base: list[bytes]) -> None:
    below = image(tmp_path / "base", base, oci.LABELS)
    found = verify(below, base=below, arch=X86, cache=tmp_path / "cache")
    assert {*broken(found)} == {"node-oc", "node-metadata"}
    assert broken(found).count("node-oc") == 2


def test_a_base_that_cannot_pivot_or_has_oc(tmp_path: Path, base: list[bytes]) -> None:
    with_oc = oci.tar(oci.file("usr/bin/oc", b"", 0o755), oci.member("usr/bin/.wh.jq"))
    layers = [*base, with_oc]
    below = image(tmp_path / "base", layers, oci.LABELS)
    found = check(tmp_path, [*layers, *node_layers(tmp_path)], below)
    told = [(each.rule.value, each.where) for each in found.findings]
    assert told == [("ocp-file", "base: image"), ("pivot-program", "base: image")]


def test_the_digest_of_the_base_in_a_label(tmp_path: Path, base: list[bytes]) -> None:
    below = image(tmp_path / "base", base, oci.LABELS)
    name, layers = "org.opencontainers.image.base.digest", [*base, *node_layers(tmp_path)]
    digest = json.loads((below / "index.json").read_text())["manifests"][0]["digest"]
    assert broken(check(tmp_path, layers, below, **{name: digest})) == []
    found = check(tmp_path / "other", layers, below, **{name: "sha256:" + "0" * 64})
    assert (broken(found), found.good) == (["node-base-digest"], True)


@pytest.mark.parametrize(("size", "rules"), [(None, []), (600 * MIB, []), (513 * MIB, ["node-disk-space"])])
def test_a_build_as_base_and_the_size_of_its_disks(
    tmp_path: Path, base: list[bytes], size: int | None, rules: list[str]
) -> None:
    layout = oci.Layout(tmp_path / "layout")
    layout.add(base)
    with open_build(tmp_path / "builds", VERSION, X86) as build:
        archive = layout.archive(build.file(ociarchive_name("rhcos", VERSION, X86)))
        build.meta.merge(layer_meta(identity(labels=oci.LABELS)))
        build.meta.merge({"images": {"ostree": entry(archive, archive.read_bytes())}})
        made = Made(bootimg="1", deploy="native", target_imgref="x", size=size)
        change_record(build.path, Record(made={"qemu": made}))
        build.finish()
    found = check(tmp_path, [*base, *node_layers(tmp_path)], "latest")
    assert broken(found) == rules
    assert found.node is not None and found.node.disk_free is not None


def test_a_live_system_has_a_limit_of_its_own(
    tmp_path: Path, base: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "_TMPFS", 1000)
    below = image(tmp_path / "base", base, oci.LABELS)
    assert broken(check(tmp_path, [*base, *node_layers(tmp_path)], below)) == ["node-live-space"]


def test_the_command_says_it_in_lines_and_in_json(tmp_path: Path, base: list[bytes]) -> None:
    below = image(tmp_path / "base", base, oci.LABELS)
    above = image(tmp_path / "node", [*base, *node_layers(tmp_path)])

    def run(*words: str, code: int = ExitCode.OK) -> str:
        common = ["--arch", "x86_64", "--cache", str(tmp_path / "cache"), "-q"]
        done = CliRunner().invoke(bootimg, ["verify", *words, *common])
        assert done.exit_code == code, done.output
        return done.stdout

    text = run(str(above), "--base", str(below))
    assert "layers: 2 of the base, 2 more" in text
    assert "packages: 1 added, 0 changed, 0 removed" in text
    document: dict[str, Any] = json.loads(run(str(above), "--base", str(below), "--json"))
    assert (
        document["node"]["base"] == json.loads((below / "index.json").read_text())["manifests"][0]["digest"]
    )
    run(str(below), "--base", str(above), code=ExitCode.FAILED)

"""Purity: what OpenShift's node image has is found in a layer, by each of its traces, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_build
from bootimg.cache import Cache
from bootimg.checks.findings import errors, finding
from bootimg.checks.image import image_findings
from bootimg.checks.ocp import COMPONENTS, component_of
from bootimg.checks.purity import Purity, purity
from bootimg.checks.rules import Rule, Severity
from bootimg.checks.system import System, system_of_image
from bootimg.disk.layer_deploy import PROGRAMS
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.journal import NAME, RUN, Journal
from bootimg.orchestrator.mainjob import run_build
from bootimg.orchestrator.plan import make_plan
from bootimg.orchestrator.purity_gate import require_pure
from bootimg.orchestrator.rebuild import PurityCheck, purity_check, rebuild_request, run_parameters
from bootimg.orchestrator.recipes.prepare import Layer, open_layer
from bootimg.orchestrator.request import Builder
from tests.layer.rpmdb import Evr, make_rpmdb
from tests.support.layers import oci
from tests.support.layers.rpms import needs_rpm
from tests.support.program import program
from tests.unit.orchestrator.test_variables import request
from tests.unit.osbuild.test_builder import StandIn, stand_in
from tests.unit.rpmdb.test_database import PLACE, STATUS, database, header

__all__ = ["stand_in"]
UNITS = "usr/lib/systemd/system"
ECR = "ose-aws-ecr-image-credential-provider"


def found(
    folder: Path, *members: oci.Member, labels: dict[str, str] | None = None, allow: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """Rule and evidence of what purity finds in a bootable layer with these members."""
    oci.Layout(folder / "image").add(
        [oci.bootable(), oci.tar(*members)], labels={**oci.LABELS, **(labels or {})}
    )
    cache = Cache(folder / "cache")
    image = fetch(str(folder / "image"), arch=Arch.X86_64, cache=cache, events=Events())
    system = system_of_image(image, open_tree(image, cache, Events()), cache.folder("tmp"))
    return [(each.rule.value, each.evidence) for each in purity(system, allow)]


def packages(folder: Path, *names: str, release: str = "1.el9") -> oci.Member:
    folder.mkdir(exist_ok=True)
    blobs = tuple(header(name=name, version="1", release=release, arch="x86_64") for name in names)
    return oci.file(PLACE, database(folder / "made", blobs=blobs))


@pytest.mark.parametrize(
    "name",
    ["openshift-clients", "openshift-kubelet", "openshift-hyperkube", "cri-o", "cri-o-stats", "cri-tools",
     "conmon-rs", "openvswitch3.5", "openvswitch", "openvswitch-selinux-extra-policy", "NetworkManager-ovs",
     "ose-azure-acr-image-credential-provider", "ose-crio-credential-provider", "openshift-new-thing"],
)  # fmt: skip
def test_a_package_of_openshift(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, packages(tmp_path, name)) == [("ocp-package", f"{name}-1-1.el9.x86_64")]
    assert component_of(name) is not None


def test_packages_of_rhel_are_none_of_it(tmp_path: Path) -> None:
    names = ("bash", "podman", "conmon", "crun", "criu", "NetworkManager", "openssh-server", "kernel", "osei")
    assert found(tmp_path, packages(tmp_path, *names)) == []


def test_what_was_built_for_openshift_is_a_warning_but_for_the_known(tmp_path: Path) -> None:
    names = ("afterburn-dracut", "conmon-rs", "ignition", "runc", "toolbox")
    release = "3.rhaos4.19.el9"
    assert found(tmp_path, packages(tmp_path, *names, release=release)) == [
        ("ocp-package", f"conmon-rs-1-{release}.x86_64"),
        ("ocp-release", f"runc-1-{release}.x86_64"),
    ]
    assert Rule.OCP_RELEASE.severity is Severity.WARNING


def test_debian_s_packages_are_looked_at_too(tmp_path: Path) -> None:
    status = STATUS.replace("Package: bash", "Package: cri-o")
    assert "Package: cri-o" in status
    [(rule, evidence)] = found(tmp_path, oci.file("usr/share/dpkg-db/status", status.encode()))
    assert rule == "ocp-package"
    assert evidence.startswith("cri-o-")


def test_without_a_database_packages_are_not_known(tmp_path: Path) -> None:
    assert found(tmp_path, oci.file("usr/x")) == [("packages-missing", "none")]
    assert Rule.PACKAGES_MISSING.severity is Severity.WARNING


def test_a_database_that_cannot_be_read_does_not_pass(tmp_path: Path) -> None:
    [(rule, evidence)] = found(tmp_path, oci.file(PLACE, b"no database"))
    assert rule == "packages-unreadable"
    assert Rule.PACKAGES_UNREADABLE.severity is Severity.ERROR
    assert "rpmdb-unreadable" in evidence


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    "path",
    ["usr/bin/oc", "usr/bin/kubectl", "usr/bin/kubelet", "usr/bin/crio", "usr/bin/crictl",
     "usr/libexec/crio/conmon", "usr/lib/tmpfiles.d/openshift.conf", "usr/share/openshift/base/meta.json"],
)  # fmt: skip
def test_a_file_of_openshift_be_it_a_dangling_link(tmp_path: Path, path: str, linked: bool) -> None:
    made = oci.symlink(path, "/nowhere") if linked else oci.file(path)
    assert found(tmp_path, packages(tmp_path, "bash"), made) == [("ocp-file", f"/{path}")]


def test_a_file_that_an_upper_layer_removed_is_not_there(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add(
        [
            oci.bootable(packages(tmp_path, "bash"), oci.file("usr/bin/oc")),
            oci.tar(oci.file("usr/bin/.wh.oc")),
        ]
    )
    opened = layer(tmp_path, made=True)
    assert purity(system_of_image(opened.image, opened.tree, tmp_path)) == []


@pytest.mark.parametrize(
    "path",
    [f"{UNITS}/kubelet.service", f"{UNITS}/crio-wipe.service", "etc/systemd/system/kubelet.service.d/x.conf",
     f"{UNITS}/openvswitch.service", f"{UNITS}/ovs-vswitchd.service", "usr/etc/systemd/system/crio.service"],
)  # fmt: skip
def test_a_unit_of_openshift(tmp_path: Path, path: str) -> None:
    unit = path.removesuffix("/x.conf")
    assert found(tmp_path, packages(tmp_path, "bash"), oci.file(path)) == [("ocp-unit", f"/{unit}")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("io.openshift.metalayer", "true"), ("io.openshift.os.streamclass", "rhel-9"),
     ("name", "openshift/ose-rhel-coreos-9"), ("cpe", "cpe:/a:redhat:openshift:5.0::el9")],
)  # fmt: skip
def test_a_label_of_the_node_image(tmp_path: Path, name: str, value: str) -> None:
    made = packages(tmp_path, "bash")
    assert found(tmp_path, made, labels={name: value}) == [("ocp-label", f"{name}={value}")]
    assert found(tmp_path / "again", made, labels={name: value}, allow=(name,)) == []


def test_labels_that_the_base_has_are_none_of_it(tmp_path: Path) -> None:
    labels = {
        "io.openshift.build.versions": "machine-os=9.6.20261101-0",
        "name": "rhel9/rhel-bootc",
        "cpe": "cpe:/o:redhat:enterprise_linux:9::baseos",
    }
    assert found(tmp_path, packages(tmp_path, "bash"), labels=labels) == []


def test_os_release_and_the_message_of_the_day(tmp_path: Path) -> None:
    release = oci.file("usr/lib/os-release", b'VERSION_ID="9.6"\nOPENSHIFT_VERSION="5.0"\n')
    motd = oci.file("etc/motd", b"Red Hat Enterprise Linux CoreOS\n  Part of OpenShift 5.0, RHCOS is\n")
    dropped = oci.file("usr/lib/motd.d/x", b"Part of OpenShift")
    harmless = oci.file("etc/motd.d/y", b"Welcome")
    members = (packages(tmp_path, "bash"), release, motd, dropped, harmless)
    assert found(tmp_path, *members) == [
        ("ocp-version", "OPENSHIFT_VERSION=5.0"),
        ("ocp-motd", "Part of OpenShift 5.0, RHCOS is"),
        ("ocp-motd", "Part of OpenShift"),
    ]
    allow = ("OPENSHIFT_VERSION", "/etc/motd")
    assert found(tmp_path / "again", *members, allow=allow) == [("ocp-motd", "Part of OpenShift")]


def test_an_allowed_package_brings_its_own_files_and_units(tmp_path: Path) -> None:
    members = (
        packages(tmp_path, "cri-o", "openshift-kubelet"),
        oci.file("usr/bin/crio"),
        oci.file(f"{UNITS}/crio.service"),
        oci.file("usr/bin/kubelet"),
    )
    assert found(tmp_path, *members, allow=("cri-o",)) == [
        ("ocp-package", "openshift-kubelet-1-1.el9.x86_64"),
        ("ocp-file", "/usr/bin/kubelet"),
    ]
    allow = ("cri-o", "openshift-*")
    assert found(tmp_path / "again", *members, allow=allow) == []
    alone = ("cri-?", "openshift-kubelet", "/usr/bin/crio", "crio.service", "/usr/bin/kubelet")
    assert found(tmp_path / "alone", *members, allow=alone) == []


@pytest.mark.parametrize(("stream", "pure"), [("rhel-9.6", True), ("rhel-9.8", False)])
def test_the_exception_of_a_stream_is_that_stream_s_alone(tmp_path: Path, stream: str, pure: bool) -> None:
    # Its release has the mark too.
    made = packages(tmp_path, ECR, release="2.rhaos4.19.el9")
    rules = [rule for rule, _ in found(tmp_path, made, labels={"com.coreos.stream": stream})]
    assert rules == ([] if pure else ["ocp-package"])


def layer(folder: Path, *members: oci.Member, made: bool = False) -> Layer:
    if not made:
        oci.Layout(folder / "image").add([oci.bootable(*members)])
    return open_layer(request(folder), Cache(folder / "cache"), Events())


def system(opened: Layer, folder: Path) -> System:
    return system_of_image(opened.image, opened.tree, folder)


@needs_rpm
def test_a_layer_with_openshift_s_clients_is_refused_and_passes_when_allowed(tmp_path: Path) -> None:
    data = make_rpmdb(
        {"openshift-clients": Evr(0, "4.19.0", "202501.p0.el9"), "bash": Evr(0, "5.1.8", "9.el9")}
    )
    opened = layer(tmp_path, oci.file(PLACE, data), oci.file("usr/bin/oc"))
    wanted = request(tmp_path)
    with pytest.raises(BootimgError) as error:
        require_pure(wanted, opened, system(opened, tmp_path), Events())
    assert (error.value.id, error.value.exit_code) == ("layer-not-pure", ExitCode.USAGE)
    package, file = error.value.context
    assert "openshift-clients-0:4.19.0-202501.p0.el9.x86_64" in package
    assert "/usr/bin/oc" in file
    assert "--skip-disk-images" in (error.value.hint or "")
    allowed = replace(wanted, allow=("openshift-clients",))
    assert require_pure(allowed, opened, system(opened, tmp_path), Events()) == []


@pytest.mark.parametrize("name", ["Packages", "Packages.db", "rpmdb.sqlite"])
def test_a_database_that_is_not_read_is_no_content_of_openshift(name: str, tmp_path: Path) -> None:
    opened = layer(tmp_path, oci.file(f"usr/lib/sysimage/rpm/{name}", b"other"))
    with pytest.raises(BootimgError) as error:
        require_pure(request(tmp_path), opened, system(opened, tmp_path), Events())
    assert (error.value.id, error.value.exit_code) == ("layer-purity-unknown", ExitCode.USAGE)
    assert "rpmdb-unreadable" in error.value.context[0]
    assert "has content" not in error.value.message
    both = layer(tmp_path / "both", oci.file(f"usr/lib/sysimage/rpm/{name}", b"x"), oci.file("usr/bin/oc"))
    with pytest.raises(BootimgError) as error:
        require_pure(request(tmp_path), both, system(both, tmp_path), Events())
    assert error.value.id == "layer-not-pure"


@pytest.mark.parametrize("mode", Purity)
def test_what_is_done_about_it(tmp_path: Path, mode: Purity) -> None:
    opened, said = layer(tmp_path, packages(tmp_path, "bash"), oci.file("usr/bin/oc")), []
    events = Events([lambda event: said.append(event)])
    wanted_mode = replace(request(tmp_path), purity=mode)

    def check() -> Any:  # noqa: ANN401
        return require_pure(wanted_mode, opened, system(opened, tmp_path), events)

    if mode is Purity.ERROR:
        with pytest.raises(BootimgError):
            check()
        return
    rules = [each.rule for each in check()]
    warnings: list[Event] = [each for each in said if isinstance(each, Message) and each.level == "warning"]
    wanted = [] if mode is Purity.OFF else [Rule.OCP_FILE]
    assert (rules, len(warnings)) == (wanted, len(wanted))


def test_a_build_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    oci.Layout(tmp_path / "image").add([oci.bootable(oci.file("usr/bin/oc"))])
    cache = Cache(tmp_path / "cache")
    with pytest.raises(BootimgError) as error:
        run_build(request(tmp_path), cache, Events())
    assert error.value.id == "layer-not-pure"
    assert not (tmp_path / "builds").exists()
    assert not (cache.root / "repo").exists()
    # The step is done only when the layer may be used.
    stopped = run_build(
        replace(request(tmp_path), stop_after="layers", allow=("/usr/bin/oc",)), cache, Events()
    )
    assert stopped.stopped_after == "layers"


def test_a_plan_refuses_what_build_would(tmp_path: Path) -> None:
    cache, wanted = Cache(tmp_path / "cache"), request(tmp_path)
    oci.Layout(tmp_path / "image").add([oci.bootable(oci.file("usr/bin/oc"))])
    # Of a layer that was never opened that cannot be told.
    assert not make_plan(wanted, cache).exact
    open_layer(wanted, cache, Events())
    with pytest.raises(BootimgError) as error:
        make_plan(wanted, cache)
    assert error.value.id == "layer-not-pure"
    assert make_plan(replace(wanted, allow=("/usr/bin/oc",)), cache).exact


def test_the_journal_has_what_was_let_pass(tmp_path: Path) -> None:
    opened = layer(tmp_path, packages(tmp_path, "bash"), oci.file("usr/bin/oc"))
    asked_for = replace(request(tmp_path), purity=Purity.WARN, allow=("x",))
    impure = require_pure(asked_for, opened, system(opened, tmp_path), Events())
    said = json.loads(json.dumps(run_parameters(asked_for, opened, impure)))
    assert (said["purity"], said["allow"]) == ("warn", ["x"])
    assert [each["evidence"] for each in said["impure"]] == ["/usr/bin/oc"]


def test_what_was_once_let_pass_stays_in_the_journal(tmp_path: Path) -> None:
    opened = layer(tmp_path, packages(tmp_path, "bash"), oci.file("usr/bin/oc"), oci.file("usr/bin/crio"))
    held = system(opened, tmp_path)
    said: dict[str, Any] = {}
    for name, changes in {
        "warn": {"purity": Purity.WARN, "allow": ("/usr/bin/crio",)},
        "off": {"purity": Purity.OFF},
        "again": {"purity": Purity.WARN},
    }.items():
        wanted = replace(request(tmp_path), **changes)  # type: ignore[arg-type]
        before = said.get("off") or said.get("warn") or {}
        impure = require_pure(wanted, opened, held, Events())
        said[name] = json.loads(json.dumps(run_parameters(wanted, opened, impure, before)))
    evidence = {name: [each["evidence"] for each in run["impure"]] for name, run in said.items()}
    assert evidence["warn"] == evidence["off"] == ["/usr/bin/oc"]
    assert sorted(evidence["again"]) == ["/usr/bin/crio", "/usr/bin/oc"]
    assert (said["off"]["purity"], said["off"]["allow"]) == ("off", [])


def test_more_of_an_impure_build_leaves_it_recorded_as_that(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in()
    made_of = [packages(tmp_path, "bash"), oci.file("usr/bin/oc"), *map(oci.file, PROGRAMS)]
    oci.Layout(tmp_path / "image").add([oci.bootable(*made_of)])
    cache = Cache(tmp_path / "cache")
    first = replace(request(tmp_path), builder=Builder.OSBUILD, accelerator="tcg")
    made = run_build(replace(first, purity=Purity.WARN), cache, Events())
    build = find_build(tmp_path / "builds", made.build_id, made.arch)
    run_build(replace(rebuild_request(build, first), purity=Purity.OFF), cache, Events())
    said = Journal(made.path / NAME).last(RUN, "begun")
    assert (said["purity"], [each["evidence"] for each in said["impure"]]) == ("off", ["/usr/bin/oc"])


def test_what_another_layer_had_or_nobody_can_read_is_not_recorded(tmp_path: Path) -> None:
    opened = layer(tmp_path)
    for before in ({"digest": "sha256:other", "impure": [{"evidence": "x"}]}, {"impure": "x"}, {}):
        assert run_parameters(request(tmp_path), opened, (), before)["impure"] == []
    kept = run_parameters(request(tmp_path), opened, (), {"impure": [{"evidence": "of an older version"}]})
    assert kept["impure"] == [{"evidence": "of an older version"}]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (None, PurityCheck()),
        ({}, PurityCheck()),
        ({"purity": "warn", "allow": ["oc"]}, PurityCheck(Purity.WARN, ("oc",))),
        ({"purity": "of a newer version", "allow": "oc"}, PurityCheck()),
        ({"purity": ["warn"], "allow": []}, PurityCheck(None, ())),
    ],
    ids=["coreos-assembler's", "older", "ours", "newer", "damaged"],
)
def test_how_a_build_was_judged_is_in_its_journal(
    tmp_path: Path, said: dict[str, object] | None, wanted: PurityCheck
) -> None:
    journal = Journal(tmp_path / NAME)
    if said is not None:
        journal.record(RUN, "begun", purity="off", allow=["of the run before"])
        journal.record(RUN, "begun", **said)
    assert purity_check(Build("1", Arch.X86_64, tmp_path, {})) == wanted


@pytest.mark.parametrize("words", [["--allow", "openshift-clients"], ["--purity", "off"], []])
def test_the_command_refuses_and_lets_pass(tmp_path: Path, words: list[str]) -> None:
    made = packages(tmp_path, "openshift-clients")
    oci.Layout(tmp_path / "image").add([oci.bootable(made)])
    folders = ["-o", tmp_path / "builds", "--cache", tmp_path / "cache"]
    done = program("build", tmp_path / "image", "--until", "layers", "--arch", "x86_64", *folders, *words)
    assert done.returncode == (0 if words else ExitCode.USAGE), done.stderr
    assert ("layer-not-pure" in done.stderr) is not bool(words)
    assert ("openshift-clients-1-1.el9.x86_64" in done.stderr) is not bool(words)


def test_many_findings_are_listed_up_to_a_bound(tmp_path: Path) -> None:
    names = [f"ose-{number}" for number in range(150)]
    opened = layer(tmp_path, packages(tmp_path, *names))
    with pytest.raises(BootimgError) as error:
        require_pure(request(tmp_path), opened, system(opened, tmp_path), Events())
    assert len(error.value.context) == 101
    assert error.value.context[-1] == "and 50 more: `bootimg verify` lists them"


def test_purity_of_verify_is_said_as_it_is_wanted(tmp_path: Path) -> None:
    opened = layer(tmp_path, packages(tmp_path, "bash"), oci.file("usr/bin/oc"))

    def levels(mode: Purity) -> list[str]:
        listed = image_findings(opened.image, opened.tree, tmp_path, mode)
        return [each.severity.value for each in listed if each.rule is Rule.OCP_FILE]

    assert [levels(mode) for mode in Purity] == [[], ["warning"], ["error"]]


@given(st.text(max_size=500))
def test_evidence_is_short_and_cannot_command_a_terminal(text: str) -> None:
    made = finding(Rule.OCP_LABEL, "image", text, "x")
    assert made.evidence.isprintable()
    assert len(made.evidence) <= 301 * 10
    assert errors([made]) == [made]


def test_every_component_finds_its_own_package() -> None:
    for each in COMPONENTS:
        assert component_of(each.package.replace("*", "x")) is each

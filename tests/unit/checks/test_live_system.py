"""The system inside a live ISO is checked like that of an image or a disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootimg.api.looking import inspect, verify
from bootimg.checks.findings import Finding
from bootimg.checks.purity import Purity
from bootimg.cli.output.isolines import iso_lines
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, Message
from bootimg.live.embed.edit import opened_iso
from bootimg.live.miniso.extract import extract_minimal
from tests.support.live.livefiles import TEMPLATE, rootfs_image, whole_iso, written, written_whole
from tests.support.live.liveiso import kargs_info
from tests.support.live.livesystem import DEPLOYMENT, good_iso, live_tree, squashfs_of, system_files

Change = Callable[[dict[str, bytes]], object]


@dataclass(frozen=True)
class Maker:
    """Makes ISOs below a folder."""

    folder: Path

    def files(self, *packages: str) -> dict[str, bytes]:
        (self.folder / "work").mkdir()
        return system_files(self.folder / "work", *packages)

    def iso(self, files: Mapping[str, bytes], *deployments: str) -> Path:
        tree = self.folder / "tree"
        for each in deployments or (DEPLOYMENT,):
            live_tree(files, tree, each)
        return self.of(squashfs_of(tree, self.folder / "squashfs"))

    def of(self, filesystem: bytes) -> Path:
        return written(good_iso(rootfs_image(filesystem=filesystem)), self.folder / "live.iso")


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def found(iso: Path, **options: object) -> list[Finding]:
    cache = iso.parent / "cache"
    return list(verify(iso, cache=cache, **options).findings)  # type: ignore[arg-type]


def rules(iso: Path, **options: object) -> list[str]:
    return sorted({each.rule.value for each in found(iso, **options)})


def test_a_good_system(maker: Maker) -> None:
    assert found(maker.iso(maker.files("bash"))) == []


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda files: files.update({"usr/bin/oc": b""}), "ocp-file"),
        (lambda files: files.update({"usr/lib/systemd/system/kubelet.service": b""}), "ocp-unit"),
        (lambda files: files.update({"usr/lib/motd.d/x": b"Part of OpenShift 4.19"}), "ocp-motd"),
        (lambda files: files.update({"etc/os-release": b"ID=rhel\nVERSION_ID=9.4\n"}), "version-id"),
        (lambda files: files.pop("usr/bin/rpm-ostree"), "pivot-program"),
        (lambda files: files.pop("usr/lib/systemd/system/sshd.service"), "pivot-unit"),
        (lambda files: files.pop("usr/share/rpm/rpmdb.sqlite"), "packages-missing"),
        (lambda files: files.update({"usr/share/rpm/rpmdb.sqlite": b"x"}), "packages-unreadable"),
    ],
)
def test_what_is_wrong_is_found(maker: Maker, change: Change, broken: str) -> None:
    files = maker.files("bash")
    change(files)
    assert broken in rules(maker.iso(files))


def test_packages_of_openshift(maker: Maker) -> None:
    iso = maker.iso(maker.files("bash", "cri-o"))
    [each] = found(iso)
    assert (each.rule.value, each.evidence) == ("ocp-package", "cri-o-1-1.el9.x86_64")
    assert each.where == "deployment in rhcos, package database"
    assert rules(iso, allow=["cri-o"]) == []
    assert rules(iso, purity=Purity.OFF) == []


def test_deployments_are_counted(maker: Maker) -> None:
    files = maker.files("bash")
    assert rules(maker.iso(files, "ostree/deploy")) == ["live-system"]
    second = DEPLOYMENT.replace("c0", "c1")
    assert rules(maker.iso(files, DEPLOYMENT, second)) == ["live-system"]


def test_a_system_that_cannot_be_read(maker: Maker) -> None:
    """Its superblock is good."""
    maker.iso(maker.files("bash"))
    data = bytearray((maker.folder / "squashfs").read_bytes())
    data[96:] = b"\xa5" * (len(data) - 96)
    [each] = found(maker.of(bytes(data)))
    assert each.rule.value == "live-system"


def test_a_minimal_iso_has_no_system(maker: Maker) -> None:
    spaced = json.dumps(json.loads(kargs_info(TEMPLATE)), indent=2).encode()
    full = written_whole(whole_iso(kargs_info=spaced), maker.folder / "full.iso")
    with opened_iso(full) as iso:
        extract_minimal(iso, maker.folder / "minimal.iso")
    assert found(maker.folder / "minimal.iso") == []


def test_packages_are_inspected(maker: Maker) -> None:
    document = inspect(maker.iso(maker.files("bash", "acl")), cache=maker.folder / "cache")
    assert [each["name"] for each in document["packages"]] == ["acl", "bash"]
    assert "bash-1-1.el9.x86_64" in "\n".join(iso_lines(document))


def test_packages_that_cannot_be_read_are_a_warning(maker: Maker) -> None:
    files = maker.files("bash") | {"usr/share/rpm/rpmdb.sqlite": b"x"}
    sent: list[Event] = []
    document = inspect(
        maker.iso(files), cache=maker.folder / "cache", events=Events([lambda event: sent.append(event)])
    )
    assert document["packages"] is None
    [message] = [each for each in sent if isinstance(each, Message)]
    assert (message.level, message.text.partition(":")[0]) == ("warning", "rpmdb-unreadable")


def test_without_the_program_verify_stops(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot be made does not pass."""
    iso = maker.iso(maker.files("bash"))
    monkeypatch.setattr("bootimg.process.find", lambda _: None)
    with pytest.raises(BootimgError, match="program-missing") as caught:
        found(iso)
    assert caught.value.exit_code == 3

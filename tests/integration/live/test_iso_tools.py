"""Our ISOs and our `iso` verbs beside other programs: isoinfo, xorriso and the real coreos-installer.

coreos-installer and bootimg make the same changes, byte for byte, in an ISO of ours and, where it lies beside
the checkout, in one of coreos-assembler's; of s390x too, where all areas are in the boot image.
"""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bootimg.__main__ import main
from bootimg.errors import BootimgError
from bootimg.live.iso.layout import IsoLayout
from tests.layer import tools
from tests.support.live.liveiso import DEFAULT, VOLUME, host_syslinux, live_iso, write
from tests.support.live.s390xiso import written_s390x

EXAMPLES = Path(__file__).parents[4] / "shared/data"
CONFIG = '{"ignition": {"version": "3.4.0"}, "passwd": {"users": [{"name": "core"}]}}\n'
KEYFILE = "[connection]\nid=eth0\n"
REPORT = {
    "El Torito boot img :   1": "BIOS  y   none  0x0000  0x00      4",
    "El Torito boot img :   2": "UEFI  y   none  0x0000  0x00     36",
    "El Torito img path :   1": "/isolinux/isolinux.bin",
    "El Torito img opts :   1": "boot-info-table isohybrid-suitable",
    "El Torito img path :   2": "/images/efiboot.img",
    "El Torito cat path": "/isolinux/boot.cat",
    "System area summary": "MBR isohybrid cyl-align-on GPT",
    "MBR partition path :   2": "/images/efiboot.img",
    "GPT partname local :   1": "ISOHybrid ISO",
    "GPT partname local :   2": "ISOHybrid",
    "GPT partition path :   2": "/images/efiboot.img",
}
"""What xorriso reports: line, and how its value begins."""


def output(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(scope="module")
def layout() -> IsoLayout:
    try:
        return live_iso(syslinux=host_syslinux()).layout()
    except BootimgError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def own(layout: IsoLayout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(layout, tmp_path_factory.mktemp("iso") / "live.iso").path


@pytest.mark.skipif(not shutil.which("xorriso"), reason="xorriso is not installed")
def test_xorriso_reports_the_catalogue_and_the_tables_of_the_disk(own: Path, layout: IsoLayout) -> None:
    said = output("xorriso", "-indev", own, "-report_el_torito", "plain", "-report_system_area", "plain")
    lines = said.splitlines()
    for key, value in REPORT.items():
        [line] = [each for each in lines if each.startswith(key)]
        assert line.removeprefix(key).strip(" :").startswith(value), line
    efi = layout.offsets["images/efiboot.img"] // 512
    [whole] = [line.split()[4:] for line in lines if line.startswith("MBR partition      :   1")]
    assert whole == ["0x80", "0x00", "0", str(layout.size // 512)]
    [second] = [line.split()[4:] for line in lines if line.startswith("MBR partition      :   2")]
    assert second == ["0x00", "0xef", str(efi), "36"]
    assert "GPT CRC" not in said
    assert "wrong" not in said
    assert "problems" not in said


@pytest.mark.skipif(not shutil.which("isoinfo"), reason="isoinfo (genisoimage) is not installed")
def test_isoinfo_reports_the_catalogue_and_the_three_trees(own: Path, layout: IsoLayout) -> None:
    said = output("isoinfo", "-d", "-i", own)
    assert f"Volume id: {VOLUME.id}\n" in said
    assert "Joliet with UCS level 3 found" in said
    assert "Rock Ridge signatures version 1 found" in said
    assert f"boot catalog is in sector {layout.offsets['isolinux/boot.cat'] // 2048}" in said
    assert "Arch 0 (x86)" in said
    assert f"Bootoff {layout.offsets['isolinux/isolinux.bin'] // 2048:X}" in said
    names = output("isoinfo", "-f", "-i", own).split()
    assert {"/COREOS/IGNINFO.JSO;1", "/COREOS/KARGS.JSO;1", "/COREOS/FEATURES.JSO;1", "/COREOS/MINISO.DAT;1",
            "/IMAGES/PXEBOOT/ROOTFS.IMG;1", "/EFI/REDHAT/GRUB.CFG;1"} <= {*names}  # fmt: skip


@pytest.fixture(scope="module")
def installer() -> Path:
    """The compiled coreos-installer."""
    if reason := tools.why_not("coreos-installer"):
        pytest.skip(reason)
    return tools.program("coreos-installer")


@pytest.fixture(params=["own", "own of s390x", "x86_64", "s390x"])
def iso(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An ISO that may be changed: ours, or an example."""
    path = tmp_path / "live.iso"
    if request.param == "own":
        return Path(shutil.copy(request.getfixturevalue("own"), path))
    if request.param == "own of s390x":
        return Path(shutil.copy(written_s390x(tmp_path / "own"), path))
    example = EXAMPLES / f"embed-areas-2023-07.{request.param}.iso.xz"
    if not example.exists():
        pytest.skip(f"there is no {example.name} beside the checkout")
    path.write_bytes(lzma.decompress(example.read_bytes()))
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.ign"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def keyfiles(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.nmconnection" for name in ("eth1", "eth0")]
    for path in paths:
        path.write_text(KEYFILE)
    return paths


class Both:
    """The two programs, each with a copy of its own of one ISO."""

    def __init__(self, installer: Path, iso: Path) -> None:
        self.installer = installer
        self.before = iso.read_bytes()
        self.theirs, self.ours = iso.with_name("theirs.iso"), iso.with_name("ours.iso")
        for path in (self.theirs, self.ours):
            path.write_bytes(self.before)

    def they(self, *words: str | Path) -> str:
        return output(self.installer, *words, self.theirs)

    def we(self, *words: str | Path) -> None:
        assert main([*map(str, words[:-1]), str(words[-1]), str(self.ours)]) == 0

    def assert_same(self, *, changed: bool) -> None:
        theirs = self.theirs.read_bytes()
        assert self.ours.read_bytes() == theirs
        assert (theirs != self.before) == changed


@pytest.fixture
def both(installer: Path, iso: Path) -> Both:
    return Both(installer, iso)


def test_ignition_configs_are_embedded_alike(both: Both, config: Path) -> None:
    both.they("iso", "ignition", "embed", "-i", config)
    both.we("iso", "ignition", "embed", "-i", config)
    both.assert_same(changed=True)
    assert output(both.installer, "iso", "ignition", "show", both.ours) == CONFIG
    both.they("iso", "ignition", "remove")
    both.we("iso", "ignition", "remove")
    both.assert_same(changed=False)


def test_the_network_is_embedded_alike(
    both: Both, config: Path, keyfiles: list[Path], tmp_path: Path
) -> None:
    options = [word for path in keyfiles for word in ("-k", str(path))]
    for run in (both.they, both.we):
        run("iso", "ignition", "embed", "-i", config)
        run("iso", "network", "embed", *options)
    both.assert_same(changed=True)
    for name, path in (("theirs", both.theirs), ("ours", both.ours)):
        folder = tmp_path / name
        if name == "theirs":
            assert main(["iso", "network", "extract", str(path), "-C", str(folder)]) == 0
        else:
            output(both.installer, "iso", "network", "extract", "-C", folder, path)
        assert {each.name: each.read_text() for each in folder.iterdir()} == {
            each.name: KEYFILE for each in keyfiles
        }
    for run in (both.they, both.we):
        run("iso", "network", "remove")
    both.assert_same(changed=True)


def test_kernel_arguments_are_changed_alike(both: Both, capfd: pytest.CaptureFixture[str]) -> None:
    both.they("iso", "kargs", "modify", "-a", "console=ttyS1", "-a", "last")
    assert main(["iso", "kargs", "append", str(both.ours), "console=ttyS1", "last"]) == 0
    both.assert_same(changed=True)
    capfd.readouterr()
    assert main(["iso", "kargs", "show", str(both.theirs)]) == 0
    assert output(both.installer, "iso", "kargs", "show", both.ours) == capfd.readouterr().out
    both.they("iso", "kargs", "modify", "-d", "console=ttyS1", "-d", "ignition.firstboot")
    assert main(["iso", "kargs", "delete", str(both.ours), "console=ttyS1", "ignition.firstboot"]) == 0
    both.assert_same(changed=True)
    both.they("iso", "kargs", "reset")
    both.we("iso", "kargs", "reset")
    both.assert_same(changed=False)


def test_a_customized_iso_is_reset_alike(
    both: Both, config: Path, keyfiles: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--live-ignition", config, "--dest-ignition", config, "--dest-device", "/dev/vda"]
    options += ["--dest-karg-append", "dest", "--live-karg-append", "live", "--network-keyfile", keyfiles[0]]
    both.they("iso", "customize", *map(str, options))
    shutil.copy(both.theirs, both.ours)
    both.assert_same(changed=True)
    capfd.readouterr()
    assert main(["iso", "show", str(both.ours), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["kargs"] == f"{found['kargs-default']} live"
    assert {"config.ign", "etc/coreos-firstboot-network/eth1.nmconnection"} <= {*found["embedded"]}
    both.they("iso", "reset")
    both.we("iso", "reset")
    both.assert_same(changed=False)


def test_the_files_for_pxe_are_extracted_alike(both: Both, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "pxe-theirs", tmp_path / "pxe-ours"
    shutil.copy(both.theirs, both.ours)
    output(both.installer, "iso", "extract", "pxe", "-o", theirs, both.ours)
    assert main(["iso", "extract", "pxe", str(both.ours), "-C", str(ours)]) == 0
    found = {each.name: each.read_bytes() for each in ours.iterdir()}
    assert found == {each.name: each.read_bytes() for each in theirs.iterdir()}
    assert {*found} >= {"ours-vmlinuz", "ours-initrd.img", "ours-rootfs.img"}


def test_a_config_is_wrapped_alike(installer: Path, config: Path, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.img", tmp_path / "ours.img"
    output(installer, "pxe", "ignition", "wrap", "-i", config, "-o", theirs)
    assert main(["pxe", "ignition", "wrap", "-i", str(config), "-o", str(ours)]) == 0
    assert ours.read_bytes() == theirs.read_bytes()


def shown(installer: Path, iso: Path, *options: str) -> Any:  # noqa: ANN401
    return json.loads(output(installer, "dev", "show", "iso", *options, iso))


def test_coreos_installer_shows_what_we_wrote(installer: Path, own: Path, layout: IsoLayout) -> None:
    found = shown(installer, own)
    [volume] = [each for each in found["header"]["descriptors"] if each["type"] == "primary"]
    assert volume["volume_id"] == VOLUME.id
    assert volume["volume_space_size"] * 2048 == layout.volume_size
    assert "COREOS/MINISO.DAT" in found["records"]
    area = shown(installer, own, "--ignition")
    assert (area["offset"], area["length"]) == (layout.offsets["images/ignition.img"], 262144)
    kargs = shown(installer, own, "--kargs")
    assert kargs["default"] == DEFAULT
    assert len(kargs["kargs"]) == 2


def test_coreos_installer_finds_the_areas_of_s390x_in_the_boot_image(installer: Path, tmp_path: Path) -> None:
    iso = written_s390x(tmp_path)
    data = iso.read_bytes()
    area = shown(installer, iso, "--ignition")
    assert area["length"] == 262144
    assert not any(data[area["offset"] : area["offset"] + 262144])
    kargs = shown(installer, iso, "--kargs")
    assert (kargs["default"], kargs["length"]) == (DEFAULT, 896)
    [place] = kargs["kargs"]
    assert data[place["offset"] :].startswith(DEFAULT.encode() + bytes(896 - len(DEFAULT)))
    assert (place["pad"], place["end"]) == ("\0", "\0")

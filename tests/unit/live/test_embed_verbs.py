"""`bootimg iso` and `bootimg pxe`, run in this process on small ISOs."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.__main__ import main
from bootimg.live.embed.initrd import decode
from bootimg.untrusted.budget import Budget
from tests.support.live.liveiso import AREA, DEFAULT, FEATURES, VOLUME, written_iso

CONFIG = b'{"ignition": {"version": "3.4.0"}}\n'
Result = tuple[int, bytes, str]
Run = Callable[..., Result]


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    return written_iso(tmp_path / "live.iso")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.ign"
    path.write_bytes(CONFIG)
    return path


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    path = tmp_path / "eth0.nmconnection"
    path.write_text("[connection]\nid=eth0\n")
    return path


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*arguments: str | Path) -> Result:
        code = main([str(each) for each in arguments])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run


def refused(result: Result, id: str) -> None:
    code, out, err = result
    assert (code, out) == (2, b"")
    assert err.startswith(f"error: {id}\n")


def test_an_ignition_config_goes_in_and_out(iso: Path, config: Path, run: Run) -> None:
    before = iso.read_bytes()
    assert run("iso", "ignition", "show", iso)[0] == 1
    assert run("iso", "ignition", "embed", iso, "-i", config)[0] == 0
    assert run("iso", "ignition", "show", iso) == (0, CONFIG, "")
    code, out, _ = run("iso", "ignition", "show", iso, "--json")
    assert (code, json.loads(out)) == (0, {"config": CONFIG.decode()})
    refused(run("iso", "ignition", "embed", iso, "-i", config), "iso-area-filled")
    assert run("iso", "ignition", "embed", iso, "-i", config, "--force")[0] == 0
    assert run("iso", "ignition", "remove", iso)[0] == 0
    assert iso.read_bytes() == before


def test_a_copy_and_a_stream_have_the_change_and_the_iso_stays(
    iso: Path,
    config: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    before = iso.read_bytes()
    copy = tmp_path / "copy.iso"
    assert run("iso", "ignition", "embed", iso, "-i", config, "-o", copy)[0] == 0
    code, streamed, _ = run("iso", "ignition", "embed", iso, "-i", config, "-o", "-")
    assert code == 0
    assert copy.read_bytes() == streamed
    assert iso.read_bytes() == before
    run("iso", "ignition", "embed", iso, "-i", config)
    assert iso.read_bytes() == streamed
    refused(run("iso", "reset", iso, "-o", copy), "output-exists")
    assert copy.read_bytes() == streamed


def test_a_copy_needs_a_folder(iso: Path, config: Path, run: Run, tmp_path: Path) -> None:
    before = iso.read_bytes()
    embed = ("iso", "ignition", "embed", iso, "-i", config, "-o")
    for output in (tmp_path / "missing/x.iso", config / "x.iso"):
        code, out, err = run(*embed, output)
        assert (code, out, err.partition("\n")[0]) == (3, b"", "error: folder-not-writable")
        assert "hint: make the folder" in err
    assert iso.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"live.iso", "config.ign"}


def test_the_network_and_the_config_do_not_know_of_each_other(
    iso: Path,
    config: Path,
    keyfile: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    before = iso.read_bytes()
    other = tmp_path / "other" / "wlan0.nmconnection"
    other.parent.mkdir()
    other.write_text("[connection]\n")
    run("iso", "ignition", "embed", iso, "-i", config)
    only_config = iso.read_bytes()
    assert run("iso", "network", "embed", iso, "-k", keyfile, "-k", other)[0] == 0
    assert run("iso", "ignition", "show", iso)[1] == CONFIG
    refused(run("iso", "network", "embed", iso, "-k", keyfile), "iso-area-filled")
    _, out, _ = run("iso", "network", "extract", iso)
    assert out.decode().splitlines() == [
        "########## eth0.nmconnection ##########", "[connection]", "id=eth0",
        "########## wlan0.nmconnection ##########", "[connection]",
    ]  # fmt: skip
    folder = tmp_path / "keyfiles"
    assert run("iso", "network", "extract", iso, "-C", folder)[0] == 0
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {
        "eth0.nmconnection": keyfile.read_bytes(), "wlan0.nmconnection": other.read_bytes()
    }  # fmt: skip
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    refused(run("iso", "network", "extract", iso, "-C", folder), "output-exists")
    assert run("iso", "network", "embed", iso, "-k", other, "-f")[0] == 0
    assert b"eth0" not in run("iso", "network", "extract", iso)[1]
    assert run("iso", "network", "remove", iso)[0] == 0
    assert iso.read_bytes() == only_config
    assert run("iso", "network", "extract", iso)[0] == 1
    assert run("iso", "ignition", "remove", iso)[0] == 0
    assert iso.read_bytes() == before


def test_keyfiles_of_one_name_are_refused(iso: Path, keyfile: Path, run: Run, tmp_path: Path) -> None:
    twin = tmp_path / "twin" / keyfile.name
    twin.parent.mkdir()
    twin.write_text("")
    before = iso.read_bytes()
    refused(run("iso", "network", "embed", iso, "-k", keyfile, "-k", twin), "iso-keyfile-twice")
    assert iso.read_bytes() == before


@pytest.mark.parametrize("name", ["a\nb", "a\udcff"])
def test_a_keyfile_with_a_name_that_cannot_be_shown_is_refused(
    name: str, iso: Path, run: Run, tmp_path: Path
) -> None:
    """Such as line breaks, and bytes that are not UTF-8."""
    (tmp_path / name).write_text("")
    before = iso.read_bytes()
    refused(run("iso", "network", "embed", iso, "-k", tmp_path / name), "iso-keyfile-invalid")
    assert iso.read_bytes() == before


def test_an_iso_that_does_not_read_the_network_is_refused(keyfile: Path, run: Run, tmp_path: Path) -> None:
    iso = written_iso(tmp_path / "old.iso", features=FEATURES.replace(b"true}", b"false}"))
    refused(run("iso", "network", "embed", iso, "-k", keyfile), "iso-area-missing")


def test_kernel_arguments_are_added_removed_and_reset(iso: Path, run: Run) -> None:
    before = iso.read_bytes()
    assert run("iso", "kargs", "show", iso) == (0, f"{DEFAULT}\n".encode(), "")
    assert run("iso", "kargs", "append", iso, "console=ttyS1", 'a="b c"')[0] == 0
    assert run("iso", "kargs", "show", iso)[1].decode() == f'{DEFAULT} console=ttyS1 a="b c"\n'
    assert iso.read_bytes().count(b'console=ttyS1 a="b c"\n##') == 2
    assert run("iso", "kargs", "delete", iso, "mitigations=auto", 'a="b c"')[0] == 0
    _, out, _ = run("iso", "kargs", "show", iso, "--json")
    assert json.loads(out) == {"kargs": f"{DEFAULT.removeprefix('mitigations=auto ')} console=ttyS1"}
    assert run("iso", "kargs", "show", iso, "--default")[1].decode() == f"{DEFAULT}\n"
    assert run("iso", "kargs", "reset", iso)[0] == 0
    assert iso.read_bytes() == before


@pytest.mark.parametrize(
    ("verb", "argument", "id"),
    [
        ("append", "$x", "kernel-argument-invalid"),
        ("append", "", "kernel-argument-invalid"),
        ("append", "x" * len(AREA), "iso-area-too-small"),
        ("delete", "mitigations", "kernel-argument-missing"),
    ],
)
def test_arguments_that_cannot_be_are_refused(verb: str, argument: str, id: str, iso: Path, run: Run) -> None:
    before = iso.read_bytes()
    refused(run("iso", "kargs", verb, iso, argument), id)
    assert iso.read_bytes() == before


def test_a_config_that_is_none_is_refused(iso: Path, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.ign"
    config.write_text("{")
    refused(run("iso", "ignition", "embed", iso, "-i", config), "ignition-config-invalid")


def test_a_file_that_may_not_be_written_is_refused(run: Run) -> None:
    # Nobody may write to a program that runs.
    refused(run("iso", "reset", Path(sys.executable).resolve()), "iso-not-writable")


def test_show_says_all(iso: Path, config: Path, run: Run) -> None:
    run("iso", "ignition", "embed", iso, "-i", config)
    run("iso", "kargs", "append", iso, "more")
    _, out, _ = run("iso", "show", iso, "--json")
    found = json.loads(out)
    assert found["volume-id"] == VOLUME.id
    assert [each["platform"] for each in found["boot"]] == [0, 239]
    assert found["ignition-area"]["length"] == 262144
    assert found["embedded"] == ["config.ign"]
    assert found["network-supported"]
    assert [each["length"] for each in found["kargs-areas"]] == [len(AREA)] * 2
    assert (found["kargs"], found["kargs-default"]) == (f"{DEFAULT} more", DEFAULT)
    text = run("iso", "show", iso)[1].decode()
    assert "BIOS, UEFI" in text
    assert "more  (changed)" in text


def test_the_files_for_pxe_are_extracted(iso: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pxe"
    assert run("iso", "extract", "pxe", iso, "-C", folder)[0] == 0
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {
        "live-vmlinuz": b"the kernel",
        "live-initrd.img": b"the initramfs" * 300,
        "live-rootfs.img": b"the rootfs" * 5000,
    }
    (folder / "live-vmlinuz").unlink()
    refused(run("iso", "extract", "pxe", iso, "-C", folder), "output-exists")
    assert not (folder / "live-vmlinuz").exists()


def test_a_wrapped_config_is_an_initramfs(config: Path, run: Run, tmp_path: Path) -> None:
    code, out, _ = run("pxe", "ignition", "wrap", "-i", config)
    assert (code, decode(out, Budget())) == (0, {"config.ign": CONFIG})
    assert run("pxe", "ignition", "wrap", "-i", config, "-o", tmp_path / "x.img")[0] == 0
    assert (tmp_path / "x.img").read_bytes() == out

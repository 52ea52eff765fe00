"""What is given to pvimg, and what is checked of its image; a stand-in takes the program's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.secex.hostimage import Parts, find_program, make_host_image
from tests.support.arches.pvimg import SeenPvimg, stand_in_image

PARTS = Parts(kernel=b"kernel", initramfs=b"initramfs", private_key=b"secret", arguments="a b=c")


@pytest.fixture
def pvimg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SeenPvimg:
    found = SeenPvimg(tmp_path / "seen")
    found.install()
    (found.folder / "stand-in").write_bytes(stand_in_image(keys=2))
    monkeypatch.setenv("PATH", f"{found.programs}:/usr/bin:/bin")
    return found


def made(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    output = tmp_path / "scratch/image"
    make_host_image(PARTS, [tmp_path / "one.crt", tmp_path / "two.crt"], output)
    return output


def test_the_key_is_behind_the_initramfs_and_in_no_file(pvimg: SeenPvimg, tmp_path: Path) -> None:
    output = made(tmp_path)
    assert output.read_bytes() == stand_in_image(keys=2)
    words = pvimg.arguments
    assert words[0] == "create"
    keys = [words[at + 1] for at, word in enumerate(words) if word == "--host-key-document"]
    assert keys == [str(tmp_path / "one.crt"), str(tmp_path / "two.crt")]
    # The kernel unpacks an archive that begins at a multiple of four.
    assert pvimg.ramdisk.startswith(b"initramfs" + bytes(3) + b"070701")
    assert b"usr/lib/coreos/ignition.asc\0" in pvimg.ramdisk
    assert b"secret" in pvimg.ramdisk
    assert pvimg.kernel_arguments == {"a": "", "b": "c"}
    for path in (tmp_path / "scratch").iterdir():
        assert b"secret" not in path.read_bytes()
    assert not any("secret" in word for word in words)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"junk", "no header"),
        (stand_in_image(version=0x200), "version 0x200"),
        (stand_in_image(keys=1), "1 keys, not 2"),
    ],
)
def test_an_image_of_another_kind_is_refused(
    pvimg: SeenPvimg, tmp_path: Path, image: bytes, why: str
) -> None:
    (pvimg.folder / "stand-in").write_bytes(image)
    with pytest.raises(BootimgError) as caught:
        made(tmp_path)
    assert caught.value.id == "secure-image-failed"
    assert why in str(caught.value.context)


def test_what_the_program_says_is_told(pvimg: SeenPvimg, tmp_path: Path) -> None:
    (pvimg.programs / "pvimg").write_text("#!/bin/sh\necho 'no certificate' >&2\nexit 1\n")
    with pytest.raises(BootimgError) as caught:
        made(tmp_path)
    assert (caught.value.id, list(caught.value.context)) == ("secure-image-failed", ["no certificate"])


def test_the_older_name_serves_too(pvimg: SeenPvimg) -> None:
    program = pvimg.programs / "pvimg"
    assert find_program() == program
    older = program.rename(pvimg.programs / "genprotimg")
    assert find_program() == older
    older.unlink()
    with pytest.raises(BootimgError, match="pvimg is not installed"):
        find_program()

"""What is given to pvimg, and what is checked of its image; the program stands in for pvimg."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.secex.hostimage import Parts, find_program, make_host_image

PARTS = Parts(kernel=b"kernel", initramfs=b"initramfs", private_key=b"secret", arguments="a b=c")
SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" > {folder}/arguments
while [ $# -gt 0 ]; do
    case "$1" in
        --ramdisk) cat "$2" > {folder}/ramdisk;;
        --output) cp {folder}/image "$2";;
    esac
    shift
done
"""


def header(*, version: int = 0x100, keys: int = 2) -> bytes:
    """An image with a header."""
    return bytes(4096) + struct.pack(">8sII12s4xQ", b"IBMSecEx", version, 640, b"", keys)


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a program named pvimg leaves what it got, and takes its image from."""
    folder = tmp_path / "seen"
    folder.mkdir()
    program = folder / "pvimg"
    program.write_text(SCRIPT.format(folder=folder))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "image").write_bytes(header())
    return folder


def made(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    output = tmp_path / "scratch/image"
    make_host_image(PARTS, [tmp_path / "one.crt", tmp_path / "two.crt"], output)
    return output


def test_the_key_is_behind_the_initramfs_and_in_no_file(seen: Path, tmp_path: Path) -> None:
    output = made(tmp_path)
    assert output.read_bytes() == header()
    words = (seen / "arguments").read_text().split("\n")
    assert words[0] == "create"
    assert [words[at + 1] for at, word in enumerate(words) if word == "--host-key-document"] == [
        str(tmp_path / "one.crt"),
        str(tmp_path / "two.crt"),
    ]
    ramdisk = (seen / "ramdisk").read_bytes()
    # The kernel unpacks an archive that begins at a multiple of four.
    assert ramdisk.startswith(b"initramfs" + bytes(3) + b"070701")
    assert b"usr/lib/coreos/ignition.asc\0" in ramdisk
    assert b"secret" in ramdisk
    for path in (tmp_path / "scratch").iterdir():
        assert b"secret" not in path.read_bytes()
    assert "secret" not in (seen / "arguments").read_text()


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"junk", "no header"),
        (header(version=0x200), "version 0x200"),
        (header(keys=1), "1 keys, not 2"),
    ],
)
def test_an_image_of_another_kind_is_refused(seen: Path, tmp_path: Path, image: bytes, why: str) -> None:
    (seen / "image").write_bytes(image)
    with pytest.raises(BootimgError) as caught:
        made(tmp_path)
    assert caught.value.id == "secure-image-failed"
    assert why in str(caught.value.context)


def test_what_the_program_says_is_told(seen: Path, tmp_path: Path) -> None:
    (seen / "pvimg").write_text("#!/bin/sh\necho 'no certificate' >&2\nexit 1\n")
    with pytest.raises(BootimgError) as caught:
        made(tmp_path)
    assert (caught.value.id, list(caught.value.context)) == ("secure-image-failed", ["no certificate"])


def test_the_older_name_serves_too(seen: Path) -> None:
    assert find_program() == seen / "pvimg"
    (seen / "pvimg").rename(seen / "genprotimg")
    assert find_program() == seen / "genprotimg"
    (seen / "genprotimg").unlink()
    with pytest.raises(BootimgError, match="pvimg is not installed"):
        find_program()

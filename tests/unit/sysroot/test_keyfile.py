"""Key files as GLib writes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg.sysroot.keyfile import key_file

CORE = (("core.repo_version", "1"), ("core.mode", "bare"))


def test_groups_are_in_the_order_of_their_first_key() -> None:
    config = {"sysroot.readonly": "true", "core.a": "b", "sysroot.bootloader": "none"}
    assert key_file(CORE, config) == (
        b"[core]\nrepo_version=1\nmode=bare\na=b\n\n[sysroot]\nreadonly=true\nbootloader=none\n"
    )


@pytest.mark.parametrize(
    "value",
    ["plain", "  two blanks", "\ttab", "a\tb", "a\nb", "back\\slash", 'grub_users=""', "a;b", "ü", " \t x "],
)
def test_values_are_escaped_as_ostree_does(value: str, tmp_path: Path) -> None:
    if not shutil.which("ostree"):
        pytest.skip("ostree is not installed")
    repo = f"--repo={tmp_path}"
    subprocess.run(["ostree", repo, "init", "--mode=bare-user"], check=True)
    subprocess.run(["ostree", repo, "config", "set", "sysroot.x", value], check=True)
    written = (tmp_path / "config").read_bytes().partition(b"[sysroot]")[2]
    assert key_file((), {"sysroot.x": value}).partition(b"[sysroot]")[2] == written

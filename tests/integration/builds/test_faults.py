"""`--debug-shell` and `--keep` on a real build in whose virtual machine something fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bootimg.disk.extents import FileSource
from bootimg.disk.gpt import read_gpt
from tests.integration.builds.test_resume import BY_APPLIANCE, copy, forget, left_running, wait_for
from tests.integration.conftest import Built, Workspace
from tests.integration.layouts.test_appliance import read_until

pytestmark = [pytest.mark.real, pytest.mark.matrix]
__all__ = ["copy"]

# The file systems are made and mounted when this fails.
BROKEN = """
import sys
from bootimg.__main__ import main
from bootimg.disk import ostree_deploy
def broken(vm, *words):
    vm.run(["sh", "-c", "echo it is broken >&2; exit 7"], timeout=60)
ostree_deploy.init_sysroot = broken
sys.exit(main())
"""


def test_a_shell_in_the_build_and_the_disk_as_it_was(copy: Workspace, layer: Path, built: Built) -> None:
    forget(copy, "bases")
    argv = [sys.executable, "-c", BROKEN, "build", str(layer), "--accel", "tcg", *BY_APPLIANCE]
    argv += ["--debug-shell", "--keep"]
    argv += ["--cache", str(copy.cache), "-o", str(copy.builds)]
    temporary = copy.temporary
    env = {**os.environ, "TMPDIR": str(temporary), "TERM": "xterm", "NO_COLOR": "1"}
    terminal, inner = os.openpty()
    child = subprocess.Popen(argv, stdin=inner, stdout=inner, stderr=inner, env=env, start_new_session=True)
    os.close(inner)
    try:
        said = read_until(terminal, "appliance:/# ", 240)
        assert "failed: sh exited with 7 in the appliance" in said
        assert "it is broken" in said
        os.write(terminal, b"cd /sysroot/boot && touch efi/left && pwd\n")
        assert "/sysroot/boot\r\n" in read_until(terminal, "appliance:/sysroot/boot# ", 60)
        os.write(terminal, b"stat -f -c 'it is %T' /sysroot . efi; ls efi\n")
        said = read_until(terminal, "appliance:/sysroot/boot# ", 60)
        assert [kind in said for kind in ("it is xfs", "it is ext2/ext3", "it is msdos", "left")] == [
            True
        ] * 4
        os.write(terminal, b"exit\n")
        said = read_until(terminal, "docs/errors/appliance-command-failed.md", 60)
        assert "error: appliance-command-failed" in said
        assert child.wait(30) == 1
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    wait_for(left_running(copy), 20)
    assert not list(temporary.iterdir())
    [kept] = (copy.cache / "bases").iterdir()
    assert f"kept: {kept}" in said.replace("\r\n", "")
    with FileSource(next(kept.glob("*/disk.raw"))) as source:
        assert [part.number for part in read_gpt(source).partitions] == [1, 2, 3, 4]
    assert (kept / "source.squashfs").stat().st_size > 1 << 20
    # Neither is mistaken for a base disk, and the next build is made as if nothing had been.
    planned = copy.bootimg("plan", layer, "--json", *BY_APPLIANCE).stdout
    assert b"no base disk is kept" in planned

"""The whole build as an ordinary user, who can write nowhere but in its cache and the output folder."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Built

pytestmark = [
    pytest.mark.real,
    pytest.mark.matrix,
    pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user and mounts: needs root"),
]

USER = 65534
ROOT = Path(__file__).parents[3]
MAIN = (
    "import site, sys; site.addsitedir(sys.argv.pop(1)); from bootimg.__main__ import main; sys.exit(main())"
)
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]


def user_can(*argv: str | Path) -> bool:
    # setpriv itself still may execute what the user may not.
    return subprocess.run([*AS_USER, "env", *argv], capture_output=True).returncode == 0


def interpreter() -> Path:
    """A Python that the user may run, and whose version has this one's packages."""
    version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for python in (Path(sys.executable), Path("/usr/bin/python3")):
        if python.exists() and user_can(python, "-c", version):
            return python
    pytest.skip(f"no Python {sys.version_info[:2]} that user {USER} can run")


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path of the user's own, so that even sockets find room in it."""
    folder = Path(tempfile.mkdtemp(prefix="user-", dir="/var/tmp"))
    folder.chmod(0o755)
    for name in ("tmp", "home", "builds"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder)


def test_build_as_an_ordinary_user(built: Built, layer: Path, home: Path) -> None:
    python, packages = interpreter(), sysconfig.get_path("purelib")
    if not user_can(
        "test", "-r", Path(packages) / "click/__init__.py", "-a", "-r", ROOT / "bootimg/__main__.py"
    ):
        pytest.skip(f"the program's files are not readable by user {USER}")
    subprocess.run(["cp", "-a", built.workspace.cache, home / "cache"], check=True)
    shutil.rmtree(home / "cache" / "bases")
    shutil.copyfile(layer, home / layer.name)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", home], check=True)
    stamp = home / "stamp"
    stamp.touch()
    argv = [*AS_USER, "env", "-i", f"PATH={os.environ['PATH']}", f"HOME={home}/home", f"TMPDIR={home}/tmp"]
    argv += [str(python), "-c", MAIN, packages, "build", f"{home}/{layer.name}", "-p", "qemu"]
    argv += ["--accel", "tcg", "--json", "--cache", f"{home}/cache", "-o", f"{home}/builds"]
    done = subprocess.run(["unshare", "-m", "sh", "-ec", locked_down(home, argv)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads(done.stdout)
    assert Path(document["path"]).is_relative_to(home / "builds")
    meta = json.loads((Path(document["path"]) / "meta.json").read_bytes())
    assert meta["ostree-commit"] == built.meta["ostree-commit"]
    assert meta["images"]["ostree"]["sha256"] == built.meta["images"]["ostree"]["sha256"]
    assert {path.lstat().st_uid for path in (home / "builds").rglob("*")} == {USER}
    assert not [*(home / "tmp").iterdir(), *(home / "home").iterdir()]
    assert not written_elsewhere(home, stamp)
    qcow2 = Path(document["path"]) / meta["images"]["qemu"]["path"]
    subprocess.run(["qemu-img", "check", qcow2], check=True)


def locked_down(home: Path, argv: list[str]) -> str:
    """Shell that makes all of this machine read-only but the user's folder, then runs the program."""
    others = " ".join(
        path for path in ("/tmp", "/run", "/dev/shm", "/home", "/root") if os.path.ismount(path)
    )
    return f"""mount --bind {home} {home}
mount -o remount,bind,ro /
for place in {others}; do mount -o remount,bind,ro $place; done
if {shlex.join(AS_USER)} touch /tmp/.written /var/tmp/.written 2>/dev/null; then exit 99; fi
exec {shlex.join(argv)}"""


def written_elsewhere(home: Path, stamp: Path) -> list[str]:
    """What belongs to the user outside of its folder and is newer than the stamp."""
    places = ["/tmp", "/var", "/run", "/dev/shm", "/home", "/root"]
    done = subprocess.run(
        ["find", *places, "-path", home, "-prune", "-o", "-uid", str(USER), "-newer", stamp, "-print"],
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()

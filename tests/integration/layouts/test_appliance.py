"""The appliance with real libguestfs and QEMU, on a tool tree made of this machine's own programs."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import bootimg
from bootimg import process
from bootimg.appliance import Appliance, Drive, interpreter
from bootimg.appliance.worker import socket_folders
from bootimg.cache import Cache, default_root
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
from bootimg.vm.probe import choose_accelerator

pytestmark = pytest.mark.real
PROGRAMS = (
    "sh",
    "env",
    "cat",
    "mount",
    "umount",
    "mkdir",
    "ls",
    "sleep",
    "head",
    "mkfs.ext4",
    "id",
    "stat",
    "timeout",
)
MIB = 1 << 20


@pytest.fixture(scope="module")
def cache() -> Cache:
    """The tests' own cache: the appliance in it is made once."""
    default = default_root().parent / "bootimg-tests"
    return Cache(Path(os.environ.get("BOOTIMG_TEST_CACHE", default)) / "bootimg")


@pytest.fixture(scope="module")
def accelerator(cache: Cache) -> Accelerator:
    return choose_accelerator("auto", cache)


@pytest.fixture(scope="module")
def tool_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A squashfs with a few programs, the libraries they are linked with, and mount points."""
    root = tmp_path_factory.mktemp("tree") / "root"
    for folder in ("dev", "proc", "sys", "tmp", "run", "var", "etc", "sysroot", "usr/bin", "lib64"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    for name in PROGRAMS:
        found = process.find(name)
        assert found, name
        shutil.copy(found, root / "usr/bin" / name)
        for word in process.run(["ldd", found]).stdout.decode().split():
            if word.startswith("/"):
                target = root / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
    output = root.parent / "tools.squashfs"
    process.run(["mksquashfs", root, output, "-no-progress", "-all-root"])
    return output


def start(tool_tree: Path, disk: Path, cache: Cache, accelerator: Accelerator) -> Appliance:
    with disk.open("wb") as handle:
        handle.truncate(64 * MIB)
    return Appliance.start(
        [Drive("disk", disk), Drive("tools", tool_tree, readonly=True)],
        tool_tree="tools",
        log=disk.with_suffix(".log"),
        accelerator=accelerator,
        cache=cache,
        events=Events(),
        memory_mib=1024,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("appliance")


@pytest.fixture(scope="module")
def running(tool_tree: Path, folder: Path, cache: Cache, accelerator: Accelerator) -> Iterator[Appliance]:
    with start(tool_tree, folder / "shared.img", cache, accelerator) as vm:
        yield vm


def test_a_program_gets_arguments_input_and_environment_and_gives_its_output(running: Appliance) -> None:
    script = 'printf "%s|%s|" "$1" "$WORD"; cat'
    out = running.run(
        ["sh", "-c", script, "sh", "a 'b' $c"], timeout=30, env={"WORD": "x y"}, input=b"\0in\n"
    )
    assert out == b"a 'b' $c|x y|\0in\n"


def test_output_may_be_larger_than_a_message_of_libguestfs(running: Appliance) -> None:
    assert running.run(["head", "-c", str(9 * MIB), "/dev/zero"], timeout=60) == bytes(9 * MIB)


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 9 * MIB])
def test_what_is_put_comes_back(running: Appliance, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    running.put("/tmp/file", data, 0o751)
    assert running.get("/tmp/file") == data
    assert running.run(["stat", "-c", "%a %s", "/tmp/file"], timeout=30).split() == [
        b"751",
        str(size).encode(),
    ]


def test_a_failing_program_is_an_error_with_its_words(running: Appliance) -> None:
    with pytest.raises(BootimgError) as caught:
        running.run(["sh", "-c", "echo no such luck >&2; exit 7"], timeout=30)
    assert caught.value.id == "appliance-command-failed"
    assert "exited with 7" in caught.value.message
    assert "no such luck" in caught.value.context
    assert "no such luck" in running.log.read_text(errors="replace")


def test_a_program_that_the_tree_lacks_is_127(running: Appliance) -> None:
    with pytest.raises(BootimgError, match="exited with 127"):
        running.run(["no-such-program"], timeout=30)


def test_a_missing_file_is_an_error(running: Appliance) -> None:
    with pytest.raises(BootimgError, match="appliance-call-failed"):
        running.get("/tmp/nowhere")


def test_the_tree_is_read_only_and_the_rest_is_not(running: Appliance) -> None:
    with pytest.raises(BootimgError, match="appliance-command-failed"):
        running.run(["mkdir", "/etc/x"], timeout=30)
    running.run(["mkdir", "-p", "/tmp/a", "/run/b", "/var/lib/c", "/var/tmp/d"], timeout=30)


def test_devices_are_found_by_label(running: Appliance) -> None:
    """What is called `disk` is the disk of 64 MiB, whatever order the kernel found the drives in."""
    name = running.device("disk").removeprefix("/dev/")
    size = running.run(["cat", f"/sys/class/block/{name}/size"], timeout=30)
    assert int(size) * 512 == 64 * MIB
    assert running.device("disk") != running.device("tools")
    assert running.device("disk", 3) == running.device("disk") + "3"


def test_what_was_written_is_on_the_disk_after_close(
    tool_tree: Path, tmp_path: Path, cache: Cache, accelerator: Accelerator
) -> None:
    disk = tmp_path / "disk.img"
    with start(tool_tree, disk, cache, accelerator) as vm:
        vm.run(["mkfs.ext4", "-q", vm.device("disk")], timeout=60)
        vm.run(["mount", vm.device("disk"), "/sysroot"], timeout=60)
        vm.put("/sysroot/hello", b"world")
    assert process.run(["debugfs", "-R", "cat /hello", disk]).stdout == b"world"
    process.run(["e2fsck", "-fn", disk])
    with pytest.raises(BootimgError, match="appliance-died"):
        vm.run(["ls"], timeout=5)
    vm.close()


def test_a_program_that_does_not_end_is_killed_with_its_machine(
    tool_tree: Path, tmp_path: Path, cache: Cache, accelerator: Accelerator
) -> None:
    with pytest.raises(BootimgError) as caught, start(tool_tree, tmp_path / "d", cache, accelerator) as vm:
        began = time.monotonic()
        vm.run(["sleep", "600"], timeout=2)
    assert caught.value.id == "appliance-timeout"
    assert time.monotonic() - began < 8
    assert machines_of(tmp_path / "d") == []


def test_a_machine_that_dies_is_an_error(
    tool_tree: Path, tmp_path: Path, cache: Cache, accelerator: Accelerator
) -> None:
    with pytest.raises(BootimgError) as caught, start(tool_tree, tmp_path / "d", cache, accelerator) as vm:
        for pid in machines_of(tmp_path / "d"):
            os.kill(pid, signal.SIGKILL)
        vm.run(["ls"], timeout=60)
    assert caught.value.id == "appliance-died"
    assert any(str(vm.log) in line for line in caught.value.context)


CHILD = """
import sys
from pathlib import Path
from bootimg.appliance import Appliance, Drive
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
disk, tools, cache, name = sys.argv[1:]
drives = [Drive("disk", Path(disk)), Drive("tools", Path(tools), readonly=True)]
with Appliance.start(drives, tool_tree="tools", log=Path(disk + ".log"), accelerator=Accelerator(name, ""),
                     cache=Cache(Path(cache)), events=Events(), memory_mib=1024) as vm:
    print(vm.run(["id", "-u"], timeout=60).decode().strip(), flush=True)
    vm.run(["sleep", "600"], timeout=600)
"""


def start_child(
    tool_tree: Path, disk: Path, cache: Cache, accelerator: Accelerator, *before: str | Path
) -> subprocess.Popen[bytes]:
    """A bootimg of its own; `before` are the words it is started with, instead of this interpreter."""
    disk.write_bytes(bytes(MIB))
    disk.chmod(0o666)
    words = [*(before or [sys.executable]), "-c", CHILD, disk, tool_tree, cache.root, accelerator.name]
    child = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"0\n"
    assert machines_of(disk)
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_by_an_interrupted_or_killed_parent(
    tool_tree: Path, tmp_path: Path, cache: Cache, accelerator: Accelerator, number: signal.Signals
) -> None:
    child = start_child(tool_tree, tmp_path / "d", cache, accelerator)
    [machine] = machines_of(tmp_path / "d")
    sockets = socket_folders(os.getpgid(machine))
    assert [Path(folder).is_dir() for folder in sockets] == [True]
    child.send_signal(number)
    child.wait(3)
    deadline = time.monotonic() + 2
    while machines_of(tmp_path / "d") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert machines_of(tmp_path / "d") == []
    assert not any(Path(folder).exists() for folder in sockets)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_an_ordinary_user_has_it_too(tool_tree: Path, accelerator: Accelerator) -> None:
    python = interpreter.guestfs_python()
    if process.run([python, "-c", "import sys; assert sys.version_info >= (3, 11)"], check=False).returncode:
        pytest.skip(f"{python} is older than 3.11, and this one's folder may be closed to others")
    # pytest's own folders are closed to others, and so may be the checkout.
    folder = Path(process.run(["mktemp", "-d", "/tmp/bootimg-user-XXXXXX"]).stdout.decode().strip())
    try:
        folder.chmod(0o777)
        shutil.copy(tool_tree, folder / "tools")
        shutil.copytree(Path(bootimg.__file__).parent, folder / "site/bootimg")
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"HOME={folder}"]
        words += [f"PYTHONPATH={folder / 'site'}", "PYTHONDONTWRITEBYTECODE=1", str(python)]
        child = start_child(folder / "tools", folder / "d", Cache(folder / "cache"), accelerator, *words)
        assert Path(f"/proc/{child.pid}").stat().st_uid == 65534
        child.send_signal(signal.SIGINT)
        child.wait(3)
        assert machines_of(folder / "d") == []
    finally:
        shutil.rmtree(folder)


SHELL = """
import sys
from pathlib import Path
from bootimg.appliance import Appliance, Drive
from bootimg.appliance.shell import DebugShell
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.vm.accelerator import Accelerator
disk, tools, cache, name = sys.argv[1:]
drives = [Drive("disk", Path(disk)), Drive("tools", Path(tools), readonly=True)]
try:
    with Appliance.start(drives, tool_tree="tools", log=Path(disk + ".log"), memory_mib=1024,
                         accelerator=Accelerator(name, ""), cache=Cache(Path(cache)), events=Events(),
                         on_failure=DebugShell(sys.stdin, sys.stderr)) as vm:
        vm.run(["mkfs.ext4", "-q", vm.device("disk")], timeout=60)
        vm.run(["mount", vm.device("disk"), "/sysroot"], timeout=60)
        vm.run(["cat", "/nothing"], timeout=60)
except BootimgError as error:
    sys.exit(f"ended: {error}")
"""


def test_the_shell_where_something_failed(
    tool_tree: Path, tmp_path: Path, cache: Cache, accelerator: Accelerator
) -> None:
    """On a terminal, in the machine itself: its file systems are mounted, and it goes with ^D."""
    disk = tmp_path / "d"
    disk.write_bytes(bytes(16 * MIB))
    terminal, inner = os.openpty()
    words = [sys.executable, "-c", SHELL, str(disk), str(tool_tree), str(cache.root), accelerator.name]
    child = subprocess.Popen(words, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)
    try:
        assert "cat: /nothing: No such file" in read_until(terminal, "appliance:/# ", 120)
        os.write(terminal, b"cd /sysroot; mkdir made\n")
        read_until(terminal, "appliance:/sysroot# ", 60)
        os.write(terminal, b"stat -f -c %T .; ls; id -u; cat nothing\n")
        said = read_until(terminal, "appliance:/sysroot# ", 60).split()
        assert "ext2/ext3" in said
        assert {"made", "lost+found", "0", "(exited"} <= set(said)
        assert machines_of(disk)
        os.write(terminal, b"\x04")
        assert "ended: appliance-command-failed" in read_until(terminal, "in the appliance", 60)
        assert child.wait(20) == 1
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    assert machines_of(disk) == []


def read_until(terminal: int, mark: str, seconds: float) -> str:
    """What a program writes to its terminal, up to a mark."""
    said, deadline = "", time.monotonic() + seconds
    while mark not in said:
        left = deadline - time.monotonic()
        assert left > 0, said
        if select.select([terminal], [], [], left)[0]:
            said += os.read(terminal, 4096).decode(errors="replace")
    return said


def machines_of(disk: Path) -> list[int]:
    """The processes of QEMU that have this disk."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"qemu" in words[0] and any(str(disk.absolute()).encode() in word for word in words):
            found.append(int(entry.name))
    return found

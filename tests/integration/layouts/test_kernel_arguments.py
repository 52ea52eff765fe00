"""Kernel arguments by GRUB itself and by a real kernel: what the rule of `bootimg.kernelarg` stands on.

GRUB boots one command line after the other, of files on its disk: first a kernel of 40 bytes that writes
its command line to the serial port and resets the machine, last a Linux kernel of this machine.  Debian's
GRUB has no blscfg; that of the stand-in layer makes its menu of boot loader entries as on a real disk.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootloaders.bios_grub import install_bios_grub
from bootimg.disk.bootloaders.grub import early_config
from bootimg.disk.gpt import write_gpt
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.kernelarg import fault, split
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.sizes import MIB
from bootimg.vm.kernel import find_kernel
from tests.support.arches.grubline import command_line, expand, parameters
from tests.unit.disk.test_gpt import coreos

MODULES = Path("/usr/lib/grub/i386-pc")
WANTED = (
    "biosdisk", "part_gpt", "ext2", "search", "search_label", "normal", "configfile", "test", "echo",
    "loadenv", "linux", "boot", "serial", "terminal", "regexp", "gzio",
)  # fmt: skip
# mov ebx,[esi+0x228]; next: mov al,[ebx]; test al,al; jz end; mov cl,al; mov dx,0x3fd; wait: in al,dx;
# test al,0x20; jz wait; mov al,cl; mov dx,0x3f8; out dx,al; inc ebx; jmp next;
# end: mov al,0xfe; out 0x64,al; hlt; jmp $-1
PRINTER = bytes.fromhex("8b9e280200008a0384c0741588c166bafd03eca82074fb88c866baf803ee43ebe5b0fee664f4ebfd")
ACCEPTED = [
    "word", 'empty=""', "plain=1,2:3/4@5[6]~^%!?*", 'blank="a b"', '"whole=c d"',
    'commands="e;f {g} h|i & j < k > (l) # *"', "pattern=*", "if", "for", "done",
]  # fmt: skip
REFUSED = [
    'unclosed="a b',
    "single='a b' c",
    "ends=a;echo b",
    "braces={a} b",
    "and=a&b",
    "comment #a b",
    'apostrophe="it\'s"',
    'middle=a"b c"d',
    "keyword [[",
    "backslash=a\\b",
    'backslash="a\\b"',
    "variable=$undefined.",
    'variable="a$undefined"',
    'tab="a\tb"',
]
# Its second byte in UTF-8 is A0, a blank to the kernel.
LETTER = "letter=\xe0b"
ENTRIES = [
    'rw $ignition_firstboot a="b c" "d=e f" g="h;i {j}" ignition.platform.id=qemu',
    "rw $ignition_firstboot x=$undefined y z=1",
    "$one$two rw tail",
    "rw a=\\$b cc",
    'rw $ignition_firstboot a="b$c" dd',
    "rw $ignition_firstboot 3",
]
TOO_LONG = ["long=" + "x" * 2100, "behind"]

pytestmark = [
    pytest.mark.boot,
    pytest.mark.skipif(not (MODULES / "boot.img").exists(), reason="grub-pc-bin is not installed"),
    pytest.mark.skipif(not shutil.which("grub-mkimage"), reason="grub-common is not installed"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed"),
]


def printer() -> bytes:
    """A kernel in the format of Documentation/arch/x86/boot.rst, protocol 2.6, that prints and resets."""
    setup = bytearray(1024)
    setup[0x1F1] = 1
    struct.pack_into("<I", setup, 0x1F4, 64)
    struct.pack_into("<H2s4sH", setup, 0x1FE, 0xAA55, b"\xeb\x66", b"HdrS", 0x206)
    setup[0x211] = 1
    struct.pack_into("<I", setup, 0x214, 0x100000)
    struct.pack_into("<I", setup, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", setup, 0x238, 2047)
    return bytes(setup) + PRINTER.ljust(1024, b"\x90")


def menu(count: int, *commands: str) -> bytes:
    """GRUB's configuration: runs the commands for the numbers up to `count`, one at each start.

    The next number is noted first, for what is tried may be fatal.
    """
    lines = ["serial --speed=115200", "terminal_output serial", "load_env", "set now=$n"]
    for number in range(count):
        lines += [f'if [ "$now" = "{number}" ]; then', f"set n={number + 1}", "save_env n", "echo"]
        lines += [f"echo TRY {number}", *(each.format(number) for each in commands), "fi"]
    return "\n".join([*lines, f'if [ "$now" = "{count}" ]; then', "echo FINISHED", "fi\n"]).encode()


def make_disk(folder: Path, files: Mapping[str, bytes], modules: Path, *wanted: str) -> Path:
    """A disk with these files, and with GRUB of these modules."""
    disk, tree = folder / "disk", folder / "tree"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    environment = tree / "grub2/grubenv"
    run("grub-editenv", environment, "create")
    run("grub-editenv", environment, "set", "n=0")
    gpt = coreos(mib=600)
    write_gpt(disk, gpt)
    start, length = gpt.span(3)
    options = ["-q", "-t", "ext4", "-L", "boot", "-E", f"offset={start}"]
    run("mke2fs", *options, "-d", tree, disk, f"{length // 1024}k")
    (folder / "early.cfg").write_text(early_config())
    early: list[str | Path] = ["-c", folder / "early.cfg", "-o", folder / "core.img"]
    run("grub-mkimage", "-O", "i386-pc", "-d", modules, "-p", "(,gpt3)/grub2", *early, *WANTED, *wanted)
    start, length = gpt.span(1)
    core = (folder / "core.img").read_bytes()
    install_bios_grub(
        disk, boot_image=(modules / "boot.img").read_bytes(), core_image=core, start=start, length=length
    )
    return disk


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


def serial_output(disk: Path, until: str, deadline: float = 180) -> str:
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-display", "none", "-serial", "stdio"]
    drive = f"file={disk},format=raw,if=virtio"
    with subprocess.Popen([*argv, "-nic", "none", "-drive", drive], stdout=subprocess.PIPE) as qemu:
        timer = threading.Timer(deadline, qemu.kill)
        timer.start()
        text = ""
        try:
            for line in qemu.stdout or ():
                text += line.decode("latin-1")
                if until in text:
                    break
        finally:
            timer.cancel()
            qemu.kill()
    return text


def test_grub_and_the_kernel_take_arguments_as_the_rule_says(tmp_path: Path) -> None:
    try:
        kernel = find_kernel().path.read_bytes()
    except BootimgError as error:
        pytest.skip(str(error))
    lines = [" ".join(ACCEPTED), *REFUSED, " ".join(TOO_LONG)]
    tries = [f"linux /printer {line}\n" for line in lines]
    tries.append(f"linux /vmlinuz console=ttyS0 ignore_loglevel panic=-1 {lines[0]} {LETTER}\n")
    files = {f"entry{number}": each.encode() for number, each in enumerate(tries)}
    # Where GRUB refuses a line the next one follows at once.
    files["grub2/grub.cfg"] = menu(len(tries), "source /entry{}", "boot", "set now=$n")
    disk = make_disk(tmp_path, {**files, "printer": printer(), "vmlinuz": kernel}, MODULES)
    text = serial_output(disk, "will be passed to user space")

    parts = re.split(r"TRY \d+\r?\n", text)[1:]
    assert len(parts) == len(tries), text[-2000:]
    *got, too_long = [printed(part) for part in parts[:-1]]
    assert got == [command_line(line) for line in lines[:-1]]
    # The rule: what it takes keeps names and values, what it refuses loses them.
    assert {fault(each) for each in ACCEPTED} == {None}
    assert parameters(got[0] or "") == parameters(lines[0])
    for line, found in zip(REFUSED, got[1:], strict=True):
        assert found is None or parameters(found) != parameters(line), line
        assert any(fault(each) is not None for each in split(line)), line
    # GRUB drops what there is no room for, and what is behind it, without a word.
    assert too_long == ""

    # The kernel says what it would pass on to init: first the words, then what has a value.
    said = re.search(r'Unknown kernel command line parameters "(.*)", will be passed', parts[-1])
    assert said
    unknown = parameters(f"{lines[0]} {LETTER}")
    words = [name for name, value in unknown if value is None]
    values = [f"{name}={value}" for name, value in unknown if value is not None]
    assert words[-1] == "b"
    # Only some kernels count GRUB's own argument among them.
    assert said[1].replace("BOOT_IMAGE=/vmlinuz ", "") == " ".join([*words, *values])


def test_blscfg_replaces_variables_and_then_runs_the_options(layer: Path, tmp_path: Path) -> None:
    cache, modules = Cache(tmp_path / "cache"), tmp_path / "modules"
    tree = open_tree(fetch(str(layer), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())
    modules.mkdir()
    for name in tree.listdir("usr/lib/grub/i386-pc"):
        (modules / name).write_bytes(tree.read(f"usr/lib/grub/i386-pc/{name}", 8 * MIB))
    entry = "title Entry\nversion 1\nlinux /printer\noptions {}\n"
    files = {f"{n}/e.conf": entry.format(each).encode() for n, each in enumerate(ENTRIES)}
    variables = {"ignition_firstboot": "ignition.firstboot"}
    setting = [f"set {name}={value}" for name, value in variables.items()]
    files["grub2/grub.cfg"] = menu(len(ENTRIES), *setting, "set timeout=0", "blscfg --path (hd0,gpt3)/{}")
    disk = make_disk(tmp_path, {**files, "printer": printer()}, modules, "blsuki", "minicmd")
    parts = re.split(r"TRY \d+\r?\n", serial_output(disk, "FINISHED"))[1:]
    assert [printed(part) for part in parts] == [command_line(expand(each, variables)) for each in ENTRIES]


def printed(part: str) -> str | None:
    """The arguments as the printing kernel wrote them; None where GRUB booted none."""
    found = re.search(r"BOOT_IMAGE=/printer ?([^\x1b]*)", part)
    return found[1] if found else None

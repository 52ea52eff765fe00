"""Kernel arguments: what is taken reaches the kernel as it is written, everywhere one is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import (
    FIRSTBOOT,
    KernelArgument,
    closes_quotes,
    fault,
    line_limit,
    parse_arguments,
    require_room,
    split,
)
from bootimg.layer.declared.imagejson import parse_image_json
from bootimg.layer.declared.installconfig import read_install_config
from bootimg.layer.declared.kargsd import read_kargs_d
from bootimg.layer.declared.platformsjson import parse_platforms_json
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import BootcOptions
from bootimg.platform import platforms
from tests.support.arches.grubline import command_line, expand, parameters
from tests.support.layers import oci
from tests.support.layers.manifests import rendered
from tests.unit.layer.test_declares import tree_of

GOOD = [
    "quiet",
    "rw",
    "3",
    "-b",
    "mitigations=auto,nosmt",
    "console=ttyS0,115200n8",
    "foo=",
    'foo=""',
    "sysctl.net/ipv4/conf.all/x=1",
    "rd.luks.name=0a-1b=root",
    "ip=[fd00::1]:::64::e0:none",
    'dyndbg="file a.c +p; file b.c +p"',
    '"systemd.setenv=A=b c"',
    'x="{a} | b & c < d > (e) # *"',
    "libata.force=*",
    "x=a~b^c%d@e!f?,:+/",
]
BAD = {
    "empty": "",
    "blank": " ",
    "unclosed quote": 'a="b c',
    "quote in the middle": 'a=b"c"',
    "quotes around the name": '"a"=b',
    "nothing in quotes": '""',
    "single quote": "a=it's",
    "newline": "a=b\nc",
    "NUL": "a=\0",
    "carriage return": "a=b\r",
    "tab in quotes": 'a="b\tc"',
    "variable": "a=$b",
    "variable in quotes": 'a="$b"',
    "escaped variable": "a=\\$b",
    "backslash": "a=b\\c",
    "semicolon": "a=b;c",
    "braces": "a={b}",
    "ampersand": "u=http://x/?a=1&b=2",
    "pipe": "a=b|c",
    "redirection": "a=b>c",
    "comment": "#a",
    "pattern": "*a",
    "path": "/init",
    "parenthesis": "(a)",
    "keyword": "[[",
    "no name": "=a",
    "end of the arguments": "--",
    "not ASCII": "a=\xfc",
    "no-break space": "a=b\xa0c",
    "surrogate": "a=\udc80",
    "too long": "a=" + "x" * 2046,
}
Reader = Callable[[str, Path], object]


def of_image_json(text: str, _folder: Path) -> object:
    return parse_image_json(json.dumps({"extra-kargs": [text]}).encode()).extra_kargs


def of_install_config(text: str, folder: Path) -> object:
    # JSON's strings are TOML's, but for surrogates, which neither can hold.
    member = oci.file("usr/lib/bootc/install/1.toml", f"[install]\nkargs = [{toml(text)}]".encode())
    return read_install_config(tree_of(folder, member), Arch.X86_64).kargs


def of_kargs_d(text: str, folder: Path) -> object:
    member = oci.file("usr/lib/bootc/kargs.d/1.toml", f"kargs = [{toml(text)}]".encode())
    return read_kargs_d(tree_of(folder, member), Arch.X86_64)


def of_platforms_json(text: str, _folder: Path) -> object:
    found = parse_platforms_json(json.dumps({"qemu": {"kernel_arguments": [text]}}).encode())
    return found["qemu"].kernel_arguments


def of_manifest(text: str, _folder: Path) -> object:
    sysroot = read_recipes(changed("ostree.deploy.container", "kernel_opts", text))[512].sysroot
    return sysroot and sysroot.deploy.kernel_opts


def of_ignition(text: str, _folder: Path) -> object:
    sysroot = read_recipes(changed("ignition", "network", text))[512].sysroot
    return sysroot and sysroot.ignition.network


def changed(kind: str, option: str, text: str) -> Manifest:
    """The recipe with these kernel arguments in a stage of the tree."""
    document: Any = rendered()
    tree = next(each for each in document["pipelines"] if each["name"] == "tree")
    stage = next(each for each in tree["stages"] if each["type"] == f"org.osbuild.{kind}")
    stage.setdefault("options", {})[option] = [text]
    return Manifest.from_json(document)


def of_flag(text: str, _folder: Path) -> object:
    return parse_arguments([text], "--kargs")


def toml(text: str) -> str:
    return json.dumps(text)


READERS: list[Reader] = [
    of_image_json, of_install_config, of_kargs_d, of_platforms_json, of_manifest, of_ignition, of_flag,
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_reaches_the_kernel_as_it_is_written_is_taken(text: str) -> None:
    assert fault(text) is None
    assert KernelArgument.parse(text, "here") == text
    assert split(f" {text}  next") == [text, "next"]


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_does_not_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BootimgError) as error:
        parse_arguments(["rw", text], "/a/file: key")
    assert (error.value.id, error.value.exit_code) == ("kernel-argument-invalid", ExitCode.USAGE)
    assert error.value.context[0].startswith("/a/file: key: ")
    assert len(error.value.context[0]) < 300


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_every_reader_refuses_it(read: Reader, text: str, tmp_path: Path) -> None:
    if text == "a=\udc80" and read in (of_install_config, of_kargs_d):
        pytest.skip("TOML has no surrogates")
    with pytest.raises(BootimgError) as error:
        read(text, tmp_path)
    # platforms.json had an id of its own for some of them before.
    own = {"platforms-json-malformed"} if read is of_platforms_json else set()
    assert error.value.id in {"kernel-argument-invalid", *own}


@pytest.mark.parametrize("read", READERS)
def test_every_reader_takes_the_rest(read: Reader, tmp_path: Path) -> None:
    assert read('x="a;b"', tmp_path) == ('x="a;b"',)
    if read is not of_platforms_json:
        assert read('y="a b"\tz  "w=1 2"', tmp_path / "2") == ('y="a b"', "z", '"w=1 2"')


def test_the_flag_of_run_is_one_of_them() -> None:
    done = CliRunner().invoke(bootimg, ["run", "x.qcow2", "--kargs", "a=$b"])
    assert isinstance(done.exception, BootimgError), done.output
    assert done.exception.id == "kernel-argument-invalid"
    assert done.exception.context[0].startswith("--kargs: 'a=$b'")


def test_the_variable_of_the_first_boot_is_for_recipes_alone() -> None:
    assert parse_arguments([FIRSTBOOT], "x", variables=(FIRSTBOOT,)) == (FIRSTBOOT,)
    with pytest.raises(BootimgError, match="kernel-argument-invalid"):
        parse_arguments([f"a{FIRSTBOOT}"], "x", variables=(FIRSTBOOT,))


@pytest.mark.parametrize("bootc", [None, BootcOptions()], ids=["ostree", "bootc"])
def test_the_recipe_s_language_leaves_them_alone(bootc: BootcOptions | None) -> None:
    recipe = read_recipes(Manifest.from_json(rendered(bootc=bootc, extra_kargs=tuple(GOOD))))[512]
    found = recipe.bootc.kernel_args if recipe.bootc else recipe.sysroot and recipe.sysroot.deploy.kernel_opts
    assert found and found[-len(GOOD) :] == tuple(GOOD)
    assert FIRSTBOOT in found


def test_the_platforms_arguments_are_such() -> None:
    consoles = [console for each in platforms().values() for console in each.consoles.values()]
    assert {fault(argument) for console in consoles for argument in console.kernel_arguments} == {None}
    assert all(closes_quotes(command) for console in consoles for command in console.grub_commands)


NAMES = st.text("ab1_.-", min_size=1, max_size=4)
VALUES = st.text("ab =,;{}&|<>#*()[]!'\\$\"\t\n\xfc\xa0", max_size=6)
WORDS = st.one_of(
    VALUES,
    NAMES,
    st.builds("{}={}".format, NAMES, VALUES),
    st.builds('{}="{}"'.format, NAMES, VALUES),
    st.builds('"{}={}"'.format, NAMES, VALUES),
)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_grub_gives_the_kernel_what_was_taken(texts: list[str]) -> None:
    texts = [text for text in texts if fault(text) is None]
    assume(texts)
    line = " ".join(texts)
    assert split(line) == texts
    passed = command_line(line)
    assert passed is not None
    assert parameters(passed) == parameters(line)
    assert len(parameters(line)) == len(texts)


@given(st.lists(WORDS.filter(lambda text: fault(text) is None), max_size=3))
def test_the_first_boot_s_variable_leaves_the_rest_alone(texts: list[str]) -> None:
    line = " ".join(["rw", FIRSTBOOT, *texts, "ignition.platform.id=qemu"])
    expanded = expand(line, {FIRSTBOOT[1:]: "ignition.firstboot"})
    passed = command_line(expanded)
    assert passed is not None
    assert parameters(passed) == parameters(line.replace(FIRSTBOOT, "ignition.firstboot"))


@given(st.text('ab ="\t\n\\\xa0'))
def test_splitting_loses_nothing_but_blanks(text: str) -> None:
    found = split(text)
    assert "".join(found).translate({32: None, 9: None}) == text.translate({32: None, 9: None})
    assert split(" ".join(found)) == found


@pytest.mark.parametrize("arch", Arch)
def test_there_is_room_for_what_the_boot_adds(arch: Arch) -> None:
    most = line_limit(arch) - 512
    require_room(["a" * 99, "b" * (most - 100)], arch, "x")
    with pytest.raises(BootimgError) as error:
        require_room(["a" * 99, "b" * (most - 99)], arch, "x")
    assert (error.value.id, error.value.exit_code) == ("kernel-arguments-too-long", ExitCode.USAGE)


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("serial --speed=115200", True),
        ("set x='a \"b'", True),
        ('set x="a \\" b"', True),
        ("echo \\'", True),
        ("echo it's", False),
        ('set x="a', False),
        ("echo \\", False),
    ],
)
def test_quotes_of_grub_s_commands(command: str, closed: bool) -> None:
    assert closes_quotes(command) is closed

"""The Python API: the page's examples run, it is typed, it equals the commands, and importing it is cheap."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import bootimg
from bootimg import defaults
from bootimg.__main__ import main
from bootimg.api.building import request
from tests.support import oci
from tests.unit.orchestrator.test_steps import X86

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python-api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
USE = """
import bootimg
from collections.abc import Sequence
from pathlib import Path

outcome: bootimg.Outcome = bootimg.build("image", platforms=("qemu",), arch=bootimg.Arch.X86_64, size=1 << 30)
paths: list[Path] = [each.path for each in outcome.artifacts]
plan: bootimg.Plan = bootimg.plan(from_build="latest", builder=bootimg.Builder.OSBUILD)
good: bool = bootimg.verify(Path("disk.qcow2"), deep=True).good
found: Sequence[bootimg.Finding] = bootimg.verify("image", purity=bootimg.Purity.WARN).findings
kind: object = bootimg.inspect("latest")["kind"]
bootimg.build("image", sizes=1)  # WRONG
bootimg.plan("image", size="10G")  # WRONG
bootimg.no_such_name  # WRONG
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOOTIMG_CACHE", str(tmp_path / "cache"))
    layout = oci.Layout(tmp_path / "layout")
    layout.add([oci.bootable()])
    layout.archive(tmp_path / "layer.ociarchive")
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_run(example: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example, str(PAGE), "exec"), {})
    assert capsys.readouterr().out
    assert not (place / "builds").exists()


def test_the_page_has_an_example_of_every_function() -> None:
    for name in ("build", "plan", "inspect", "verify"):
        assert any(f"bootimg.{name}(" in example for example in EXAMPLES)


def test_every_exported_name_is_there() -> None:
    assert set(bootimg.__all__) == set(bootimg._PLACES) <= set(dir(bootimg))
    for name in bootimg.__all__:
        assert name == "Event" or getattr(bootimg, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        bootimg.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_importing_it_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import bootimg; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bootimg"]


def test_a_user_s_program_is_checked_by_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "use.py").write_text(USE)
    words = [sys.executable, "-m", "mypy", "--config-file", "", "--strict", "--follow-imports", "silent"]
    done = subprocess.run([*words, tmp_path / "use.py"], capture_output=True, text=True, cwd=ROOT)
    wrong = [number for number, line in enumerate(USE.split("\n"), 1) if "# WRONG" in line]
    lines = [int(number) for number in re.findall(r"use\.py:(\d+): error", done.stdout)]
    assert sorted(set(lines)) == wrong, done.stdout + done.stderr


def test_the_commands_print_what_the_functions_return(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["layer.ociarchive", "--arch", "x86_64", "--json"]
    for name, value in (
        ("inspect", bootimg.inspect("layer.ociarchive", arch=X86)),
        ("verify", bootimg.verify("layer.ociarchive", arch=X86).as_dict()),
    ):
        capsys.readouterr()
        assert main([name, *words]) in (0, 1)
        assert json.loads(capsys.readouterr().out) == value


def test_defaults_are_those_of_the_command_line() -> None:
    from bootimg.cli.commands.build import command

    given = request("image", arch=X86)
    context = click.Context(command)
    options = {each.name or "": each.get_default(context, call=True) for each in command.params}
    assert options["builds"] == given.builds == defaults.BUILDS
    assert options["platforms"] == tuple(each.name for each in given.platforms)
    assert (options["builder"], options["deploy"]) == (given.builder, given.deploy)
    assert options["tls_verify"] == given.registry.tls_verify
    assert options["jobs"] == given.jobs
    names = set(options) | {"accelerator", "from_build", "registry"}
    assert set(bootimg.BuildKeywords.__annotations__) <= names


@pytest.mark.parametrize("words", [{}, {"image": "x", "from_build": "latest"}])
def test_either_an_image_or_a_build(words: dict[str, str]) -> None:
    with pytest.raises(bootimg.BootimgError, match="either"):
        bootimg.plan(**words)  # type: ignore[arg-type]

"""The Python API: the page's examples run, it is typed, it equals the commands, and importing it is cheap."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import bootimg
from bootimg import defaults
from bootimg.__main__ import main
from bootimg.api.requesting import request
from tests.support.layers import oci
from tests.unit.cli.test_buildoptions import request_of
from tests.unit.orchestrator.test_steps import X86

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python-api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
STREAMS = """
clouds: {regions: [a]}
default_artifacts: {all: [qemu, aws, live]}
streams: {rhel-9.6: {}, own: {import_oci_image: quay.io/own}}
bootimg: {compressor: zstd, purity: {level: warn, allow: [cri-o]}}
"""
USE = """
import bootimg
from collections.abc import Sequence
from pathlib import Path

outcome: bootimg.Outcome = bootimg.build("image", platforms=("qemu",), arch=bootimg.Arch.X86_64, size=1 << 30)
paths: list[Path] = [each.path for each in outcome.artifacts]
plan: bootimg.Plan = bootimg.plan(from_build="latest", builder=bootimg.Builder.OSBUILD)
made: bootimg.Request = bootimg.request(stream="own", streams=Path("config.yaml"), skip_disk_images="a test")
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
    (tmp_path / "config.yaml").write_text(STREAMS)
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
    # With the options of the linter, whose cache is used then: other options would make it worthless.
    words = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml"]
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
    assert options["streams"] == defaults.STREAMS
    assert (options["builder"], options["deploy"]) == (given.builder, given.deploy)
    assert options["tls_verify"] == given.registry.tls_verify
    assert options["jobs"] == given.jobs
    names = set(options) | {"accelerator", "registry"}
    assert set(bootimg.BuildKeywords.__annotations__) <= names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "name an image or a build with from_build, or a stream"),
        ({"image": "x", "from_build": "latest"}, "name either an image or a build with from_build"),
    ],
)
def test_the_layer_is_named_once(words: dict[str, str], message: str) -> None:
    with pytest.raises(bootimg.BootimgError) as error:
        bootimg.plan(**words)  # type: ignore[arg-type]
    assert (error.value.id, error.value.message) == ("command-line-invalid", message)


@pytest.mark.parametrize(
    ("words", "keywords"),
    [
        (["image"], {"image": "image"}),
        (["image", "-p", "all"], {"image": "image", "platforms": ["all"]}),
        (["--stream", "own"], {"stream": "own"}),
        (
            ["image", "--stream", "rhel-9.6", "-p", "gcp", "--purity", "error", "--compressor", "xz"],
            {"image": "image", "stream": "rhel-9.6", "platforms": ["gcp"],
             "purity": "error", "compressor": "xz"},
        ),
        (
            ["image", "--stream", "rhel-9.6", "--skip-disk-images", "--extensions", "e", "--allow", "oc"],
            {"image": "image", "stream": "rhel-9.6", "skip_disk_images": "--skip-disk-images",
             "extensions": "e", "allow": ["oc"]},
        ),
        (["image", "--skip-disk-images"], {"image": "image", "skip_disk_images": "--skip-disk-images"}),
        (["image", "--stream", "", "--extensions", ""], {"image": "image", "stream": "", "extensions": ""}),
    ],
)  # fmt: skip
def test_the_command_and_the_function_make_the_same_request(
    words: list[str], keywords: dict[str, Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert request_of("plan", [*words, "--arch", "x86_64"], monkeypatch) == request(arch=X86, **keywords)


@pytest.mark.usefixtures("place")
def test_a_stream_sets_layer_platforms_compressor_and_purity() -> None:
    found = request(stream="own", arch=X86)
    assert (found.reference, found.compress, found.compressor) == (
        "quay.io/own",
        True,
        bootimg.Compressor.ZSTD,
    )
    assert [each.name for each in found.platforms] == ["qemu", "aws"]
    assert [each.name for each in found.selection.targets] == ["live"]
    assert (found.purity, found.allow) == (bootimg.Purity.WARN, ("cri-o",))
    found = request(stream="own", skip_disk_images="a test", arch=X86)
    assert ([each.name for each in found.platforms], found.selection.skip_reason) == (["qemu"], "a test")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("stream", "id"), [("rhel-9.6", "stream-layer-missing"), ("none", "stream-unknown")])
def test_a_stream_without_a_layer_is_refused(stream: str, id: str) -> None:
    with pytest.raises(bootimg.BootimgError) as error:
        bootimg.plan(stream=stream, arch=X86)
    assert error.value.id == id


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("function", [bootimg.plan, bootimg.build])
def test_faults_in_unused_parts_of_the_streams_file_are_warnings(function: Callable[..., object]) -> None:
    seen: list[bootimg.Event] = []

    def note(event: bootimg.Event) -> None:
        seen.append(event)

    until = {"until": "fetch"} if function is bootimg.build else {}
    function("layer.ociarchive", stream="rhel-9.6", arch=X86, events=bootimg.Events([note]), **until)
    texts = [each.text for each in seen if isinstance(each, bootimg.Message) and each.level == "warning"]
    assert len([text for text in texts if "clouds.regions is not an object" in text]) == 1

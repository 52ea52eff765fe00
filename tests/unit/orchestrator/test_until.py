"""`--until`, `--keep` and `--debug-shell` as far as no virtual machine is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.housekeeping import kept
from bootimg.orchestrator.basedisks.scratch import base_scratch
from bootimg.orchestrator.progress import BuildProgress, stopped_text
from bootimg.orchestrator.request import Builder, Request
from bootimg.orchestrator.selection import Selection
from bootimg.orchestrator.steps import known_steps, steps_of
from bootimg.platform import platform
from tests.support.layers import oci

VERSION = oci.LABELS["org.opencontainers.image.version"]


def build(folder: Path, *words: str) -> Result:
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable()])
    places = ["--cache", str(folder / "cache"), "-o", str(folder / "builds")]
    return CliRunner().invoke(
        bootimg, ["build", str(layout.path), *places, "--accel", "tcg", *words], catch_exceptions=False
    )


def request(folder: Path, stop_after: str | None) -> Request:
    qemu = platform("qemu", Arch.X86_64)
    return Request(reference="x", arch=Arch.X86_64, platforms=(qemu,), builds=folder, stop_after=stop_after)


STEPS = ("fetch", "layers", "import", "archive", "sbom", "base")


@pytest.mark.parametrize("step", STEPS[:2])
def test_before_the_import_there_is_no_build(tmp_path: Path, step: str) -> None:
    done = build(tmp_path, "--until", step, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["stopped-after"] == step
    assert list(document["kept"]) == list(STEPS[: STEPS.index(step) + 1])
    assert all(any(Path(path).rglob("*")) for path in document["kept"].values())
    assert document["build"] == VERSION
    assert not (tmp_path / "builds").exists()
    assert (tmp_path / "cache/tars").exists() == (step == "layers")


def test_people_are_told_where_it_is_and_how_to_go_on(tmp_path: Path) -> None:
    text = build(tmp_path, "--until", "layers").stdout
    assert "stopped after the step layers" in text
    assert str(tmp_path / "cache/tars") in text
    assert "without --until" in text


def test_a_step_that_there_is_not(tmp_path: Path) -> None:
    for name in ("metal", "bootloader", ""):
        with pytest.raises(BootimgError) as caught:
            steps_of(request(tmp_path, name))
        assert (caught.value.id, caught.value.exit_code) == ("step-unknown", ExitCode.USAGE)
        assert caught.value.hint == "its steps are fetch, layers, import, archive, sbom, base, qemu"


def test_a_build_has_the_steps_up_to_the_one_that_is_named(tmp_path: Path) -> None:
    every = (*STEPS, "qemu")
    assert steps_of(request(tmp_path, None)).names == every
    for number, step in enumerate(every, 1):
        assert steps_of(request(tmp_path, step)).names == every[:number]


def test_the_steps_of_every_request_are_known(tmp_path: Path) -> None:
    for builder in Builder:
        asked = replace(request(tmp_path, None), builder=builder, selection=Selection(extensions="a"))
        known = [step.name for step in known_steps()]
        assert [name for name in steps_of(asked).names if name in known] == [*steps_of(asked).names[:-1]]
    assert all(step.title for step in known_steps())


def test_the_help_and_the_completion_name_every_step() -> None:
    text = CliRunner().invoke(bootimg, ["build", "--help"], catch_exceptions=False).output
    words = " ".join(text.split())
    assert f"Stop after a step: {', '.join(step.name for step in known_steps())}, or a platform" in words
    command = bootimg.get_command(click.Context(bootimg), "build")
    assert command is not None
    (option,) = [each for each in command.params if each.name == "stop_after"]
    found = {each.value for each in option.shell_complete(click.Context(command), "")}
    assert {*STEPS, "osbuild", "extensions", "qemu", "live"} < found
    assert "nvidiabluefield" not in found


def test_it_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match="step-unknown"):
        build(tmp_path, "--until", "nothing")
    assert not (tmp_path / "cache/blobs").exists()


def test_what_is_kept_is_said_with_what_failed(tmp_path: Path) -> None:
    progress = BuildProgress(request(tmp_path, "qemu"), VERSION)
    progress.done("import", tmp_path)
    progress.done("base", None)
    progress.failures["qemu"] = BootimgError("artifact-not-written", "no")
    assert progress.outcome().as_dict()["kept"] == {"import": str(tmp_path)}
    assert progress.outcome().path == tmp_path / VERSION / "x86_64"
    assert "failed: qemu: " in stopped_text(progress.outcome())
    # Of a build that went to its end there are the artifacts.
    assert replace(progress, request=request(tmp_path, None)).outcome().kept == {}


def test_a_shell_needs_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        build(tmp_path, "--debug-shell")
    assert (caught.value.id, caught.value.exit_code) == ("terminal-missing", ExitCode.USAGE)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
def test_the_scratch_folder_is_kept_and_said_where(tmp_path: Path, error: type[BaseException] | None) -> None:
    cache = Cache(tmp_path)
    events: list[Event] = []
    try:
        with base_scratch(cache, Events([lambda event: events.append(event)]), keep=True) as folder:
            (folder / "disk.raw").write_text("half")
            if error:
                raise error
    except (ZeroDivisionError, KeyboardInterrupt):
        pass
    [place] = (tmp_path / "bases").iterdir()
    assert (place / "disk.raw").read_text() == "half"
    [said] = [event.text for event in events if isinstance(event, Message)]
    assert str(place) in said
    assert str(tmp_path / "logs") in said
    assert [each.path for each in kept(cache) if each.kind == "bases"] == [place]


def test_else_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), base_scratch(Cache(tmp_path), Events(), keep=False):
        raise ZeroDivisionError
    assert list((tmp_path / "bases").iterdir()) == []

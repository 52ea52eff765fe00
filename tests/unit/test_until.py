"""`--until`, `--keep` and `--debug-shell` as far as no virtual machine is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bootimg.arch import Arch
from bootimg.build.keeping import base_scratch
from bootimg.build.request import Request
from bootimg.build.until import STEPS, Progress, StepReached, require_step
from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Event, Events, Message
from bootimg.housekeeping import kept
from bootimg.platform import platform

from . import oci

VERSION = oci.LABELS["org.opencontainers.image.version"]


def build(folder: Path, *words: str) -> Result:
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable()])
    places = ["--cache", str(folder / "cache"), "-o", str(folder / "builds")]
    return CliRunner().invoke(
        bootimg, ["build", str(layout.path), *places, "--accel", "tcg", *words], catch_exceptions=False
    )


def request(folder: Path, until: str | None) -> Request:
    qemu = platform("qemu", Arch.X86_64)
    return Request(reference="x", arch=Arch.X86_64, platforms=(qemu,), builds=folder, until=until)


@pytest.mark.parametrize("step", [*STEPS[:2]])
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
            require_step(request(tmp_path, name))
        assert (caught.value.id, caught.value.exit_code) == ("step-unknown", ExitCode.USAGE)
        assert caught.value.hint == "its steps are fetch, layers, import, archive, base, qemu"
    for step in (None, *STEPS, "qemu"):
        require_step(request(tmp_path, step))


def test_it_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(BootimgError, match="step-unknown"):
        build(tmp_path, "--until", "nothing")
    assert not (tmp_path / "cache/blobs").exists()


def test_a_step_that_had_nothing_to_make_ends_the_build_too(tmp_path: Path) -> None:
    progress = Progress(request(tmp_path, "base"), VERSION)
    progress.done("import", tmp_path)
    with pytest.raises(StepReached):
        progress.done("base", None)
    assert progress.outcome().as_dict()["kept"] == {"import": str(tmp_path)}
    assert progress.outcome().path == tmp_path / VERSION / "x86_64"


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

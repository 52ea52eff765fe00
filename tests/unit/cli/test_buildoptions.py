"""The options of `build` and `plan`: one set, and the one request that they amount to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.checks.purity import Purity
from bootimg.cli.main import bootimg
from bootimg.disk.layer_deploy import DeployWay
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.request import Builder, Request
from bootimg.orchestrator.selection import NOTHING
from tests.support.layers import oci

FAULTS = {"stop_after", "keep", "debug_shell"}
"""What only a build can do: stop, keep and open a shell."""
EVERYTHING = [
    "image", "-p", "qemu,aws", "--arch", "x86_64", "--size", "20G", "--target-imgref", "ref:a",
    "--builder", "osbuild", "--deploy", "layer", "--accel", "tcg", "--force", "--purity", "warn",
    "--allow", "one", "--compressor", "zstd", "--jobs", "7", "--extensions", "quay.io/ext", "--retry-failed",
]  # fmt: skip


class Made(Exception):
    """Carries the request out of the verb."""


def parameters(verb: str) -> set[str]:
    command = bootimg.get_command(click.Context(bootimg), verb)
    assert command is not None
    return {str(each.name) for each in command.params}


def request_of(verb: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> Request:
    def stop(request: Request, *_: Any) -> None:  # noqa: ANN401
        raise Made(request)

    # The API is loaded first: it keeps the functions that it finds.
    monkeypatch.setattr("bootimg.api.building.make_plan", stop)
    monkeypatch.setattr("bootimg.orchestrator.mainjob.run_build", stop)
    done = CliRunner().invoke(bootimg, [verb, *words])
    assert isinstance(done.exception, Made), done.output
    request: Request = done.exception.args[0]
    return request


def test_plan_takes_every_option_that_changes_what_build_makes() -> None:
    uploads = {"upload", "look", "account", "settings"}
    assert parameters("build") - FAULTS == parameters("plan") - uploads


@pytest.mark.parametrize("words", [["image"], EVERYTHING])
def test_plan_and_build_make_the_same_request_of_the_same_words(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*words, "-o", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache")]
    assert request_of("plan", words, monkeypatch) == request_of("build", words, monkeypatch)


def test_every_option_reaches_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*EVERYTHING, "-o", str(tmp_path / "builds"), "--cache", str(tmp_path / "cache")]
    request = request_of("plan", words, monkeypatch)
    assert [each.name for each in request.platforms] == ["qemu", "aws"]
    assert request.selection.extensions == "quay.io/ext"
    assert replace(request, platforms=(), selection=NOTHING) == Request(
        reference="image",
        arch=Arch.X86_64,
        platforms=(),
        builds=tmp_path / "builds",
        size=20 << 30,
        target_imgref="ref:a",
        builder=Builder.OSBUILD,
        deploy=DeployWay.LAYER,
        accelerator="tcg",
        force=True,
        purity=Purity.WARN,
        allow=("one",),
        compress=True,
        compressor=Compressor.ZSTD,
        jobs=7,
        retry_failed=True,
    )


@pytest.mark.parametrize("verb", ["build", "plan"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["image", "--from", "latest"], "either an IMAGE or a build with --from"),
        ([], "name an IMAGE, or a stream"),
    ],
)
def test_both_refuse_the_same_words(verb: str, words: list[str], says: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(bootimg, [verb, *words, "--cache", str(tmp_path)])
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.parametrize(
    ("words", "suffix"), [([], ""), (["--compress"], ".gz"), (["--compressor", "zstd"], ".zst")]
)
def test_a_plan_names_the_files_that_the_compressor_makes(
    words: list[str], suffix: str, tmp_path: Path
) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable()])
    cache = Cache(tmp_path / "cache")
    open_tree(fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())
    places = ["-o", str(tmp_path / "builds"), "--cache", str(cache.root), "--arch", "x86_64"]
    done = CliRunner().invoke(bootimg, ["plan", str(layout.path), *places, *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"-qemu.x86_64.qcow2{suffix} " in done.stdout


@pytest.mark.parametrize(
    ("text", "completed"), [("a", ["all", "aarch64"]), ("x86_64,a", ["x86_64,all", "x86_64,aarch64"])]
)
def test_completion_knows_the_architectures(text: str, completed: list[str]) -> None:
    command = bootimg.get_command(click.Context(bootimg), "build")
    assert command is not None
    option = next(each for each in command.params if each.name == "arch")
    found = option.shell_complete(click.Context(command), text)
    assert [each.value for each in found] == completed

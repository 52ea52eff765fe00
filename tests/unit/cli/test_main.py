import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bootimg.__main__ import diagnostic, main
from bootimg.arch import Arch
from bootimg.cli.main import VERBS, bootimg
from bootimg.cli.options.common import (
    accel_option,
    arch_option,
    chosen_platforms,
    common,
    jobs_option,
    platform_option,
    size_type,
)
from bootimg.cli.output.session import App
from bootimg.errors import BootimgError, ExitCode

HEAVY = {
    "asyncio", "bootimg.layer", "bootimg.platform", "concurrent", "email", "http", "importlib.metadata",
    "isal", "jinja2", "jsonschema", "rich", "simpleeval", "ssl", "subprocess", "tarfile", "yaml", "zstandard",
}  # fmt: skip


def bootimg_program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bootimg", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["cache", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys; from bootimg.__main__ import main; main({words}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    wanted = HEAVY - {"importlib.metadata", "email"} if words == ["--version"] else HEAVY
    assert loaded & wanted == set()


def test_help_lists_every_verb_under_its_section_and_fits_a_screen() -> None:
    lines = bootimg_program("--help").stdout.splitlines()
    assert len(lines) <= 44
    assert {line.split()[0] for line in lines if line.strip()} >= set(VERBS)
    assert {verb.section + ":" for verb in VERBS.values()} <= set(lines)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_loads_and_its_help_names_it(name: str) -> None:
    result = CliRunner().invoke(bootimg, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: bootimg {name}")


def commands() -> dict[str, click.Command]:
    """Every verb and every verb of a verb, by its words."""
    found: dict[str, click.Command] = {}
    for name in VERBS:
        command = bootimg.get_command(click.Context(bootimg), name)
        assert command is not None
        found |= dict(with_inner(name, command))
    return found


def with_inner(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command, and those of a group at any depth."""
    yield name, command
    if isinstance(command, click.Group):
        for word, each in command.commands.items():
            yield from with_inner(f"{name} {word}", each)


def test_a_short_option_means_the_same_for_every_verb() -> None:
    meanings: dict[str, set[str]] = {}
    for verb, command in commands().items():
        for each in command.params:
            short = [word for word in each.opts if len(word) == 2]
            long = [word for word in each.opts if len(word) > 2]
            # browse has the old meaning of its -o too: see the tests of browse.  iso and pxe do not know the
            # tree of builds: their -o is coreos-installer's.
            if short != ["-o"] or verb.partition(" ")[0] not in ("browse", "iso", "pxe"):
                for word in short:
                    meanings.setdefault(word, set()).update(long)
    assert meanings["-o"] == {"--builds"}
    assert {word: names for word, names in meanings.items() if len(names) != 1} == {}


def test_examples_of_the_help_are_verbs_with_words_they_take() -> None:
    lines = bootimg_program("--help").stdout.splitlines()
    examples = [line.split()[1:] for line in lines[lines.index("  Examples:") + 1 :]]
    assert len(examples) == 2
    for words in examples:
        command = bootimg.get_command(click.Context(bootimg), words[0])
        assert command is not None
        command.make_context(words[0], words[1:], resilient_parsing=False)


def test_unknown_verb_is_a_usage_error_that_names_the_near_one() -> None:
    done = bootimg_program("buld")
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: command-line-invalid",
        "  there is no command buld; did you mean build?",
        "  hint: `bootimg --help` lists its arguments and options",
        "  docs: docs/errors/command-line-invalid.md",
    ]


def test_unknown_option_points_at_the_help_of_its_verb() -> None:
    done = bootimg_program("cache", "list", "--wrong")
    assert done.returncode == ExitCode.USAGE
    assert "--wrong" in done.stderr
    assert "`bootimg cache list --help`" in done.stderr


def test_no_verb_prints_the_help_on_stderr() -> None:
    done = bootimg_program()
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "Make and boot images:" in done.stderr


def test_what_a_file_says_cannot_command_a_terminal_nor_add_lines() -> None:
    error = BootimgError("a-b", "no\x1b[2J\nerror: c-d", context=["x\x9b", "one\ntwo"], hint="\x07do")
    assert (error.message, error.hint) == (r"no\x1b[2J\nerror: c-d", r"\x07do")
    shown = diagnostic(error, color=False).splitlines()
    assert all(line.isprintable() for line in shown)
    assert shown[2:5] == [r"  x\x9b", "  one", "  two"]


def test_diagnostic_has_the_parts_in_order() -> None:
    error = BootimgError("layer-not-bootable", "no label", context=["seen: a"], note="an app", hint="use b")
    assert diagnostic(error, color=False).splitlines() == [
        "error: layer-not-bootable",
        "  no label",
        "  seen: a",
        "  note: an app",
        "  hint: use b",
        "  docs: docs/errors/layer-not-bootable.md",
    ]


def test_error_is_an_event_for_machines_and_stderr_has_nothing_else(tmp_path: Path) -> None:
    foreign = tmp_path / "home"
    foreign.mkdir()
    (foreign / "letter").write_text("dear")
    done = bootimg_program("cache", "gc", "--all", "--events", "ndjson", "--cache", str(foreign))
    assert done.returncode == ExitCode.USAGE
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["event"], event["id"], event["exit-code"]) == ("error", "cache-foreign", 2)
    assert (foreign / "letter").exists()


def test_events_fd_that_is_closed_is_refused() -> None:
    done = bootimg_program("cache", "list", "--events-fd", "99")
    assert done.returncode == ExitCode.USAGE
    assert "error: events-fd-unusable" in done.stderr


def foreign_folder(tmp_path: Path) -> Path:
    """A folder that bootimg did not make, with something old in it."""
    folder = tmp_path / "foreign"
    (folder / "kind").mkdir(parents=True)
    (folder / "kind" / "thing").write_bytes(b"thing")
    os.utime(folder / "kind" / "thing", (1, 1))
    return folder


def test_events_on_their_own_descriptor_leave_the_words_on_stderr(tmp_path: Path) -> None:
    events = tmp_path / "events"
    foreign = foreign_folder(tmp_path)
    with events.open("w") as handle:
        done = subprocess.run(
            [sys.executable, "-m", "bootimg", "cache", "gc", "--cache", foreign, "--events-fd",
             str(handle.fileno()), "--older-than", "1s"],
            pass_fds=[handle.fileno()], stderr=subprocess.PIPE, text=True, timeout=120,
        )  # fmt: skip
    assert done.stderr.startswith("error: cache-foreign")
    assert json.loads(events.read_text())["id"] == "cache-foreign"


def test_reader_that_leaves_ends_the_program_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bootimg", "cache", "list"], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")


def test_bug_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootimg.cli.commands.cache.kept", lambda cache: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        main(["cache", "list"])


SLEEPER = """
import sys, time
import click
import bootimg.cli.main as table
import bootimg.__main__ as frame
from bootimg.process import spawn

@click.command("sleep")
@click.option("--stubborn", is_flag=True)
def command(stubborn):
    with spawn(["sleep", "60"]) as child:
        print(child.pid, flush=True)
        try:
            time.sleep(60)
        finally:
            if stubborn:
                time.sleep(60)

sys.modules["bootimg.cli.commands.sleeper"] = sys.modules["__main__"]
table.VERBS["sleep"] = table.Verb("sleeper", "", "")
sys.exit(frame.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_cleanly_and_says_what_is_kept(number: signal.Signals) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "sleep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.send_signal(number)
    _, stderr = child.communicate(timeout=20)
    assert child.returncode == ExitCode.INTERRUPTED
    assert "stopped; finished work is kept" in stderr
    assert "Traceback" not in stderr
    assert not Path(f"/proc/{grandchild}").exists()


def test_second_signal_stops_now_and_leaves_no_program_behind() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "sleep", "--stubborn"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == ExitCode.INTERRUPTED
    _wait_until_gone(grandchild)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    status = Path(f"/proc/{pid}/stat")
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.05)


@click.command()
@arch_option
@platform_option
@accel_option
@jobs_option
@click.option("--size", type=size_type)
@common
def verb(*, app: App, arch: Arch, platforms: tuple[str, ...], jobs: int, size: int | None) -> None:
    app.result(
        {"arch": arch, "platforms": platforms, "accel": app.accel, "jobs": jobs, "size": size,
         "cache": str(app.idle_cache.root), "color": app.color}, "text",
    )  # fmt: skip


def document(*words: str, **environment: str) -> dict[str, object]:
    done = CliRunner().invoke(verb, ["--json", *words], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    parsed: dict[str, object] = json.loads(done.stdout)
    return parsed


def test_options_have_defaults() -> None:
    found = document(BOOTIMG_CACHE="")
    assert found["arch"] == Arch.of_machine()
    assert (found["platforms"], found["accel"], found["size"]) == (["qemu"], "auto", None)


def test_options_take_lists_repeats_and_names_of_either_world() -> None:
    found = document(
        "-p", "aws,qemu", "-p", "qemu, metal", "--arch", "arm64", "--size", "10G", "--accel", "tcg"
    )
    assert found["platforms"] == ["aws", "qemu", "metal"]
    assert (found["arch"], found["size"], found["accel"]) == ("aarch64", 10 << 30, "tcg")


def test_options_come_from_the_environment_and_flags_win() -> None:
    found = document(
        "-j", "3", BOOTIMG_ARCH="s390x", BOOTIMG_PLATFORM="metal", BOOTIMG_JOBS="7", BOOTIMG_CACHE="/c",
        BOOTIMG_ACCEL="kvm",
    )  # fmt: skip
    assert (found["arch"], found["platforms"], found["jobs"]) == ("s390x", ["metal"], 3)
    assert (found["cache"], found["accel"]) == ("/c", "kvm")


@pytest.mark.parametrize(
    ("words", "environment", "color"),
    [
        ([], {}, None),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, None),
        ([], {"FORCE_COLOR": "1"}, True),
        (["--no-color"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color(words: list[str], environment: dict[str, str], color: bool | None) -> None:
    blank = {"NO_COLOR": "", "FORCE_COLOR": ""}
    assert document(*words, **{**blank, **environment})["color"] is color


def test_help_shows_the_environment_variables() -> None:
    text = CliRunner().invoke(verb, ["--help"]).output
    for name in ("ARCH", "PLATFORM", "ACCEL", "JOBS", "CACHE", "EVENTS"):
        assert f"BOOTIMG_{name}" in text


def test_wrong_arch_and_size_are_bootimgs_own_errors() -> None:
    for words, id in ((["--arch", "mips"], "arch-unknown"), (["--size", "much"], "size-malformed")):
        with pytest.raises(BootimgError) as caught:
            CliRunner().invoke(verb, words, catch_exceptions=False)
        assert (caught.value.id, caught.value.exit_code) == (id, ExitCode.USAGE)


def test_all_platforms_are_those_of_the_architecture() -> None:
    names = [platform.name for platform in chosen_platforms(["all"], Arch.S390X)]
    assert "qemu" in names
    assert len(names) == len(set(names))
    with pytest.raises(BootimgError) as caught:
        chosen_platforms(["toaster"], Arch.X86_64)
    assert caught.value.id == "platform-unknown"


def test_completion_knows_verbs_and_platforms() -> None:
    words = {"COMP_WORDS": "bootimg c", "COMP_CWORD": "1", "_BOOTIMG_COMPLETE": "bash_complete"}
    assert bootimg_program(**words).stdout.splitlines() == [
        *("plain,compress", "plain,cache", "plain,completion"),
    ]
    item = next(option for option in verb.params if option.name == "platforms")
    found = item.shell_complete(click.Context(verb), "metal,q")
    assert [each.value for each in found] == ["metal,qemu", "metal,qemu-secex"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = bootimg_program("completion", shell)
    assert done.returncode == 0
    assert f"_BOOTIMG_COMPLETE={shell}_complete" in done.stdout

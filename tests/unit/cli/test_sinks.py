import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from bootimg.cli.output import sinks
from bootimg.cli.output.amounts import clock
from bootimg.cli.output.bars import bars_on
from bootimg.cli.output.sinks import MAX_LINE, NdjsonSink, PlainSink, bounded_line, open_events
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, StepFinished, StepProgress, StepStarted


def work(events: Events) -> None:
    with events.step("import", "Importing the layer", total=2 << 20) as step:
        step.advance(1 << 20)
        step.advance(1 << 20)
        step.result("14651 objects")
    with events.step("fetch", "Fetching") as step:
        step.result("here already", cached=True)
    events.message("odd", "warning")
    events.message("chatter", "debug")
    with pytest.raises(ValueError, match="no"), events.step("seal", "Sealing"):
        raise ValueError("no")


def test_plain_sink_writes_one_timed_line_per_event() -> None:
    stream = io.StringIO()
    work(Events([PlainSink(stream)]))
    lines = stream.getvalue().splitlines()
    assert all(re.match(r" +\d+:\d\d  \S", line) for line in lines)
    assert [line.split(None, 1)[1] for line in lines] == [
        "import         Importing the layer …",
        "import         done in 0:00  14651 objects",
        "fetch          Fetching …",
        "fetch          cached in 0:00  here already",
        "warning: odd",
        "seal           Sealing …",
        "seal           failed in 0:00",
    ]


def test_events_of_an_architecture_say_so_and_others_do_not() -> None:
    plain, machines = io.StringIO(), io.StringIO()
    events = Events([PlainSink(plain), NdjsonSink(machines)])
    work(events.of_arch("aarch64"))
    events.message("both")
    lines = [line.split(None, 1)[1] for line in plain.getvalue().splitlines()]
    assert lines[:2] == [
        "aarch64 import         Importing the layer …",
        "aarch64 import         done in 0:00  14651 objects",
    ]
    assert lines[-4:-2] == ["aarch64: warning: odd", "aarch64 seal           Sealing …"]
    assert lines[-1] == "both"
    found = [json.loads(line) for line in machines.getvalue().splitlines()]
    assert {each["arch"] for each in found[:-1]} == {"aarch64"}
    assert "arch" not in found[-1]


def test_words_of_an_event_cannot_command_a_terminal() -> None:
    stream = io.StringIO()
    events = Events([PlainSink(stream)])
    events.message("a\x1b[2J\nb", "warning")
    with events.step("fetch", "\x07title") as step:
        step.result("\x9bresult")
    assert all(line.isprintable() for line in stream.getvalue().splitlines())
    assert r"a\x1b[2J\nb" in stream.getvalue()


def test_plain_sink_says_how_far_a_long_step_is() -> None:
    stream = io.StringIO()
    work(Events([PlainSink(stream, every=0.0)]))
    assert "import         100 %  2.0 MiB" in stream.getvalue()


def test_quiet_leaves_only_warnings_and_verbose_adds_the_chatter() -> None:
    quiet, verbose = io.StringIO(), io.StringIO()
    work(Events([PlainSink(quiet, "warning"), PlainSink(verbose, "debug")]))
    assert [line.split(None, 1)[1] for line in quiet.getvalue().splitlines()] == ["warning: odd"]
    assert "chatter" in verbose.getvalue()


def test_ndjson_has_an_object_a_line_with_every_field() -> None:
    stream = io.StringIO()
    work(Events([NdjsonSink(stream)]))
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert events[0] == {
        "event": "step-started", "elapsed": events[0]["elapsed"], "step": "import",
        "title": "Importing the layer", "total": 2 << 20, "unit": "bytes",
    }  # fmt: skip
    names = [event["event"] for event in events]
    assert names.count("step-finished") == 3
    assert {"step-progress", "message"} <= set(names)
    assert [event["failed"] for event in events if event["event"] == "step-finished"] == [False, False, True]


@pytest.mark.parametrize("text", ["x" * 100_000, "☃" * 100_000, '"\n' * 50_000])
def test_lines_are_bounded_and_stay_json(text: str) -> None:
    line = bounded_line({"event": "error", "context": [text] * 50, "message": text, "exit-code": 1})
    assert len(line.encode()) <= MAX_LINE
    assert line.count("\n") == 1
    parsed = json.loads(line)
    assert parsed["exit-code"] == 1
    assert parsed["message"].endswith("…")


def test_short_lines_are_not_touched() -> None:
    assert json.loads(bounded_line({"message": "a" * 2000})) == {"message": "a" * 2000}


def test_ndjson_reader_that_leaves_ends_the_output_not_the_work() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError), os.fdopen(writing, "w") as stream:
        sink = NdjsonSink(stream)
        work(Events([sink]))
        assert sink._gone
        stream.write("what the test itself cannot write either")


@pytest.mark.parametrize(
    ("end", "event", "id"),
    [
        (BootimgError("disk-full", "no space"), "error", "disk-full"),
        (KeyboardInterrupt(), "interrupted", None),
    ],
)
def test_what_ends_the_verb_is_the_last_event(
    end: BaseException, event: str, id: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    with (
        path.open("w") as handle,
        pytest.raises(type(end)),
        open_events(machine=True, fd=handle.fileno(), quiet=True, verbose=0, color=None) as events,
    ):
        events.message("before")
        raise end
    first, last = [json.loads(line) for line in path.read_text().splitlines()]
    assert first["text"] == "before"
    assert (last["event"], last.get("id")) == (event, id)


def test_clock() -> None:
    assert [clock(seconds) for seconds in (7, 754, 3723)] == ["0:07", "12:34", "1:02:03"]


@pytest.mark.parametrize(
    ("tty", "environment", "live"),
    [(True, {"TERM": "xterm"}, True), (True, {"TERM": "dumb"}, False),
     (True, {"TERM": "xterm", "CI": "true"}, False), (False, {"TERM": "xterm"}, False)],
)  # fmt: skip
def test_bars_are_for_terminals_only(
    tty: bool, environment: dict[str, str], live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty, raising=False)
    assert sinks._is_live() is live


BARS = """
import sys, time
from bootimg.cli.output.sinks import open_events
with open_events(machine=False, fd=None, quiet=False, verbose=0, color=None) as events:
    with events.step("aws", "vmdk [not markup]", total=4 << 20) as step:
        for _ in range(4):
            step.advance(1 << 20)
            time.sleep(0.15)
        step.result("4 MiB [done]")
    sys.stderr.write("FREE\\n")
"""


def test_bars_on_a_real_terminal(tmp_path: Path) -> None:
    """`script` of util-linux gives the program a terminal."""
    log = tmp_path / "log"
    program = tmp_path / "bars.py"
    program.write_text(BARS)
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    subprocess.run(
        ["script", "-qec", f"{sys.executable} {program}", str(log)], check=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env={**environment, "TERM": "xterm", "COLUMNS": "120"}, timeout=60,
    )  # fmt: skip
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", log.read_text())
    assert "vmdk [not markup]" in text
    assert "MiB/s" in text
    assert " %  " in text
    assert "✔ aws            4 MiB [done]" in text
    assert text.index("✔ aws") < text.index("FREE")


def test_a_step_counts_what_many_threads_do() -> None:
    seen: list[Event] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Events([lambda event: seen.append(event)]).step("verify", "", total=8000) as step:

            def advance() -> None:
                for _ in range(1000):
                    step.advance(1)

            threads = [threading.Thread(target=advance) for _ in range(8)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
    finally:
        sys.setswitchinterval(interval)
    done = [each.done for each in seen if isinstance(each, StepProgress)]
    assert done == sorted(done)
    assert done[-1] == 8000


@pytest.mark.parametrize("arch", [None, "aarch64"])
@pytest.mark.parametrize("width", [60, 100, 200])
def test_lines_of_finished_steps_line_up_with_bars_and_each_other(width: int, arch: str | None) -> None:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None, _environ={})
    bars = bars_on(console)
    bars.progress.disable = True
    bars(StepStarted(step="aws", title="vmdk", total=4, arch=arch))
    for text in ("", "41 packages", "中文", "long " * 60):
        bars(StepStarted(step="sbom", title="packages", arch=arch))
        bars(StepFinished(step="sbom", seconds=7.0, text=text, arch=arch))
    console.print(bars.progress.get_renderable())
    assert isinstance(console.file, io.StringIO)
    *ended, running = console.file.getvalue().splitlines()
    assert {line.index("sbom") for line in ended} == {running.index("aws")}
    assert {cell_len(line.rstrip()) for line in ended} == {min(width, 113) - 1}
    assert all(line.rstrip().endswith(" 0:07") for line in ended)
    assert "…" in ended[-1]

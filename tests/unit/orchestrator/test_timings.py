"""Times of steps: which are kept, under which accelerator, and that nothing is lost or guessed."""

import json
import threading
from pathlib import Path

import pytest

from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Event, Events, StepFinished
from bootimg.orchestrator.timings import StepTimes, Timings, timed_as, timed_step, timing


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_what_never_ran_is_not_known_and_asking_makes_nothing(cache: Cache) -> None:
    assert Timings(cache, "tcg").seconds("base") is None
    assert not cache.root.exists()


def test_the_last_time_counts_apart_for_each_accelerator(cache: Cache) -> None:
    Timings(cache, "tcg").remember({"base": 80.0, "qemu": 2.0})
    Timings(cache, "kvm").remember({"base": 9.12345})
    Timings(cache, "tcg").remember({"base": 70.0})
    assert Timings(cache, "tcg").seconds("base") == 70.0
    assert Timings(cache, "tcg").seconds("qemu") == 2.0
    assert Timings(cache, "kvm").seconds("base") == 9.123
    assert Timings(cache, "kvm").seconds("qemu") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b'{"tcg/base": "long"}'])
def test_a_damaged_file_knows_nothing_and_is_replaced(content: bytes, cache: Cache) -> None:
    (cache.folder("locks").parent / "timings.json").write_bytes(content)
    timings = Timings(cache, "tcg")
    assert timings.seconds("base") is None
    timings.remember({"base": 1.0})
    assert timings.seconds("base") == 1.0


def test_builds_at_the_same_time_lose_nothing(cache: Cache) -> None:
    timings = Timings(cache, "tcg")
    threads = [threading.Thread(target=timings.remember, args=({f"s{n}": float(n)},)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [timings.seconds(f"s{n}") for n in range(8)] == [float(n) for n in range(8)]


def test_the_ways_of_a_step_are_timed_apart(cache: Cache) -> None:
    with timing(cache, "tcg", Events()) as events:
        for way in ("native", "appliance"):
            with events.step("base", "base disk") as step:
                step.way = way
    times = StepTimes()
    times(StepFinished(step="base", seconds=4.0, way="native"))
    times(StepFinished(step="base", seconds=90.0, way="appliance"))
    assert times.seconds == {timed_step("base", "native"): 4.0, timed_step("base", "appliance"): 90.0}
    known = Timings(cache, "tcg")
    assert [known.seconds(timed_step("base", way)) is None for way in ("native", "appliance", "")] == [
        False, False, True,
    ]  # fmt: skip


def test_cached_and_failed_steps_do_not_count() -> None:
    times = StepTimes()
    times(StepFinished(step="base", seconds=80.0))
    times(StepFinished(step="base", seconds=0.1, cached=True))
    times(StepFinished(step="qemu", seconds=0.2, failed=True))
    assert times.seconds == {"base": 80.0}


def test_a_build_remembers_its_steps_even_if_it_fails(cache: Cache) -> None:
    seen: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)

    with pytest.raises(ZeroDivisionError), timing(cache, "tcg", Events([see])) as events:
        with events.step("import", "import"):
            pass
        with events.step("base", "base"):
            raise ZeroDivisionError
    assert Timings(cache, "tcg").seconds("import") is not None
    assert Timings(cache, "tcg").seconds("base") is None
    assert [each.step for each in seen if isinstance(each, StepFinished)] == ["import", "base"]


def test_a_build_that_did_nothing_writes_nothing(cache: Cache) -> None:
    with timing(cache, "tcg", Events()) as events, events.step("fetch", "fetch") as step:
        step.result("", cached=True)
    assert not cache.root.exists()


def test_without_qemu_times_are_those_of_no_accelerator(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(choice: str, cache: Cache) -> None:
        raise BootimgError("qemu-missing", "no QEMU")

    monkeypatch.setattr("bootimg.orchestrator.timings.known_accelerator", missing)
    assert timed_as("auto", cache) == "tcg"


def test_the_file_can_be_read_by_people(cache: Cache) -> None:
    Timings(cache, "tcg").remember({"base": 80.0})
    assert json.loads((cache.root / "timings.json").read_bytes()) == {"tcg/base": 80.0}

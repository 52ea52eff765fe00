"""Jobs side by side: their number, their memory, their their end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from bootimg.disk.extents import Extent
from bootimg.errors import BootimgError
from bootimg.jobs import Job, Stop, StoppedError, memory_budget, run_jobs
from bootimg.orchestrator.artifacts.stoppable import StoppableSource


class Watch:
    """Jobs that note how many of them, and of whose memory, run at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now: dict[str, int] = {}
        self.most = self.most_memory = 0
        self.order: list[str] = []

    def job(self, name: str, memory: int = 1, seconds: float = 0.05) -> Job[str]:
        def work(stop: Stop) -> str:
            with self.lock:
                self.now[name] = memory
                self.order.append(name)
                self.most = max(self.most, len(self.now))
                self.most_memory = max(self.most_memory, sum(self.now.values()))
            time.sleep(seconds)
            with self.lock:
                del self.now[name]
            return name.upper()

        return Job(name, work, memory)


def test_results_come_in_the_order_of_the_jobs() -> None:
    watch = Watch()
    jobs = [watch.job("slow", seconds=0.2), watch.job("fast", seconds=0.0)]
    assert [(each.name, each.value) for each in run_jobs(jobs, workers=2, memory=10)] == [
        ("slow", "SLOW"),
        ("fast", "FAST"),
    ]
    assert watch.most == 2


def test_no_more_workers_than_allowed() -> None:
    watch = Watch()
    run_jobs([watch.job(f"job-{n}") for n in range(7)], workers=3, memory=100)
    assert watch.most == 3
    assert len(watch.order) == 7


def test_memory_is_a_budget_and_what_fits_goes_first() -> None:
    watch = Watch()
    jobs = [watch.job("a", 6, 0.2), watch.job("large", 6), watch.job("small", 3, 0.1)]
    run_jobs(jobs, workers=3, memory=10)
    assert watch.most_memory <= 10
    assert watch.order == ["a", "small", "large"]


def test_a_job_over_the_budget_runs_alone() -> None:
    watch = Watch()
    run_jobs([watch.job("a", 5), watch.job("huge", 50), watch.job("b", 5)], workers=3, memory=10)
    assert watch.most_memory == 50
    assert sorted(watch.order) == ["a", "b", "huge"]


def test_a_failure_leaves_the_others() -> None:
    def fail(stop: Stop) -> str:
        raise BootimgError("program-failed", "it did not work")

    watch = Watch()
    ended = run_jobs([Job("bad", fail, 1), watch.job("good")], workers=1, memory=10)
    assert [each.value for each in ended] == [None, "GOOD"]
    assert [each.error and each.error.id for each in ended] == ["program-failed", None]


def until_stopped(started: threading.Event) -> Callable[[Stop], str]:
    def work(stop: Stop) -> str:
        started.set()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            stop.check()
            time.sleep(0.005)
        return "never stopped"

    return work


def test_a_bug_stops_all_and_is_raised() -> None:
    started = threading.Event()

    def bug(stop: Stop) -> str:
        started.wait(10)
        raise ZeroDivisionError

    watch = Watch()
    jobs = [Job("long", until_stopped(started), 1), Job("bug", bug, 1), watch.job("last")]
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run_jobs(jobs, workers=2, memory=10)
    assert watch.order == []
    assert time.monotonic() - began < 10


def test_an_interruption_stops_all_within_a_moment() -> None:
    started = threading.Event()

    def interrupt() -> None:
        started.wait(10)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job("long", until_stopped(started), 1)], workers=2, memory=10)
    killer.join()
    assert time.monotonic() - began < 10
    assert not [each for each in threading.enumerate() if each.name.startswith("job")]


class Zeros:
    size = 8

    def extents(self) -> list[Extent]:
        return [Extent(0, 8, data=True)]

    def read(self, offset: int, length: int) -> bytes:
        return bytes(length)


def test_a_source_ends_its_reader() -> None:
    stop = Stop()
    source = StoppableSource(Zeros(), stop)  # type: ignore[arg-type]
    assert (source.size, source.read(0, 4), list(source.extents())) == (8, bytes(4), Zeros().extents())
    stop.set()
    with pytest.raises(StoppedError):
        source.read(4, 4)


def test_the_budget_is_part_of_this_machine_s_memory() -> None:
    assert 256 << 20 <= memory_budget() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_jobs_of_the_same_name_each_have_their_result() -> None:
    def failing(stop: Stop) -> int:
        raise BootimgError("cloud-timeout", "it fails")

    found = run_jobs([Job("a", failing, 0), Job("a", lambda stop: 2, 0)], workers=1, memory=1)
    assert [(each.value, each.error and each.error.id) for each in found] == [
        (None, "cloud-timeout"),
        (2, None),
    ]

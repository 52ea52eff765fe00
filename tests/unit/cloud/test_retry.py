"""The one layer that repeats calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bootimg.cloud.retry import Retry, TransientError
from bootimg.errors import BootimgError
from bootimg.jobs import Stop, StoppedError


class Waits(Stop):
    """A stop whose waits take no time and are noted; the clock follows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        object.__setattr__(self, "seconds", [])
        monkeypatch.setattr("bootimg.cloud.retry.time.monotonic", lambda: 1000 + sum(self.seconds))

    seconds: list[float]

    def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


def failing(*errors: Exception | None) -> Callable[[], str]:
    """Work that fails with these errors, one after the other, and then succeeds."""
    left = list(errors)

    def work() -> str:
        error = left.pop(0) if left else None
        if error is not None:
            raise error
        return "done"

    return work


def test_pauses_double_with_jitter_up_to_half_a_minute(waits: Waits) -> None:
    errors = [TransientError("busy")] * 10
    assert Retry(budget=3600, stop=waits).call("the call", failing(*errors)) == "done"
    longest = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert all(most / 2 <= found <= most for found, most in zip(waits.seconds, longest, strict=True))
    assert len({round(found / most, 6) for found, most in zip(waits.seconds, longest, strict=True)}) > 1


def test_the_wait_is_never_shorter_than_the_server_asks(waits: Waits) -> None:
    work = failing(TransientError("busy", 120), TransientError("busy"))
    Retry(budget=3600, stop=waits).call("the call", work)
    assert waits.seconds[0] == 120
    assert waits.seconds[1] <= 1


def test_the_budget_is_counted_from_the_first_failure(waits: Waits) -> None:
    with pytest.raises(BootimgError) as error:
        Retry(budget=100, stop=waits).call("the call", failing(*[TransientError("busy")] * 99))
    assert error.value.id == "cloud-unavailable"
    assert "the call" in error.value.message
    assert error.value.context == ("busy",)
    assert 40 < sum(waits.seconds) <= 100


def test_a_wish_beyond_the_budget_is_not_waited_for(waits: Waits) -> None:
    with pytest.raises(BootimgError):
        Retry(budget=100, stop=waits).call("the call", failing(TransientError("busy", 101)))
    assert waits.seconds == []


def test_another_error_is_raised_at_once(waits: Waits) -> None:
    with pytest.raises(ValueError, match="wrong"):
        Retry(stop=waits).call("the call", failing(ValueError("wrong")))
    assert waits.seconds == []


def test_a_stop_ends_the_wait_at_once() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        Retry(stop=stop).call("the call", failing(TransientError("busy", 60)))
    assert time.monotonic() - began < 30


def test_waiting_for_an_end(waits: Waits) -> None:
    answers = [None, None, None, "there"]
    retry = Retry(stop=waits)
    assert retry.wait_for("it", lambda: answers.pop(0), every=1.5, longest=60) == "there"
    assert waits.seconds == [0.5, 1, 1.5]
    with pytest.raises(BootimgError) as error:
        retry.wait_for("it", lambda: None, every=10, longest=60)
    assert error.value.id == "cloud-timeout"

"""The cache's locks."""

from __future__ import annotations

import threading
from pathlib import Path

from bootimg.cache import Cache
from bootimg.events import Event, Events, Message


def test_who_waits_for_a_lock_says_so(tmp_path: Path) -> None:
    said: list[Event] = []
    waits = threading.Event()

    def sink(event: Event) -> None:
        said.append(event)
        waits.set()

    cache, order = Cache(tmp_path), []

    def second() -> None:
        with cache.locked("one", Events([sink])):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.locked("one", Events([sink])):
        assert said == []
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    [message] = said
    assert isinstance(message, Message)
    assert "waiting" in message.text

"""What the unit tests share: time for every property, and room on the disk for what is planned."""

import shutil

import pytest
from hypothesis import settings

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")

_ROOM = 1 << 40


@pytest.fixture(autouse=True)
def ample_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of large disks is not refused because this machine's disk is nearly full; no test makes them."""
    usage = shutil.disk_usage

    def with_room(path: str) -> object:
        found = usage(path)
        # /proc has no room, and keeps none.
        return found._replace(free=max(found.free, _ROOM)) if found.total else found

    monkeypatch.setattr(shutil, "disk_usage", with_room)

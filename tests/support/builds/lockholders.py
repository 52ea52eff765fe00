"""What other processes do to a build while a test looks on; a spawned process imports no more than this."""

import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.locks import file_lock
from bootimg.builds.meta import MetaFile


def merge_many(path: Path, who: int) -> None:
    """Merge ten images, one at a time, into the meta.json at `path`."""
    for number in range(10):
        MetaFile(path).merge({"images": {f"p{who}-{number}": {"path": str(number)}}})


def hold_and_die(path: Path) -> None:
    """Lock a file and be killed."""
    with file_lock(path):
        os.kill(os.getpid(), signal.SIGKILL)


def hold_build(builds: Path, build_id: str, arch: Arch, ready: Event) -> None:
    """Keep a build open for a minute."""
    with open_build(builds, build_id, arch):
        ready.set()
        time.sleep(60)

"""`python -m tests.pictures`: the documentation's pictures of a terminal and of the release browser.

All of them come from real runs: a build of the stand-in layer with its recorded events, what the verbs
print on a terminal, and a screenshot by Chromium.  The folder is kept for the next run if it is named.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from bootimg.cli.output.bars import bars_on
from bootimg.events import Event, Message, StepFinished, StepProgress, StepStarted
from tests.layer import stand_in
from tests.support.builds import sites

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 100
PLATFORMS = "qemu,aws,azure,vmware,metal"
LAYER = "layer.ociarchive"
_LARGER = 15 << 20
_EVENTS = {"step-started": StepStarted, "step-progress": StepProgress, "step-finished": StepFinished,
           "message": Message}  # fmt: skip
# A viewer of the picture would load fonts from other servers.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "font-family: Fira Code, monospace", "font-family: DejaVu Sans Mono, Menlo, Consolas, monospace"
)


class Workplace:
    """A home folder in which bootimg runs, so that no path of this machine gets into a picture."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / LAYER).exists():
            shutil.copyfile(stand_in(), self.folder / LAYER)

    def run(self, *words: str, events: Path | None = None, code: int = 0) -> str:
        """What bootimg prints on stdout, a terminal; the events go to a file."""
        main, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        argv = [sys.executable, "-m", "bootimg", *words]
        env = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "TERM": "xterm-256color",
               "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), "BOOTIMG_ACCEL": "tcg"}  # fmt: skip
        with (events or Path(os.devnull)).open("wb") as said:
            fd = said.fileno()
            argv += ["--events-fd", str(fd), "-q"]
            with subprocess.Popen(argv, cwd=self.folder, env=env, stdout=terminal, pass_fds=[fd]) as child:
                os.close(terminal)
                text = b"".join(_chunks(main)).decode()
        os.close(main)
        if child.returncode != code:
            raise SystemExit(f"{' '.join(words)} ended with {child.returncode}\n{text}")
        return self.plain(text.replace("\r\n", "\n"))

    def plain(self, text: str) -> str:
        """The text without the folder's own path."""
        return text.replace(str(self.folder), "~")


def _chunks(main: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(main, 1 << 16)
        except OSError:  # All who held the other side have closed it.
            return
        if not chunk:
            return
        yield chunk


class Picture:
    """A terminal that becomes an SVG."""

    def __init__(self, width: int = WIDTH) -> None:
        self.console = Console(
            record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor",
            legacy_windows=False, _environ={},
        )  # fmt: skip

    def typed(self, *words: str) -> None:
        """A line that a person typed."""
        self.console.print(Text.assemble(("$ ", "bold green"), (f"bootimg {' '.join(words)}", "bold")))

    def printed(self, text: str) -> None:
        """What a program printed."""
        self.console.print(Text.from_ansi(text.rstrip()))

    def save(self, name: str) -> None:
        """Write it to the documentation's pictures."""
        # The frame cuts the last line's underscores off.
        self.console.print()
        self.console.save_svg(str(PICTURES / f"{name}.svg"), title="bootimg", code_format=_FORMAT)


def building(place: Workplace, words: tuple[str, ...], events: Path) -> None:
    """A build with its bars, when aws is 60 % done; the events are replayed by their own clock."""
    now = 0.0
    picture = Picture(113)
    picture.typed(*words)
    bars = bars_on(picture.console, time=lambda: now)
    # Nothing is drawn until the moment of the picture.
    bars.progress.disable = True
    for line in events.read_text().splitlines():
        document = json.loads(place.plain(line))
        now = document["elapsed"]
        event = _event(document)
        bars(event)
        if (
            isinstance(event, StepProgress)
            and event.step == "aws"
            and 10 * event.done >= 6 * (event.total or 0)
        ):
            break
    picture.console.print(bars.progress.get_renderable())
    picture.save("build")


def _event(document: Mapping[str, Any]) -> Event:
    fields = {name: value for name, value in document.items() if name not in ("event", "elapsed")}
    event: Event = _EVENTS[document["event"]](**fields)
    return event


def printed(place: Workplace, name: str, *commands: tuple[str, ...]) -> None:
    """The picture of verbs that print a result, one below the other; the last may find faults."""
    picture = Picture()
    for at, words in enumerate(commands):
        if at:
            picture.printed("")
        picture.typed(*words)
        failing = words[0] == "verify" and at > 0
        picture.printed(place.run(*words, code=1 if failing else 0))
    picture.save(name)


def damage(place: Workplace) -> str:
    """A copy of the build in which a file is damaged, one is cut off and one is gone; its path."""
    shutil.rmtree(place.folder / "copy", ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", "builds", "copy"], cwd=place.folder, check=True)
    folder = next((place.folder / "copy").glob("*/x86_64"))
    vmdk, vhd, raw = (next(folder.glob(f"*.{suffix}")) for suffix in ("vmdk", "vhd", "raw"))
    for path in (vmdk, vhd):
        path.chmod(0o644)
    with vmdk.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"damaged")
    os.truncate(vhd, 200 << 20)
    raw.unlink()
    return str(folder.parent.relative_to(place.folder))


def browser(folder: Path) -> None:
    """A screenshot of the release browser, of the tree of builds that its tests have."""
    shutil.rmtree(folder, ignore_errors=True)
    builds = sites.write_tree(folder / "builds")
    for meta in builds.glob("*/*/meta.json"):
        enlarge(meta)
    words = ["-o", str(builds), "-d", str(folder / "site"), "--cache", str(folder / "cache"), "-q"]
    subprocess.run([sys.executable, "-m", "bootimg", "browse", *words], check=True, cwd=ROOT)
    screenshot((folder / "site" / "index.html").as_uri(), PICTURES / "browse.png", folder, (1100, 760))


def enlarge(meta: Path) -> None:
    """Give the artifacts of a build the sizes that real ones have, with holes in the files."""
    document = json.loads(meta.read_bytes())
    for entry in document["images"].values():
        path = meta.parent / entry["path"]
        entry["size"] = entry["size"] * _LARGER
        if path.is_file():
            os.truncate(path, entry["size"])
    meta.write_text(json.dumps(document))


def screenshot(url: str, path: Path, folder: Path, size: tuple[int, int]) -> None:
    """A page as Chromium shows it, without a network."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))))
    argv = [chromium, "--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000", f"--window-size={size[0]},{size[1]}",
            f"--screenshot={path}"]  # fmt: skip
    # Chromium's sandbox is not for root.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    env = {**os.environ, "HOME": str(folder)}
    subprocess.run([*argv, *root, url], check=True, capture_output=True, env=env, timeout=120)


def main() -> None:
    """Make all pictures, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the build is made and kept (needs 8 GiB)")
    arguments = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bootimg-pictures-") as temporary:
        folder = arguments.folder or Path(temporary)
        browser(folder.absolute() / "browser")
        place = Workplace(folder)
        words = ("build", LAYER, "-p", PLATFORMS, "-j", "4")
        events, table = folder / "build.ndjson", folder / "built.txt"
        if not table.exists():
            text = place.run(*words, events=events)
            table.write_text(text)
        building(place, words, events)
        picture = Picture()
        picture.typed(*words)
        picture.printed(table.read_text())
        picture.save("built")
        printed(place, "plan", ("plan", LAYER, "-p", "qemu,aws,openstack,nutanix", "--compress"))
        disk = next((place.folder / "builds").glob("*/x86_64/*.qcow2")).relative_to(place.folder)
        printed(place, "inspect", ("inspect", "latest"), ("inspect", str(disk)))
        printed(place, "verify", ("verify", "latest"), ("verify", damage(place)))


if __name__ == "__main__":
    main()

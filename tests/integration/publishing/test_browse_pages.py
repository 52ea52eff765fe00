"""The release browser's pages in Chromium: what their scripts do, and that nothing is loaded or refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bootimg.__main__ import main
from bootimg.streams.metadata.releasebrowser import diff_query
from tests.support.builds import sites
from tests.support.builds.sites import NEW, NEWEST, OLD
from tests.unit.browse.test_site import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
PATH = "prod/streams/rhel-9.8"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    builds = sites.write_tree(folder / "builds")
    words = ["--builds", builds, "-d", folder / "site", "--cache", folder / "cache", "-q"]
    assert main(["browse", *map(str, words)]) == 0
    return folder / "site"


class Browser:
    """Chromium without a network, with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.console = ""

    def open(self, url: str) -> Page:
        """The page as it is once its script has run; `console` has what there was to complain of."""
        argv = [str(CHROMIUM), "--headless", "--disable-gpu", "--no-first-run", "--disable-sync",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={self._folder / 'profile'}", "--enable-logging=stderr",
                "--virtual-time-budget=5000", "--dump-dom"]  # fmt: skip
        # Chromium's sandbox is not for root.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        env = {**os.environ, "HOME": str(self._folder)}
        done = subprocess.run([*argv, *root, url], capture_output=True, text=True, env=env, timeout=120)
        assert done.returncode == 0, done.stderr
        self.console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        (self._folder / "dom.html").write_text(done.stdout)
        return Page(self._folder / "dom.html")


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


def shown(page: Page) -> list[tuple[str, str]]:
    """Build and architecture of the rows that are not hidden."""
    attributes = [attrs for tag, attrs in page.tags if tag == "tr"]
    pairs = zip(page.rows, attributes, strict=True)
    return [(row[0].split(" ")[0], row[2]) for row, attrs in pairs
            if "data-filter" in attrs and "hidden" not in attrs]  # fmt: skip


def test_links_of_release_controller_lead_to_a_build(site: Path, browser: Browser) -> None:
    link = f"{urlencode({'arch': 'x86_64', 'release': NEW, 'stream': PATH})}#{NEW}"
    page = browser.open(f"{(site / 'index.html').as_uri()}?{link}")
    assert shown(page) == [(NEWEST, "x86_64"), (NEW, "x86_64"), (OLD, "x86_64")]
    assert [attrs["id"] for _, attrs in page.tags if attrs.get("class") == "found"] == [NEW]
    assert page.status == "3 of 12 shown"
    assert browser.console == ""


@pytest.mark.parametrize(
    ("query", "count", "words"),
    [
        ({"q": "570.12"}, 1, "1 of 12 shown"),
        ({"q": "RELEASED aarch64"}, 1, "1 of 12 shown"),
        ({"q": "<b>"}, 0, "0 of 12 shown"),
        ({"stream": "prod/streams/rhel-10.2"}, 1, "1 of 12 shown"),
        ({"stream": "none", "release": "1"}, 12, "There is no build 1 here. 12 of 12 shown"),
    ],
)
def test_a_search_hides_what_does_not_match(
    query: Mapping[str, str], count: int, words: str, site: Path, browser: Browser
) -> None:
    page = browser.open(f"{(site / 'index.html').as_uri()}?{urlencode(query)}")
    assert (len(shown(page)), page.status) == (count, words)
    assert browser.console == ""


def test_any_two_builds_are_compared(site: Path, browser: Browser) -> None:
    link = diff_query((PATH, OLD), (PATH, NEW), "x86_64")
    page = browser.open(f"{(site / 'diff.html').as_uri()}?{link}")
    assert page.rows[1:] == sites.CHANGES
    assert page.status == f"5 packages changed from {OLD} to {NEW}."
    assert browser.console == ""
    back = diff_query((PATH, NEW), (PATH, OLD), "x86_64")
    marks = {row[0]: row[1] for row in browser.open(f"{(site / 'diff.html').as_uri()}?{back}").rows[1:]}
    assert marks == {"coming": "removed", "kernel": "downgraded", "leaving": "added",
                     "podman": "upgraded", "systemd": "changed"}  # fmt: skip


def test_builds_that_cannot_be_compared_are_told(site: Path, browser: Browser) -> None:
    here = (site / "diff.html").as_uri()
    link = urlencode({"first_release": OLD, "second_release": NEWEST, "arch": "x86_64"})
    text = f"The packages of {NEWEST} are not known: the layer's archive is not in this tree of builds."
    assert browser.open(f"{here}?{link}").status == text
    link = urlencode({"first_release": "1<b>", "second_release": NEW, "arch": "x86_64"})
    assert browser.open(f"{here}?{link}").status == "There is no build 1<b> for x86_64 here."
    assert browser.open(f"{here}?arch=riscv64").status == "There is no build for riscv64 here."
    assert len(browser.open(here).rows[1:]) == len(sites.CHANGES)


class _Told(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, asked: list[str], **kwargs: object) -> None:
        self._asked = asked
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self._asked.append(self.path)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The folder over HTTP: its URL, and what is asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Told, asked=asked, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_asks_the_server_for_itself_alone(site: Path, browser: Browser) -> None:
    with served(site) as (url, asked):
        page = browser.open(f"{url}/?q=released&arch=s390x")
    assert shown(page) == [(NEW, "s390x")]
    assert asked == ["/?q=released&arch=s390x"]
    assert browser.console == ""


def test_a_script_that_is_not_the_page_s_own_does_not_run(
    site: Path, browser: Browser, tmp_path: Path
) -> None:
    text = (site / "builds" / NEW / "index.html").read_text()
    (tmp_path / "x.html").write_text(text.replace("<main", "<script>document.title = 'taken'</script><main"))
    browser.open((tmp_path / "x.html").as_uri())
    assert "<title>taken" not in (tmp_path / "dom.html").read_text()
    assert "Content Security Policy" in browser.console

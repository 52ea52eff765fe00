"""`bootimg browse`: what the pages say, and that nothing in a tree of builds can say more than text."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.__main__ import main
from bootimg.browse.changes import Table, changes
from bootimg.browse.links import artifacts_of, href
from bootimg.browse.publish import MARK, publish, require_replaceable
from bootimg.browse.tree import predecessors, read_tree
from bootimg.builds.record import Record, change_record
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from bootimg.rpmdb.lists import in_order
from bootimg.rpmdb.package import Package
from bootimg.urls import quoted
from tests.support.builds import sites, streams
from tests.support.builds.sites import NEW, NEWEST, OLD
from tests.support.layers import oci
from tests.unit.builds.test_meta import make_build
from tests.unit.rpmdb.test_database import PLACE, database, header
from tests.unit.streams.test_metadata import GOLDEN

Capture = pytest.CaptureFixture[str]
URL = "https://mirror.example.com/streams/rhel-9.8/builds"
BASE_LAYER = "This shows the base layer only."
OC = "oc adm release info --rpmdb-diff --rpmdb-cache=DIR --changes-from=OLD NEW --output=json"
SCRIPTED = {"index.html", "packages.html", "diff.html"}
CLOUD_HOSTS = (
    ".console.aws.amazon.com", ".console.amazonaws-us-gov.com", "console.cloud.google.com", "quay.io",
    ".blob.core.windows.net", ".example.com",
)  # fmt: skip
_VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page as a browser without JavaScript has it; badly nested tags fail."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text, self.status = "", ""
        self._open: list[str] = []
        self.feed(path.read_text())
        self.rows = [[cell.strip() for cell in row] for row in self.rows]
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            # A paragraph that says how a search went is told from others by its role.
            self._open.append("status" if ("role", "status") in attrs else tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() in (tag, "status")

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open):
            self.text += data
        if self._open[-1:] == ["status"]:
            self.status += data
        if {"th", "td"} & set(self._open):
            self.rows[-1][-1] += data

    def values(self, *names: str) -> list[str]:
        return [value for _, attrs in self.tags for name in names if (value := attrs.get(name))]

    @property
    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a"]

    @property
    def policy(self) -> str:
        (found,) = [each["content"] for _, each in self.tags if each.get("http-equiv")]
        return found or ""


def browse(builds: Path, site: Path, *words: object, code: int = ExitCode.OK) -> None:
    cache = site.with_name("cache")
    assert main(["browse", *map(str, ["--builds", builds, "-d", site, "--cache", cache, *words])]) == code


def page(site: Path, *path: str) -> Page:
    return Page(site.joinpath(*path))


def contents(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sites.write_tree(tmp_path_factory.mktemp("browse") / "builds")


@pytest.fixture(scope="module")
def site(tree: Path) -> Path:
    """The site of that tree, beside it."""
    browse(tree, tree.with_name("site"), "--stream-metadata", GOLDEN)
    return tree.with_name("site")


def test_every_build_has_its_rows_newest_first(site: Path) -> None:
    rows = [row for row in page(site, "index.html").rows if row[0].startswith("9.8.")]
    assert [row[0].split(" ")[0] for row in rows] == [NEWEST] * 4 + [NEW] * 4 + [OLD] * 4
    by_key = {(row[0].split(" ")[0], row[2]): row for row in rows}
    assert by_key[NEW, "x86_64"][1] == "rhel-9.8"
    assert by_key[NEW, "x86_64"][0] == f"{NEW} released"
    assert by_key[NEW, "x86_64"][4:6] == ["5.14.0-570.12.el9", "17"]
    assert by_key[NEW, "x86_64"][7] == "complete"
    assert by_key[OLD, "x86_64"][7] == "17 of 17 files not in this tree"
    assert "disk images skipped" in by_key[NEWEST, "s390x"][7]


def test_a_build_shows_its_files_with_size_digests_and_signature(site: Path, tree: Path) -> None:
    found = page(site, "builds", NEW, "index.html")
    entry = json.loads((tree / NEW / "x86_64" / "meta.json").read_text())["images"]["qemu"]
    (row,) = [row for row in found.rows if row[0] == "qemu" and ".x86_64." in row[1]]
    assert {entry["path"], entry["sha256"], entry["uncompressed-sha256"]} <= set(row[1].split())
    assert row[2] == f"{entry['size']} B {entry['uncompressed-size']} B uncompressed"
    assert row[3] == "signed"
    link = f"../../../builds/{NEW}/x86_64/{entry['path']}"
    assert {link, f"{link}.sig"} <= set(found.links)


def test_links_within_the_site_and_to_the_tree_lead_somewhere(site: Path) -> None:
    checked = 0
    for path in site.rglob("*.html"):
        found = Page(path)
        ids = found.values("id")
        assert len(ids) == len(set(ids)), path
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme == "https":
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            assert target.is_file(), (path, link)
            if parts.fragment:
                assert unquote(parts.fragment) in Page(target).values("id")
            checked += 1
    assert checked > 100


def test_every_page_says_that_it_is_the_base_layer_and_how_node_images_are_compared(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) == 8
    for path in pages:
        found = Page(path)
        assert BASE_LAYER in found.text
        assert OC in found.text
        assert {"baseLayerAlertBox", "node-image-info"} <= set(found.values("id"))
        assert "#node-image-info" in found.links


def test_what_changed_since_the_build_before_is_on_the_page(site: Path) -> None:
    found = page(site, "builds", NEW, "index.html")
    assert [row for row in found.rows if row[0] in {each[0] for each in sites.CHANGES}] == sites.CHANGES
    assert f"5 packages changed since {OLD}, the build before it" in " ".join(found.text.split())
    assert "no older build of this stream" in page(site, "builds", OLD, "index.html").text


def test_all_packages_have_a_page(site: Path) -> None:
    rows = page(site, "arches", NEW, "x86_64", "packages.html").rows[1:]
    assert ["grub2-tools", "1:2.06-80.el9_4.x86_64"] in rows
    assert [row[1] for row in rows if row[0] == "kernel"] == [
        "5.14.0-570.9.el9.x86_64",
        "5.14.0-570.12.el9.x86_64",
    ]


def test_packages_that_are_not_known_have_a_reason(site: Path) -> None:
    text = " ".join(page(site, "builds", NEWEST, "index.html").text.split())
    assert text.count("Not known: the layer's archive is not in this tree of builds.") == 4
    assert "is neither an OCI archive nor an OCI directory" in page(site, "builds", NEW, "index.html").text


def test_the_reason_for_skipped_disk_images_is_there(site: Path) -> None:
    assert "it has OpenShift's content" in page(site, "builds", NEWEST, "index.html").text


def test_images_in_clouds_are_there_by_region(site: Path, tree: Path) -> None:
    meta = json.loads((tree / NEW / "x86_64" / "meta.json").read_text())
    rows = page(site, "builds", NEW, "index.html").rows
    for each in meta["amis"]:
        assert [each["name"], each["hvm"]] in rows
    assert meta["azure"]["url"] in page(site, "builds", NEW, "index.html").text


def test_images_in_clouds_have_links_that_the_page_does_not_load(site: Path, tree: Path) -> None:
    meta = json.loads((tree / NEW / "x86_64" / "meta.json").read_text())
    found = page(site, "builds", NEW, "index.html")
    for each in meta["amis"]:
        (link,) = [link for link in found.links if link.endswith(f"#ImageDetails:imageId={each['hvm']}")]
        assert link.startswith(f"https://{each['name']}.console.")
    assert meta["azure"]["url"] in found.links
    outside = [attrs for tag, attrs in found.tags if tag == "a" and "://" in (attrs["href"] or "")]
    assert len(outside) > 5
    assert {each["rel"] for each in outside} == {"noreferrer"}


def test_images_that_a_policy_deleted_have_no_links(tmp_path: Path) -> None:
    builds = sites.write_tree(tmp_path / "builds")
    index = json.loads((builds / "builds.json").read_text())
    for each in index["builds"]:
        each["policy-cleanup"] = {"cloud-uploads": True}
    (builds / "builds.json").write_text(json.dumps(index))
    browse(builds, tmp_path / "site")
    found = page(tmp_path / "site", "builds", NEW, "index.html")
    assert "these images were deleted by a policy" in found.text
    assert not [link for link in found.links if "://" in link]


def test_a_stream_has_its_state(site: Path) -> None:
    found = page(site, "streams", "rhel-9.8.html")
    text = " ".join(found.text.split())
    assert "2026-04-28T22:40:00Z" in text
    assert f"{NEW} , 1 newer build of its stream in this tree" in text.replace(f"{NEW},", f"{NEW} ,")
    assert "Digests were compared with the builds here." in text
    assert "several releases" not in text
    (row,) = [row for row in found.rows if row[:2] == ["powervs", "download"]]
    assert [bool(cell.startswith(NEW)) for cell in row[2:]] == [False, True, False, False]
    assert "no artifact has a signature" in text


def test_a_stream_of_several_releases_and_of_other_builds_says_so(tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    stream = json.loads(GOLDEN.read_text())
    stream["architectures"]["x86_64"]["artifacts"]["qemu"]["release"] = "9.8.20250101-0"
    stream["stream"] = "../../<b>"
    file.write_text(json.dumps(stream))
    browse(tree, tmp_path / "site", "--stream-metadata", file, "--stream-metadata", file)
    pages = sorted(path.name for path in (tmp_path / "site" / "streams").iterdir())
    assert pages == ["stream.html", "stream~2.html"]
    text = " ".join(page(tmp_path / "site", "streams", "stream.html").text.split())
    assert "This stream has images of several releases." in text
    assert "9.8.20250101-0, not in this tree of builds" in text
    assert "mixed-releases" in text
    assert "Digests were not compared" in text
    assert "build-missing" not in text
    assert "mixed releases" in page(tmp_path / "site", "index.html").text


def test_the_commands_on_a_page_are_commands(site: Path) -> None:
    lines = page(site, "builds", NEW, "index.html").text.splitlines()
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("bootimg ")]
    assert [words[0] for words in commands[:3]] == ["builds", "verify", "rpmdb"]
    for words in commands:
        command = bootimg.get_command(click.Context(bootimg), words[0])
        assert command is not None
        while isinstance(command, click.Group):
            command = command.commands[words.pop(1)]
        command.make_context(words[0], words[1:], resilient_parsing=False)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_sha256sum_checks_the_artifacts(site: Path, tree: Path) -> None:
    sums = site / "arches" / NEW / "x86_64" / "SHA256SUMS"
    argv = ["sha256sum", "--check", "--strict", str(sums)]
    done = subprocess.run(argv, cwd=tree / NEW / "x86_64", capture_output=True, text=True)
    assert (done.returncode, done.stdout.count(": OK")) == (0, 17), done.stderr


def test_a_page_loads_nothing_and_allows_its_own_script_alone(site: Path) -> None:
    for path in site.rglob("*.html"):
        found, text = Page(path), path.read_text()
        assert found.values("src", "action", "onclick", "style") == []
        assert [urlsplit(each["href"] or "").scheme for tag, each in found.tags if tag == "link"] == ["data"]
        assert found.policy.startswith("default-src 'none'; ")
        assert "unsafe" not in found.policy
        for tag in ("style", "script"):
            inline = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
            assert len(inline) == (
                1 if tag == "style" else path.name in SCRIPTED and path.parent.parent.name != "builds"
            )
            for each in inline:
                digest = base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
                assert f"{tag}-src 'sha256-{digest}';" in found.policy


def test_without_javascript_all_rows_are_shown_and_no_control_is(site: Path) -> None:
    found = page(site, "index.html")
    assert [attrs for tag, attrs in found.tags if tag in ("tr", "tbody") and "hidden" in attrs] == []
    assert ["hidden" in each for _, each in found.tags if each.get("class") == "filters"] == [True]
    assert "needs JavaScript" in page(site, "diff.html").text


def test_the_same_tree_gives_the_same_bytes(tree: Path, site: Path) -> None:
    before, stamp = contents(site), (site / "index.html").stat().st_ino
    browse(tree, site, "--stream-metadata", GOLDEN)
    assert (site / "index.html").stat().st_ino != stamp
    assert contents(site) == before
    assert [path.name for path in site.parent.glob(".bootimg*")] == []


def test_artifacts_are_linked_where_they_are_published(tree: Path, tmp_path: Path) -> None:
    browse(tree, tmp_path / "none")
    assert not any("qcow2" in each for each in page(tmp_path / "none", "builds", NEW, "index.html").links)
    browse(tree, tmp_path / "site", "--builds-url", f"{URL}/")
    file = f"{streams.NAME}-{OLD}-qemu.x86_64.qcow2.gz"
    assert f"{URL}/{OLD}/x86_64/{file}" in page(tmp_path / "site", "builds", OLD, "index.html").links


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://example.com", "/builds", "https:///x", "https://e.com/?a", "https://e e"],
)
def test_a_url_of_another_kind_is_refused(url: str, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        artifacts_of(tree, tmp_path, url)
    assert (caught.value.id, caught.value.exit_code) == ("site-url-invalid", ExitCode.USAGE)


def test_a_folder_of_somebody_else_is_left_alone(tree: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "letter").write_text("dear")
    link = tmp_path / "link"
    link.symlink_to(tree)
    for place in (tmp_path, tmp_path / "letter", link, tree):
        with pytest.raises(BootimgError) as caught:
            require_replaceable(place)
        assert caught.value.id == "site-foreign"
    with pytest.raises(BootimgError) as caught:
        require_replaceable(Path("/proc"))
    assert caught.value.id == "folder-not-writable"
    browse(tree, link, code=ExitCode.USAGE)
    assert "site-foreign" in capsys.readouterr().err
    assert (tmp_path / "letter").read_text() == "dear"
    assert (tree / "builds.json").exists()


@pytest.mark.parametrize("words", [
    ["-o", "TREE", "-d", "SITE"],
    ["-o", "TREE", "--output", "SITE"],
    ["--builds", "TREE", "-d", "SITE"],
    ["-o", "TREE", "--builds", "TREE", "-d", "SITE"],
])  # fmt: skip
def test_o_is_the_tree_of_builds(words: list[str], tree: Path, tmp_path: Path, capsys: Capture) -> None:
    code, said = _browsed(words, tree, tmp_path, capsys)
    assert (code, "name the site's folder" in said) == (ExitCode.OK, False)
    assert NEW in (tmp_path / "site" / "index.html").read_text()


def test_o_alone_is_the_site_as_it_was_once_and_says_so(tree: Path, tmp_path: Path, capsys: Capture) -> None:
    code, said = _browsed(["--builds", "TREE", "-o", "SITE"], tree, tmp_path, capsys)
    assert code == ExitCode.OK
    assert "warning: -o is the tree of builds; name the site's folder with -d" in said
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(("words", "says"), [
    (["--builds", "TREE"], "name the site's folder with -d"),
    (["--builds", "other", "-o", "TREE", "-d", "SITE"], "two trees of builds"),
])  # fmt: skip
def test_no_site_and_two_trees_are_refused(
    words: list[str], says: str, tree: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, said = _browsed(words, tree, tmp_path, capsys)
    assert code == ExitCode.USAGE
    assert says in said
    assert not (tmp_path / "site").exists()


def _browsed(words: list[str], tree: Path, folder: Path, capsys: Capture) -> tuple[int, str]:
    """The exit code of browse with `words`, TREE and SITE being folders, and its warnings and errors."""
    places = {"TREE": str(tree), "SITE": str(folder / "site")}
    argv = [places.get(word, word) for word in words]
    code = main(["browse", *argv, "-q", "--cache", str(folder / "cache")])
    return code, capsys.readouterr().err


def test_a_site_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    assert publish(folder, [("a.html", b"one"), ("old.html", b"")]) == 3

    def broken() -> Any:  # noqa: ANN401
        yield "a.html", b"two"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(folder, broken())
    assert sorted(contents(folder)) == ["a.html", MARK, "old.html"]
    publish(folder, [("a.html", b"two")])
    assert sorted(contents(folder)) == ["a.html", MARK]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"]


def test_a_tree_without_builds_and_a_stream_that_is_none_are_errors(tmp_path: Path, capsys: Capture) -> None:
    browse(tmp_path / "typo", tmp_path / "site", code=ExitCode.USAGE)
    assert "build-not-found" in capsys.readouterr().err
    builds = sites.write_tree(tmp_path / "builds")
    (tmp_path / "x.json").write_text("{")
    browse(builds, tmp_path / "site", "--stream-metadata", tmp_path / "x.json", code=ExitCode.USAGE)
    assert "stream-malformed" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def archived(folder: Path, build_id: str, *packages: str) -> Path:
    """A build whose layer's archive has a database of these packages; none where there are none."""
    path = make_build(folder / "builds", build_id)
    blobs = tuple(header(name=name, version=version, release="1") for name, version in map(_parted, packages))
    layout = oci.Layout(folder / f"image-{build_id}")
    members = [oci.file(PLACE, database(folder / f"{build_id}.db", blobs=blobs))] if packages else []
    layout.add([oci.bootable(*members)])
    archive = next(path.glob("*.ociarchive"))
    archive.unlink()
    layout.archive(archive)
    meta = json.loads((path / "meta.json").read_text())
    meta["images"]["ostree"]["size"] = archive.stat().st_size
    (path / "meta.json").write_text(json.dumps(meta))
    return archive


def _parted(word: str) -> tuple[str, str]:
    name, _, version = word.partition("=")
    return name, version


def test_packages_come_from_archives_and_are_read_once(tmp_path: Path, capsys: Capture) -> None:
    archived(tmp_path, "9.6.20260101-0", "kernel=1", "bash=5")
    archived(tmp_path, "9.6.20260102-0")
    archived(tmp_path, "9.6.20260103-0", "kernel=2", "bash=5")
    builds, site = tmp_path / "builds", tmp_path / "site"
    browse(builds, site, "--json")
    said = json.loads(capsys.readouterr().out)
    assert [(each["id"], "no package database" in each["reason"]) for each in said["without-packages"]] == [
        ("9.6.20260102-0", True)
    ]
    found = page(site, "builds", "9.6.20260103-0", "index.html")
    assert ["kernel", "upgraded", "1-1", "2-1"] in found.rows
    assert "Not compared, because their packages are not known: 9.6.20260102-0" in found.text
    lists = [*(tmp_path / "cache" / "package-lists").iterdir()]
    assert len(lists) == 2
    # Layers that no build of this cache is made of do not stay in it.
    assert [*(tmp_path / "cache").glob("tars/*"), *(tmp_path / "cache" / "tmp").iterdir()] == []
    before = contents(site)
    browse(builds, site)
    assert contents(site) == before
    for path in lists:
        path.write_bytes(b'{"rpmdb.pkglist": [["kept", "0", "7", "7", "noarch"]]}')
    browse(builds, site)
    assert ["kept", "7-7.noarch"] in page(site, "arches", "9.6.20260103-0", "x86_64", "packages.html").rows


HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{7*7}}\u202e\x1b[2J"


def test_hostile_words_are_text_and_nothing_else(tmp_path: Path) -> None:
    builds = sites.write_tree(tmp_path / "builds")
    folder = builds / NEW / "x86_64"
    meta = json.loads((folder / "meta.json").read_text())
    meta["images"][HOSTILE] = dict(meta["images"]["qemu"], sha256=HOSTILE)
    meta["coreos-assembler.oci-imported-labels"] = {"com.coreos.stream": HOSTILE}
    meta |= {"name": HOSTILE, "summary": HOSTILE, "ostree-commit": HOSTILE, "ostree-timestamp": HOSTILE}
    meta |= {"base-oscontainer": {"image": HOSTILE, "digest": HOSTILE}, "extensions-container": 7}
    meta["amis"] = [{"name": HOSTILE, "hvm": HOSTILE}]
    (folder / "meta.json").write_text(json.dumps(meta))
    change_record(folder, Record(skip_reason=HOSTILE, left_out={HOSTILE: HOSTILE}, expected=(HOSTILE + "2",)))
    sites.write_packages(folder, [(HOSTILE, "0", HOSTILE, HOSTILE, HOSTILE)])
    (builds / OLD / "aarch64" / "bootimg.json").write_text("[]")
    sites.list_builds(builds, NEWEST, NEW, OLD, "9:8", tags=[{"name": HOSTILE, "target": NEW}])
    metadata = json.loads(GOLDEN.read_text()) | {"stream": HOSTILE}
    metadata["metadata"] = {"last-modified": HOSTILE, "generator": HOSTILE}
    metadata["architectures"][HOSTILE] = metadata["architectures"].pop("aarch64")
    (tmp_path / "<b>.json").write_text(json.dumps(metadata))
    browse(builds, tmp_path / "site", "--stream-metadata", tmp_path / "<b>.json")
    shown = r"</script><img src=x onerror=alert(1)>'"
    pages = {path.name: Page(path) for path in (tmp_path / "site").rglob("*.html") if OLD not in str(path)}
    assert {tag for each in pages.values() for tag, _ in each.tags} & {"img", "b", "iframe"} == set()
    for path in (tmp_path / "site").rglob("*"):
        assert path.is_dir() or not {"\u202e", "\x1b"} & set(path.read_text())
    names = ["builds", NEW, "index.html"]
    assert page(tmp_path / "site", *names).text.count(shown) > 8
    assert r"{{7*7}}\u202e\x1b[2J" in page(tmp_path / "site", *names).text
    for place in (["index.html"], ["streams", "stream.html"], ["arches", NEW, "x86_64", "packages.html"]):
        assert shown in page(tmp_path / "site", *place).text
    data = (tmp_path / "site" / "diff.html").read_text().partition('id="diff-data">')[2].partition("<")[0]
    assert HOSTILE in {row[0] for row in json.loads(data)["rows"]}
    assert "9%3A8/index.html" in "".join(page(tmp_path / "site", "index.html").links)
    links = [link for each in pages.values() for link in each.links]
    assert [
        link
        for link in links
        if not re.match(r"\.\./|#|builds/|streams/|arches/|diff|index", link)
        and not (urlsplit(link).hostname or "").endswith(CLOUD_HOSTS)
    ] == []


def test_a_build_that_is_not_listed_is_shown_and_is_before_no_other(tmp_path: Path) -> None:
    builds = sites.write_tree(tmp_path / "builds")
    sites.list_builds(builds, NEWEST, OLD)
    found = read_tree(builds)
    assert [each.id for each in found] == [NEWEST, OLD, NEW]
    before = predecessors(found)
    assert [each.id for each in before[NEWEST, "x86_64"]] == [OLD]
    assert before[NEWEST, "s390x"] == []
    assert (NEW, "x86_64") not in before
    browse(builds, tmp_path / "site")
    assert "not in builds.json" in page(tmp_path / "site", "index.html").text


def test_names_that_are_no_text_cost_nobody_the_site(tmp_path: Path) -> None:
    """In the path of the tree, of a stream's file, of a folder beside the builds and of one in a build."""
    folder = tmp_path / os.fsdecode(b"tr\xffee")
    make_build(folder, "1")
    for name in (b"2\xff", b"1/x\xff"):
        other = folder / os.fsdecode(name) / "x86_64" if b"/" not in name else folder / os.fsdecode(name)
        other.mkdir(parents=True)
        (other / "meta.json").write_text("{}")
    stream = tmp_path / os.fsdecode(b"s\xff.json")
    stream.write_text(json.dumps({**json.loads(GOLDEN.read_text()), "stream": "s\ud800"}))
    site = tmp_path / "site"
    browse(folder, site, "--stream-metadata", stream)
    assert any(b"tr%FFee" in text for text in contents(site).values())


def test_a_build_of_a_damaged_meta_json_is_shown_as_that(tmp_path: Path) -> None:
    builds = sites.write_tree(tmp_path / "builds")
    (builds / NEW / "x86_64" / "meta.json").write_text("{")
    (builds / NEW / "ppc64le" / "meta.json").unlink()
    browse(builds, tmp_path / "site")
    rows = {(row[0], row[2]): row[-1] for row in page(tmp_path / "site", "index.html").rows if len(row) == 8}
    assert "cannot be read" in rows[f"{NEW} released", "x86_64"]
    assert rows[f"{NEW} released", "ppc64le"] == "meta.json does not exist"
    assert "cannot be read" in page(tmp_path / "site", "builds", NEW, "index.html").text


NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(NAMES, min_size=1, max_size=3), st.integers(0, 3))
def test_a_link_is_a_relative_path_and_leads_back_to_its_names(names: list[str], depth: int) -> None:
    link = href("x/" * depth + "x.html", "/".join(names))
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert link.isascii()
    assert unquote(parts.path) == "../" * depth + "/".join(names)
    assert not set(quoted(names[0])) & set("<>\"'& :?#")


PACKAGE = st.builds(
    Package,
    st.sampled_from(["kernel", "bash", "glibc"]),
    st.sampled_from([None, 1]),
    st.sampled_from(["1", "2", "2~rc", "10"]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["x86_64", "i686"]),
)
LISTS = st.lists(st.lists(PACKAGE, max_size=6, unique=True).map(in_order), min_size=2, max_size=4)


@settings(max_examples=200)
@given(LISTS)
def test_the_table_of_all_packages_gives_every_build_and_the_same_differences(
    lists: Sequence[Sequence[Package]],
) -> None:
    table = Table({str(number): each for number, each in enumerate(lists)})
    for number, packages in enumerate(lists):
        base = str(number - 1) if number else None
        delta = table.delta(str(number), base)
        before = {table.rows.index((p.name, p.evra, r)) for p in lists[number - 1] for r in _ranks(table, p)}
        rows = ((before if number else set()) - set(delta["drop"])) | set(delta["add"])
        assert sorted(table.rows[row][:2] for row in rows) == sorted((p.name, p.evra) for p in packages)
    for each in changes(lists[0], lists[1]):
        if each.old and each.new:
            old, new = (_rank(table, each.name, words[-1]) for words in (each.old, each.new))
            assert each.kind == {-1: "upgraded", 0: "changed", 1: "downgraded"}[(old > new) - (old < new)]
        else:
            assert each.kind == ("added" if each.new else "removed")


def _ranks(table: Table, package: Package) -> list[int]:
    return [rank for name, evra, rank in table.rows if (name, evra) == (package.name, package.evra)]


def _rank(table: Table, name: str, evra: str) -> int:
    (found,) = [rank for row, version, rank in table.rows if (row, version) == (name, evra)]
    return found

"""The packages of images by reference: what is fetched for it, and what the command says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.rpmdb.listcache import ListCache
from bootimg.rpmdb.ofimage import PackageSource
from tests.support.layers import oci
from tests.support.layers.rpms import Rpm, make_database, needs_rpm, query
from tests.support.program import program
from tests.support.registry import serving_registry
from tests.unit.rpmdb.test_database import PLACE, STATUS, database, header, one

META = "usr/share/openshift/base/meta.json"
NODE = {**oci.LABELS, "io.openshift.metalayer": "true"}
LIST = json.dumps({"rpmdb.pkglist": [["listed", "1", "2", "3", "x86_64"]]}).encode()


def source(tmp_path: Path, lists: Path | None = None) -> PackageSource:
    return PackageSource(
        arch=Arch.X86_64,
        cache=Cache(tmp_path / "cache"),
        events=Events(),
        registry=RegistryOptions(tls_verify=False),
        lists=ListCache(lists) if lists else None,
    )


def image(folder: Path, *upper: Sequence[oci.Member], labels: dict[str, str] = NODE) -> oci.Layout:
    """An image whose first layer has the database of the package `based`."""
    folder.mkdir(parents=True, exist_ok=True)
    layout = oci.Layout(folder / "image")
    base = oci.bootable(oci.file(PLACE, one(folder, "based")))
    layout.add([base, *(oci.tar(*members) for members in upper)], labels=labels, tag="t")
    return layout


def said(found: PackageSource, reference: object) -> list[str]:
    return [f"{each.name}-{each.evr}" for each in found.packages(str(reference))]


@pytest.mark.parametrize("archive", [False, True])
def test_the_last_layer_of_a_node_image_is_enough(archive: bool, tmp_path: Path) -> None:
    layout = image(tmp_path, [oci.file(META, LIST)])
    reference = layout.archive(tmp_path / "a.ociarchive") if archive else layout.path
    assert said(source(tmp_path), reference) == ["listed-1:2-3"]
    assert len(list((tmp_path / "cache" / "blobs" / "sha256").iterdir())) == 1


@pytest.mark.parametrize(
    ("upper", "labels"),
    [([oci.file("usr/x")], NODE), ([oci.file(META, LIST)], dict(oci.LABELS))],
    ids=["not-in-the-last-layer", "no-label"],
)
def test_else_the_database_is_read(upper: list[oci.Member], labels: dict[str, str], tmp_path: Path) -> None:
    assert said(source(tmp_path), image(tmp_path, upper, labels=labels).path) == ["based-1-1"]


def test_a_node_image_with_a_broken_list_says_so(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as caught:
        said(source(tmp_path), image(tmp_path, [oci.file(META, b"{}")]).path)
    assert caught.value.id == "rpmdb-list-malformed"
    assert META in caught.value.message


def test_an_image_whose_list_is_kept_is_not_fetched(tmp_path: Path) -> None:
    layout = image(tmp_path, labels=dict(oci.LABELS))
    lists = tmp_path / "lists"
    assert said(source(tmp_path / "one", lists), layout.path) == ["based-1-1"]
    (kept,) = lists.iterdir()
    assert json.loads(kept.read_bytes()) == {"rpmdb.pkglist": [["based", "0", "1", "1", "(none)"]]}
    kept.write_bytes(LIST)
    assert said(source(tmp_path / "two", lists), layout.path) == ["listed-1:2-3"]
    assert not list((tmp_path / "two").rglob("blobs/sha256/*"))


def test_an_image_without_packages_is_an_error(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable()])
    with pytest.raises(BootimgError) as caught:
        said(source(tmp_path), layout.path)
    assert caught.value.id == "rpmdb-missing"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry on loopback; yields host:port."""
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed")
    with serving_registry(tmp_path) as address:
        yield address


def test_only_the_last_layer_is_fetched_from_a_registry(registry: str, tmp_path: Path) -> None:
    # More than a pipe and more than a piece of reading hold.
    padding = oci.file("usr/share/openshift/x", bytes(range(256)) * 20_000)
    layout = oci.Layout(tmp_path / "image")
    layers = [oci.bootable(), oci.tar(oci.file(META, LIST), padding)]
    made = layout.add(layers, labels=NODE, tag="t", compression=["gzip", "plain"])
    name = f"{registry}/a/node"
    subprocess.run(["skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false",
                    f"oci:{layout.path}:t", f"docker://{name}:t"], check=True)  # fmt: skip
    manifest = json.loads((layout.blobs / made["digest"][7:]).read_bytes())
    lower, upper = (layer["digest"][7:] for layer in manifest["layers"])
    # The registry loses the lower layer: were it asked for, this could not work.
    shutil.rmtree(next((tmp_path / "registry").rglob(f"blobs/sha256/*/{lower}")))
    found = source(tmp_path)
    for reference in (f"{name}:t", f"{name}@{made['digest']}"):
        assert said(found, reference) == ["listed-1:2-3"]
    shutil.rmtree(tmp_path / "cache")
    path = next((tmp_path / "registry").rglob(f"blobs/sha256/*/{upper}")) / "data"
    content = path.read_bytes()
    path.write_bytes(b"x" + content[1:])
    with pytest.raises(BootimgError) as caught:
        said(found, f"{name}:t")
    assert caught.value.id == "layer-digest-mismatch"
    assert not list((tmp_path / "cache").rglob(f"blobs/sha256/{upper}"))
    path.unlink()
    with pytest.raises(BootimgError) as caught:
        said(found, f"{name}:t")
    assert caught.value.id == "layer-not-found"


def run(*words: str | Path, tmp_path: Path, code: int = 0) -> str:
    done = program("rpmdb", *words, "--cache", tmp_path / "cache", "--arch", "x86_64")
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def layer(folder: Path, *packages: Rpm) -> tuple[oci.Layout, Path]:
    """An image with a real database of these packages, and the folder of the database."""
    folder.mkdir()
    made = make_database(packages, folder)
    members = [oci.file(f"usr/share/rpm/{path.name}", path.read_bytes()) for path in made.iterdir()
               if path.name.startswith("rpmdb.sqlite") and not path.name.endswith("shm")]  # fmt: skip
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable(*members)])
    return layout, made


@needs_rpm
def test_the_command_says_what_rpm_says(tmp_path: Path) -> None:
    kernels = [Rpm("kernel", "5.14", release) for release in ("9", "10", "8")]
    olds = [Rpm("bash", "5.1", epoch=0), Rpm("grub2", "2.06", "9", epoch=1), *kernels[:2], Rpm("gone", "1")]
    news = [Rpm("bash", "5.1"), Rpm("grub2", "2.06", "10", epoch=1), *kernels[1:], Rpm("here", "1")]
    old, before = layer(tmp_path / "old", *olds)
    new, _ = layer(tmp_path / "new", *news)
    listed = json.loads(run("list", old.path, "--json", tmp_path=tmp_path))
    rows = {name: f"{'' if epoch in ('0', '(none)') else f'{epoch}:'}{version}-{release}"
            for name, epoch, version, release in query(before, "NAME", "EPOCH", "VERSION", "RELEASE")
            if (name, release) != ("kernel", "9")}  # fmt: skip
    assert listed == rows
    full = run("list", old.path, "--full", tmp_path=tmp_path).splitlines()
    assert sorted(full) == sorted(nevra.replace("-0:", "-") for (nevra,) in query(before, "NEVRA"))
    assert json.loads(run("diff", old.path, new.path, "--json", tmp_path=tmp_path)) == {
        "changed": {"grub2": {"old": "1:2.06-9", "new": "1:2.06-10"}},
        "added": {"here": "1-1.el9"},
        "removed": {"gone": "1-1.el9"},
    }
    assert run("diff", old.path, new.path, tmp_path=tmp_path).splitlines() == [
        "upgraded   grub2  1:2.06-9 → 1:2.06-10",
        "added      here   1-1.el9",
        "removed    gone   1-1.el9",
    ]
    assert "downgraded grub2" in run("diff", new.path, old.path, tmp_path=tmp_path)
    full_text = run("diff", old.path, new.path, "--full", tmp_path=tmp_path)
    assert "kernel  5.14-9.x86_64, 5.14-10.x86_64 → 5.14-8.x86_64, 5.14-10.x86_64" in full_text
    assert json.loads(run("diff", old.path, old.path, "--json", tmp_path=tmp_path)) == {}
    assert run("diff", old.path, old.path, tmp_path=tmp_path) == "no difference\n"


def test_a_build_stands_for_the_layer_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "builds" / "1.2-0" / "x86_64"
    folder.mkdir(parents=True)
    archive = image(tmp_path, labels=dict(oci.LABELS)).archive(folder / "layer.ociarchive")
    images = {"ostree": {"path": archive.name, "size": archive.stat().st_size, "sha256": "x"}}
    meta = {"buildid": "1.2-0", "coreos-assembler.basearch": "x86_64", "images": images}
    (folder / "meta.json").write_text(json.dumps(meta))
    index = {"schema-version": "1.0.0", "builds": [{"id": "1.2-0", "arches": ["x86_64"]}]}
    (tmp_path / "builds" / "builds.json").write_text(json.dumps(index))
    for name in ("latest", "1.2-0", str(folder)):
        assert run("list", name, "-o", tmp_path / "builds", tmp_path=tmp_path) == "based-1-1\n"
    archive.unlink()
    assert "artifact-missing" in run("list", "latest", "-o", tmp_path / "builds", tmp_path=tmp_path, code=2)


def test_debian_s_packages_are_listed_and_compared(tmp_path: Path) -> None:
    layouts = []
    for name, text in (("old", STATUS), ("new", STATUS.replace("5.2.37-2+b8", "5.2.37-3"))):
        layouts.append(oci.Layout(tmp_path / name))
        layouts[-1].add([oci.bootable(oci.file("usr/share/dpkg-db/status", text.encode()))])
    old, new = (layout.path for layout in layouts)
    assert run("list", old, tmp_path=tmp_path).splitlines() == ["bash-5.2.37-2+b8", "tzdata-1:2026a"]
    assert run("diff", old, new, tmp_path=tmp_path) == "changed    bash  5.2.37-2+b8 → 5.2.37-3\n"


def test_names_do_not_command_a_terminal(tmp_path: Path) -> None:
    blob = header(name="x\x1b[2J", version="1", release="1")
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(oci.file(PLACE, database(tmp_path / "made", blobs=(blob,))))])
    assert run("list", layout.path, tmp_path=tmp_path) == "x\\x1b[2J-1-1\n"

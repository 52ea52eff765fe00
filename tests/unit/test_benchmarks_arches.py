"""What the benchmark of the architectures compares, and what it says of the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import arches
from benchmarks.arches import ArchBench, twin
from benchmarks.basedisks import BaseBench, Made
from benchmarks.elapsed import Elapsed
from benchmarks.figures import Figure
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.fetching.arches import architectures_of
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from tests.support.layers import oci


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    layout = oci.Layout(tmp_path / "layer")
    layout.add([oci.bootable(oci.file("usr/bin/large", b"large"), bootloader=False)], arch="arm64")
    return layout.archive(tmp_path / "layer.ociarchive")


def paths(image: str, arch: Arch, cache: Cache) -> set[str]:
    tree = open_tree(fetch(image, arch=arch, cache=cache, events=Events()), cache, Events())
    return {str(path) for path in tree.entries}


def test_the_twin_has_the_same_files_and_the_bootloaders_of_x86_64(layer: Path, tmp_path: Path) -> None:
    made, cache = twin(layer, tmp_path / "twin"), Cache(tmp_path / "cache")
    assert architectures_of(str(made)) == ("amd64",)
    own, other = paths(str(layer), Arch.AARCH64, cache), paths(str(made), Arch.X86_64, cache)
    assert own < other
    assert set(oci.BOOTLOADER) <= other - own


def test_the_figure_compares_the_best_of_each(
    layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: Iterator[Made] = (
        Made(Elapsed(seconds, 1.0), f"step base-native: deploy {seconds}")
        for seconds in (3.0, 4.0, 2.2, 2.0, 5.0, 6.0)
    )
    monkeypatch.setattr(BaseBench, "make", lambda bench: next(times))
    monkeypatch.setattr(BaseBench, "gpt", None)
    found = ArchBench(tmp_path).base_disk(Arch.AARCH64, layer)
    assert (found.name, round(found.value, 3)) == ("base disk of aarch64 against one of x86_64", 1.1)
    assert found.verdict == "met"
    assert "2.2 s (1.0 s CPU) against 2.0 s (1.0 s CPU), of CPU 1.00; step base-native" in found.note


def test_what_cannot_be_made_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure("aarch64", 1.0, "ratio", 1.1, "")
    reasons = {Arch.PPC64LE: "no bootloader", Arch.S390X: "no layer"}
    monkeypatch.setattr(arches, "why_not", reasons.get)
    monkeypatch.setattr(arches, "small_layer", lambda arch: tmp_path)
    monkeypatch.setattr(ArchBench, "base_disk", lambda bench, arch, layer: figure)
    assert list(ArchBench(tmp_path).figures()) == [figure]
    assert capsys.readouterr().err.splitlines() == [
        "ppc64le: left out: no bootloader",
        "s390x: left out: no layer",
    ]
    assert list(ArchBench(tmp_path).figures(["s390x"])) == []

"""The forms of the stand-in layer, as far as no tool has to be compiled for them."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.layer import Flavour, store, tools
from tests.layer.chunks import OTHER, UNPACKAGED, chunks
from tests.layer.coreos import ROOTFS
from tests.layer.oci import Compression, write_archive, write_layer
from tests.layer.oci_derived import Derived, derive_archive
from tests.layer.recipe import Recipe, read_recipe
from tests.layer.tree import Change, Tree, file_node, put

INFO = "usr/share/dpkg-db/info"


def tree_of(files: dict[str, bytes]) -> Tree:
    made: Tree = {}
    for path, content in files.items():
        put(made, path, file_node(path, content))
    return made


@pytest.fixture
def recipe() -> Recipe:
    return replace(read_recipe(), rpms={"shell": "bash", "bash-again": "bash"})


def test_a_file_is_in_the_chunk_of_its_package(recipe: Recipe) -> None:
    sizes = {"bash": 10, "big": 9000, "small": 1}
    stanzas = [f"Package: {name}\nInstalled-Size: {size}\n" for name, size in sizes.items()]
    found = chunks(
        tree_of(
            {
                "usr/share/dpkg-db/status": "\n".join(stanzas).encode(),
                f"{INFO}/bash.list": b"/.\n/bin/bash\n/etc/bash.bashrc\n",
                f"{INFO}/big:amd64.list": b"/usr/lib/big\n",
                f"{INFO}/small.list": b"/usr/lib/small\n/bin/bash\n",
                "usr/bin/bash": b"",
                "etc/bash.bashrc": b"",
                "usr/lib/big": b"",
                "usr/lib/small": b"",
                "usr/lib/made": b"",
                "usr/lib/modules/6.12/initramfs.img": b"",
                "usr/lib/modules/6.12/vmlinuz": b"",
                "usr/lib/modules/6.12/kernel/fs/xfs.ko": b"",
            }
        ),
        recipe,
    )
    assert found["usr/bin/bash"] == found["etc/bash.bashrc"] == "bash-again"
    assert (found["usr/lib/big"], found["usr/lib/small"], found["usr/lib/made"]) == ("big", OTHER, UNPACKAGED)
    assert found["usr/lib/modules/6.12/initramfs.img"] == "initramfs"
    assert found["usr/lib/modules/6.12/vmlinuz"] == "kernel-core"
    assert found["usr/lib/modules/6.12/kernel/fs/xfs.ko"] == "kernel-modules"
    assert "usr/lib" not in found, "directories are in every chunk that needs them"


def test_a_derived_image_keeps_the_layers_below_and_says_its_steps(tmp_path: Path) -> None:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    lower.mkdir()
    upper.mkdir()
    base = write_layer(Change(tree_of({"a": b"1"})), Compression.GZIP, lower, "base")
    # As ostree-ext does: an empty layer, reserved, here with the same digest as the derived one.
    reserved = write_layer(Change({}), Compression.GZIP, lower, "reserved")
    archive = tmp_path / "base.ociarchive"
    write_archive(
        [base, reserved, reserved], {"one": "1", "two": "1"}, "2026-11-01T00:00:00Z", lower, archive
    )
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "base", filter="data")
    empty = write_layer(Change({}), Compression.GZIP, upper, "RUN true")
    added = Derived([empty], {"two": "2"}, "2026-11-02T00:00:00Z", without_layer=["LABEL two=2"])
    output = tmp_path / "derived.ociarchive"
    derive_archive(tmp_path / "base", added, upper, output)
    with tarfile.open(output) as opened:
        found = {m.name: opened.extractfile(m).read() for m in opened}  # type: ignore[union-attr]
    manifest = json.loads(
        found[f"blobs/sha256/{json.loads(found['index.json'])['manifests'][0]['digest'][7:]}"]
    )
    config = json.loads(found[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    assert [layer["digest"] for layer in manifest["layers"]] == [
        base.digest,
        reserved.digest,
        reserved.digest,
        empty.digest,
    ]
    assert config["config"]["Labels"] == {"one": "1", "two": "2"}
    assert config["rootfs"]["diff_ids"][-1] == empty.diff_id
    steps = [(step["created_by"], step.get("empty_layer", False)) for step in config["history"]]
    assert steps[-2:] == [("RUN true", False), ("LABEL two=2", True)]


def test_the_coreos_recipe_differs_only_by_what_it_says() -> None:
    debian, coreos = read_recipe(), read_recipe(Flavour.COREOS)
    assert set(coreos.packages) ^ set(debian.packages) == {"bubblewrap", "ignition", "skopeo"}
    assert set(coreos.tools) == set(coreos.tool_rpms) == set(tools.tools()) - {"cosign"}
    for name, version in coreos.tool_rpms.items():
        assert version == f"{tools.tools()[name].version}-1"
    assert all(path.read_bytes().startswith(b"#!") for path in ROOTFS.rglob("usr/sbin/*"))


def test_tools_that_are_not_there_need_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTIMG_TEST_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = tools.why_not("bootupd")
    assert reason and "cargo is missing" in reason
    tools.location("bootupd").mkdir(parents=True)
    assert tools.why_not("bootupd") is None


def test_an_old_compiler_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOTIMG_TEST_CACHE", str(tmp_path))
    cargo = tmp_path / "cargo"
    cargo.write_text("#!/bin/sh\necho cargo 1.63.0\n")
    cargo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert tools.why_not("bootupd") == "cargo is older than 1.90"


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail(output: Path) -> None:
        (output / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.made_folder(tmp_path / "x", fail)
    assert not list(tmp_path.iterdir())

    def write(output: Path) -> None:
        (output / "file").write_text("whole")

    store.made_folder(tmp_path / "x", write)
    assert (tmp_path / "x/file").read_text() == "whole"

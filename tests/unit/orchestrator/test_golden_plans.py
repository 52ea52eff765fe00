"""What is planned for every platform of every architecture: files, sizes in bytes, and steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.cli.main import bootimg
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.platform import Packaging, platforms
from tests.support.layers import oci

GOLDEN = Path(__file__).parents[1] / "golden" / "plans"
# Every bootloader has tests of its own: here all layers pass as if they had theirs.
CHECKS = ("refuse_other_arches", "refuse_foreign_layer", "require_bootloaders")
IMAGE_JSON = b'{"size": 16, "vmware-os-type": "rhel9_64Guest", "vmware-hw-version": 17}'


def names_of(arch: Arch) -> list[str]:
    """The platforms of the architecture whose images are disks."""
    return [name for name, each in platforms().items()
            if arch in each.arches and each.packaging is not Packaging.BFB]  # fmt: skip


@pytest.fixture(autouse=True)
def every_arch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CHECKS:
        monkeypatch.setattr(f"bootimg.orchestrator.buildsteps.basestep.{name}", lambda *_: None)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of layers of all architectures, in the cache beside it."""
    folder = tmp_path_factory.mktemp("plans")
    layout, cache = oci.Layout(folder / "image"), Cache(folder / "cache")
    layer = [oci.bootable(image_json=IMAGE_JSON)]
    layout.index({arch.oci: layout.image(layer, arch=arch.oci) for arch in Arch})
    for arch in Arch:
        image = fetch(str(layout.path), arch=arch, cache=cache, events=Events())
        open_tree(image, cache, Events())
    return layout.path


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """What of a plan must stay as it is."""
    assert document["exact"]
    assert document["left-out"] == {}
    artifacts = {each["key"]: f"{each['name']} {each['virtual-size']}" for each in document["artifacts"]}
    return {"artifacts": artifacts, "steps": " ".join(each["step"] for each in document["steps"])}


def plan(index: Path, *words: str) -> dict[str, Any]:
    places = ["--cache", index.parent / "cache", "-o", index.parent / "builds", "--accel", "tcg", "--json"]
    command = ["plan", index, *words, *places]
    done = CliRunner().invoke(bootimg, [*map(str, command)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("compressor", ["none", "gzip"])
@pytest.mark.parametrize("arch", Arch)
def test_the_plan_of_every_platform_is_this_one(arch: Arch, compressor: str, index: Path) -> None:
    packed = () if compressor == "none" else ("--compressor", compressor)
    document = plan(index, "--arch", arch, "-p", ",".join(names_of(arch)), *packed)
    assert shown(document) == json.loads((GOLDEN / f"{arch}.json").read_text())[compressor]


def test_all_architectures_together_have_the_plans_of_each(index: Path) -> None:
    document = plan(index, "--arch", "all", "-p", "metal,metal4k,qemu")
    for entry in document["arches"]:
        arch, found = entry["arch"], shown(entry["plan"])
        golden = json.loads((GOLDEN / f"{arch}.json").read_text())["none"]["artifacts"]
        assert found["artifacts"] == {key: golden[key] for key in ("ostree", "metal", "metal4k", "qemu")}
    assert [each["arch"] for each in document["arches"]] == list(Arch)

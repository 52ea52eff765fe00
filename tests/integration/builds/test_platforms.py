"""Every platform of x86_64 in one pass, each artifact read back by another program."""

from __future__ import annotations

import json
import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.platform import DiskSize, platforms
from bootimg.targets import LIVE
from tests.integration.builds.readback import Table, boot_files, digests, raw_of
from tests.integration.builds.test_disk import output
from tests.integration.conftest import Built, Workspace
from tests.layer.contract import platforms_json

pytestmark = [pytest.mark.real, pytest.mark.matrix]

MIB, GIB = 1 << 20, 1 << 30
KNOWN = {name: each for name, each in platforms().items() if Arch.X86_64 in each.arches}
# image.json of the stand-in layer.
LAYER_SIZE = 4 * GIB


@pytest.fixture(scope="module")
def everything(workspace: Workspace, layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """All platforms and live media, from base disks of both sector sizes."""
    own = Workspace(workspace.cache, tmp_path_factory.mktemp("all"))
    done = own.bootimg("build", layer, "-p", "all", "--json")
    return Built(own, json.loads(done.stdout))


def test_the_artifacts_that_plan_promises_are_those_that_build_makes(
    everything: Built, layer: Path, tmp_path: Path
) -> None:
    """Of a layer that is read; in a tree without the build, and in the one that has it."""
    for own, cached in (
        (Workspace(everything.workspace.cache, tmp_path), False),
        (everything.workspace, True),
    ):
        plan = json.loads(own.bootimg("plan", layer, "-p", "all", "--json").stdout)
        assert plan["exact"]
        made = everything.document["artifacts"]
        assert [(each["key"], each["name"], each["cached"]) for each in plan["artifacts"]] == [
            (each["key"], Path(each["path"]).name, cached) for each in made
        ]


def base_of(built: Built, sector: int) -> Path:
    return Path(built.document["base-disks"][str(sector)])


@pytest.mark.parametrize("name", KNOWN)
def test_an_artifact_holds_the_base_disk_and_its_platform(
    name: str, everything: Built, tmp_path: Path
) -> None:
    platform = KNOWN[name]
    artifact = everything.artifact(platform.image_key)
    raw = raw_of(platform, artifact, tmp_path)
    base = base_of(everything, platform.sector_size)
    table = Table.of(base, platform.sector_size)
    mine, wanted = digests(raw, table), digests(base, table)
    # The boot partition alone is another one.
    assert {part for part in wanted if mine[part] != wanted[part]} == {"3"}
    sizes = {DiskSize.METAL: base.stat().st_size, DiskSize.LAYER: LAYER_SIZE}
    fixed = platform.size * GIB if isinstance(platform.size, int) else sizes[platform.size]
    assert raw.stat().st_size == fixed
    options, console = boot_files(raw, table, tmp_path)
    settings = platforms_json().get(name, {})
    own = [f"ignition.platform.id={platform.ignition_id}", *settings.get("kernel_arguments", [])]
    assert options.split()[-len(own) :] == own
    assert options.count("ignition.platform.id=") == 1
    between = console.partition("# CONSOLE-SETTINGS-START\n")[2].partition("\n# CONSOLE-SETTINGS-END")[0]
    assert between.splitlines() == settings.get("grub_commands", [])


def test_meta_json_has_them_all_with_their_digests(everything: Built) -> None:
    images = everything.meta["images"]
    keys = {"ostree", "oci-manifest", *LIVE.meta_keys, *(each.image_key for each in KNOWN.values())}
    assert set(images) == keys
    for name, platform in KNOWN.items():
        entry = images[platform.image_key]
        path = everything.path / entry["path"]
        assert path.name.endswith(f"-{name}.x86_64.{platform.suffix}")
        assert (path.stat().st_size, sha256(path.read_bytes()).hexdigest()) == (
            entry["size"],
            entry["sha256"],
        )
        assert entry.get("skip-compression", False) == platform.skip_compression


def test_images_are_sound_to_qemu(everything: Built) -> None:
    for name in ("qemu", "nutanix", "hyperv"):
        output("qemu-img", "check", everything.artifact(name))


def test_a_vhd_has_whole_mebibytes_and_a_right_footer(everything: Built) -> None:
    path = everything.artifact("azure")
    with path.open("rb") as file:
        file.seek(-512, os.SEEK_END)
        footer = file.read()
    assert footer[:8] == b"conectix"
    assert int.from_bytes(footer[48:56], "big") % MIB == 0
    assert int.from_bytes(footer[64:68], "big") == ~sum(footer[:64] + footer[68:]) & 0xFFFFFFFF


def test_compress_and_uncompress_are_each_other_s_reverse(
    everything: Built, layer: Path, tmp_path: Path
) -> None:
    own = Workspace(everything.workspace.cache, tmp_path / "builds")
    words = ("build", layer, "-p", "metal,aws,nutanix,gcp")
    plain = Built(own, json.loads(own.bootimg(*words, "--json").stdout)).meta["images"]
    changed = json.loads(own.bootimg("compress", "--json").stdout)["artifacts"]
    packed = Built(own, {"path": str(Path(changed[0]["path"]).parent), "artifacts": []}).meta["images"]
    assert [each["key"] for each in changed] == ["metal", "aws"]
    for key in ("metal", "aws"):
        path = Path(next(each["path"] for each in changed if each["key"] == key))
        assert path.name == plain[key]["path"] + ".gz"
        assert not path.with_name(plain[key]["path"]).exists()
        assert packed[key]["uncompressed-sha256"] == plain[key]["sha256"]
        subprocess.run(["gzip", "--test", path], check=True)
    # In the same pass it is the same file.
    other = Workspace(everything.workspace.cache, tmp_path / "other")
    once = Built(other, json.loads(other.bootimg(*words, "--compress", "--json").stdout)).meta["images"]
    names = ("metal", "aws", "nutanix", "gcp")
    assert {key: once[key] for key in names} == {key: packed[key] for key in names}
    own.bootimg("uncompress")
    again = json.loads((path.parent / "meta.json").read_bytes())["images"]
    assert again == plain


def test_a_damaged_image_is_not_compressed(everything: Built, layer: Path, tmp_path: Path) -> None:
    own = Workspace(everything.workspace.cache, tmp_path / "builds")
    built = Built(own, json.loads(own.bootimg("build", layer, "-p", "metal", "--json").stdout))
    path = built.artifact("metal")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"damage")
    before = built.meta
    done = own.bootimg("compress", check=False)
    assert done.returncode == 1
    assert b"artifact-damaged" in done.stderr
    assert built.meta == before
    assert sorted(each.name for each in built.path.iterdir() if ".gz" in each.name) == []


def test_more_artifacts_of_a_build_without_its_layer_and_without_its_cache(
    everything: Built, layer: Path, tmp_path: Path
) -> None:
    """From the sealed base disk first, then from metal, in a cache that has nothing: the same bytes."""
    own = Workspace(everything.workspace.cache, tmp_path / "builds")
    own.bootimg("build", layer, "-p", "metal")
    own.bootimg("build", "--from", "latest", "-p", "openstack")
    fresh = Workspace(tmp_path / "cache", own.builds)
    done = fresh.bootimg("build", "--from", "latest", "-p", "azure", "--json")
    assert b"as the base disk" in done.stderr
    images = Built(fresh, json.loads(done.stdout)).meta["images"]
    whole = everything.meta["images"]
    assert images["openstack"]["sha256"] == whole["openstack"]["sha256"]
    assert list((tmp_path / "cache").glob("bases/*/disk.raw")) == []
    table = Table.of(base_of(everything, 512), 512)
    (tmp_path / "raw").mkdir()
    mine = raw_of(KNOWN["azure"], Built(fresh, json.loads(done.stdout)).artifact("azure"), tmp_path / "raw")
    (tmp_path / "wanted").mkdir()
    wanted = raw_of(KNOWN["azure"], everything.artifact("azure"), tmp_path / "wanted")
    ours, theirs = digests(mine, table), digests(wanted, table)
    assert {part for part in theirs if ours[part] != theirs[part]} <= {"3"}
    assert boot_files(mine, table, tmp_path / "raw") == boot_files(wanted, table, tmp_path / "wanted")


def test_one_that_fails_does_not_lose_the_others(everything: Built, layer: Path, tmp_path: Path) -> None:
    own = Workspace(everything.workspace.cache, tmp_path / "builds")
    first = Built(own, json.loads(own.bootimg("build", layer, "-p", "qemu", "--json").stdout))
    # What is in the place of azure's file cannot be replaced by a file.
    name = everything.artifact("azure").name
    (first.path / name / "in-the-way").mkdir(parents=True)
    done = own.bootimg("build", layer, "-p", "qemu,azure,metal", "--json", check=False)
    assert done.returncode == 4, done.stderr.decode()
    document = json.loads(done.stdout)
    assert list(document["failures"]) == ["azure"]
    assert {each["key"] for each in document["artifacts"]} == {"ostree", "qemu", "metal"}
    (first.path / name / "in-the-way").rmdir()
    (first.path / name).rmdir()
    again = json.loads(own.bootimg("build", layer, "--retry-failed", "--json").stdout)
    assert {each["key"] for each in again["artifacts"] if not each["cached"]} == {"azure"}

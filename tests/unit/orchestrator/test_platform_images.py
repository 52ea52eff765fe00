"""What a build of many platforms decides before it writes: compressors, sizes, names, earlier failures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import Build, find_builds, require_digest
from bootimg.builds.meta import MetaFile
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor
from bootimg.formats.packagers import PACKAGERS, packager_of
from bootimg.layer.declared.imagejson import ImageJson
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.orchestrator.artifacts.compressors import Compressors
from bootimg.orchestrator.artifacts.packaging import assumption, layer_values
from bootimg.orchestrator.journal import NAME, RUN, Journal
from bootimg.orchestrator.rebuild import compressors_of, only_failed, rebuild_request, require_same_image
from bootimg.orchestrator.recipes.variables import disk_sizes_mib
from bootimg.orchestrator.refusals import refuse_unmade
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.selection import Selection
from bootimg.platform import Ovf, Packaging, PowerVolume, platform, platforms
from bootimg.targets import image_of
from tests.support.layers.manifests import of_every_platform
from tests.unit.orchestrator.test_variables import layer, request

X86 = Arch.X86_64


@pytest.mark.parametrize(
    ("says", "wanted", "name", "found"),
    [
        (Compressors(), None, "qemu", "gzip"),
        (Compressors("xz"), None, "qemu", "xz"),
        (Compressors("xz"), Compressor.ZSTD, "qemu", "zstd"),
        (Compressors("xz", {"qemu": "gzip"}), Compressor.ZSTD, "qemu", "gzip"),
        (Compressors("xz", {"qemu": "gzip"}), None, "metal", "xz"),
        (Compressors("none"), None, "metal", "none"),
        (Compressors("xz"), Compressor.GZIP, "gcp", "none"),
        (Compressors("xz", {"nutanix": "xz"}), None, "nutanix", "none"),
    ],
)
def test_who_is_asked_for_the_compressor(
    says: Compressors, wanted: Compressor | None, name: str, found: str
) -> None:
    assert says.of(platform(name, X86), wanted) == found


def test_a_compressor_nobody_knows_is_refused() -> None:
    with pytest.raises(BootimgError) as error:
        Compressors("zip").of(platform("qemu", X86), None)
    assert (error.value.id, error.value.exit_code) == ("compressor-unknown", ExitCode.USAGE)


def test_a_fixed_size_below_the_base_disk_names_the_platform(tmp_path: Path) -> None:
    opened = layer(tmp_path)
    small = replace(platform("ibmcloud", X86), size=0)
    asked = replace(request(tmp_path), platforms=(platform("metal", X86), small))
    with pytest.raises(BootimgError) as error:
        disk_sizes_mib(replace(asked, size=1), opened.tree, opened.facts)
    assert error.value.id == "disk-too-small"
    assert "ibmcloud" in error.value.message
    # The metal disk is as large as the layer needs, whatever was asked for.
    disk_sizes_mib(replace(asked, size=1, platforms=asked.platforms[:1]), opened.tree, opened.facts)


def test_file_names_end_with_the_platform_s_suffix() -> None:
    recipes = read_recipes(Manifest.from_json(of_every_platform(X86)))
    for name, each in platforms().items():
        if X86 in each.arches:
            disk = recipes[each.sector_size].platforms[name]
            assert (
                packager_of(each).file_name(each, disk) == f"rhcos-9.6.20261101-0-{name}.x86_64.{each.suffix}"
            )


def existing(folder: Path, **meta: Any) -> Build:  # noqa: ANN401
    path = folder / "builds" / "9.6.1" / "x86_64"
    path.mkdir(parents=True)
    (path / "layer.ociarchive").write_bytes(b"layer")
    images = {"ostree": {"path": "layer.ociarchive", "sha256": "0" * 64}}
    MetaFile(path / "meta.json").merge({"buildid": "9.6.1", "images": images, **meta})
    return find_builds(folder / "builds", "9.6.1")[0]


def test_more_of_a_build_is_asked_for_as_the_build_was(tmp_path: Path) -> None:
    build = existing(tmp_path)
    asked = Request(reference="", arch=X86, platforms=(), builds=Path("elsewhere"))
    assert rebuild_request(build, asked).target_imgref is None
    journal = Journal(build.path / NAME)
    journal.record(RUN, "begun", **{"target-imgref": "ostree-remote-image:a", "size": 7, "compressor": "xz"})
    again = rebuild_request(build, asked)
    assert again.reference == str(build.path / "layer.ociarchive")
    assert (again.builds, again.target_imgref, again.size) == (
        tmp_path / "builds",
        "ostree-remote-image:a",
        7,
    )
    assert rebuild_request(build, replace(asked, size=9)).size == 9
    assert compressors_of(build) == Compressors("xz")
    with pytest.raises(BootimgError) as error:
        (build.path / "layer.ociarchive").unlink()
        rebuild_request(build, asked)
    assert error.value.id == "artifact-missing"


def test_only_what_failed_is_made_again(tmp_path: Path) -> None:
    build = existing(tmp_path)
    journal = Journal(build.path / NAME)
    for name, state in (("aws", "failed"), ("gcp", "failed"), ("gcp", "done"), ("import", "failed")):
        journal.record(name, state)
    asked = Request(reference="", arch=X86, platforms=tuple(platforms().values()), builds=tmp_path / "builds")
    assert [each.name for each in only_failed(asked, "9.6.1").platforms] == ["aws"]
    skipping = replace(asked, selection=Selection(skip_reason="why"))
    assert only_failed(skipping, "9.6.1").platforms == ()


def test_an_archive_of_another_image_is_refused(tmp_path: Path) -> None:
    opened = layer(tmp_path / "layer")
    digest = opened.image.digest.removeprefix("sha256:")
    build = existing(tmp_path, images={"oci-manifest": {"path": "m", "sha256": digest}})
    require_same_image(build, opened.image)
    other = replace(build, meta={"images": {"oci-manifest": {"path": "m", "sha256": "0" * 64}}})
    with pytest.raises(BootimgError) as error:
        require_same_image(other, opened.image)
    assert error.value.id == "build-archive-changed"


def test_a_digest_that_is_another_is_an_error() -> None:
    require_digest(Path("a"), "sha256", "00", "00")
    with pytest.raises(BootimgError) as error:
        require_digest(Path("a"), "sha256", "00", None)
    assert error.value.id == "artifact-damaged"


def test_vmware_s_hardware_is_the_layer_s_choice() -> None:
    description = platform("vmware", X86).packaging_options
    assert isinstance(description, Ovf)
    keys = description.layer_values
    own = {"vmware-hw-version": 17, "vmware-os-type": "fedora64Guest", "vmware-secure-boot": True}
    assert layer_values(ImageJson(others=own | {"another": 1}), keys) == {
        "vmware-hw-version": "17", "vmware-os-type": "fedora64Guest", "vmware-secure-boot": "true",
    }  # fmt: skip
    assert layer_values(ImageJson(), keys) == {
        "vmware-hw-version": "15", "vmware-os-type": "rhel8_64Guest", "vmware-secure-boot": "false",
    }  # fmt: skip
    for key, value in (("vmware-hw-version", "17"), ("vmware-hw-version", True), ("vmware-secure-boot", 1)):
        with pytest.raises(BootimgError) as error:
            layer_values(ImageJson(others={key: value}), keys)
        assert error.value.id == "image-json-malformed"
        assert key in error.value.message


@pytest.mark.parametrize("change", [
    {"packaging_options": None},
    {"packaging_options": {"ovf": "vmware"}},
    {"packaging_options": PowerVolume(os_id=1, os_type="x", architecture="y", capacity_gib=1)},
    {"disk_format": "qcow2"},
])  # fmt: skip
def test_an_ova_that_nobody_can_describe_is_refused_before_work_starts(change: dict[str, Any]) -> None:
    with pytest.raises(BootimgError) as error:
        refuse_unmade(image_of(replace(platform("vmware", X86), **change)), Arch.X86_64)
    assert (error.value.id, error.value.exit_code) == ("ovf-unknown", ExitCode.USAGE)


def test_every_packaging_of_a_disk_has_a_packager() -> None:
    assert {*PACKAGERS} == {*Packaging} - {Packaging.BFB}
    for each in platforms().values():
        assert (each.packaging in PACKAGERS) == each.buildable
        if each.buildable:
            packager_of(each)


def test_what_an_ova_has_by_default_is_said() -> None:
    vmware, qemu = platform("vmware", X86), platform("qemu", X86)
    said = assumption(vmware, ImageJson(others={"vmware-os-type": "fedora64Guest"}))
    assert said
    assert "vmware-secure-boot (false is used)" in said
    assert "vmware-os-type" not in said
    keys = {"vmware-hw-version": 17, "vmware-os-type": "fedora64Guest", "vmware-secure-boot": False}
    assert assumption(vmware, ImageJson(others=keys)) is None
    assert assumption(qemu, ImageJson()) is None

"""The rendered manifests of all architectures are valid for osbuild, and have the recipe's values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from bootimg.arch import Arch
from bootimg.manifest.model import Json
from bootimg.manifest.render import canonical_json
from tests.support.layers.manifests import (
    CONTAINER,
    by_bootc,
    fetched_by_osbuild,
    of_every_platform,
    pipeline,
    rendered,
    stages,
)

SCHEMAS = Path(__file__).parents[4] / "shared" / "data" / "osbuild-schemas"
MANIFESTS: dict[str, Callable[[], Json]] = {
    **{str(arch): partial(rendered, arch) for arch in Arch},
    **{f"all-{arch}": partial(of_every_platform, arch) for arch in Arch},
    "fetched": fetched_by_osbuild,
    **{f"bootc-{arch}": partial(by_bootc, arch) for arch in Arch},
    "bootc-fetched": partial(by_bootc, ociarchive=None, ociarchive_sha256="", container=CONTAINER),
    "no-selinux": partial(rendered, selinux_policy=None),
    "no-kargs": partial(rendered, extra_kargs=()),
}
EFI = (Arch.X86_64, Arch.AARCH64)


@pytest.fixture
def schemas() -> Path:
    if not SCHEMAS.is_dir():
        pytest.skip("osbuild's schemas are not beside the project")
    return SCHEMAS


def parts(stage: dict[str, Any], meta: dict[str, Any]) -> Iterator[tuple[object, dict[str, Any]]]:
    """What a stage's schema says something of: version 2's parts, or version 1's options."""
    if "schema_2" not in meta:
        yield stage.get("options", {}), {"type": "object", **meta["schema"]}
        return
    schema = meta["schema_2"]
    for part in ("options", "devices", "inputs", "mounts"):
        if part in schema:
            empty: object = [] if part == "mounts" else {}
            yield stage.get(part, empty), {**schema[part], "definitions": schema.get("definitions", {})}


def validate(value: Any, schema: dict[str, Any]) -> None:  # noqa: ANN401
    validator(json.dumps(schema)).validate(value)


@cache
def validator(text: str) -> Validator:
    """For a schema as text; that the schema itself is valid is checked once."""
    schema = json.loads(text)
    kind = validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_is_valid_for_osbuild(name: str, schemas: Path) -> None:
    document = json.loads(canonical_json(MANIFESTS[name]()))
    validate(document, json.loads((schemas / "osbuild2.json").read_text()))
    for each in document["pipelines"]:
        for stage in each["stages"]:
            meta = json.loads((schemas / f"{stage['type']}.meta.json").read_text())
            unsaid = {"devices", "inputs", "mounts"} - set(
                meta.get("schema_2", {"inputs", "devices", "mounts"})
            )
            assert not unsaid & set(stage), stage["type"]
            for part, schema in parts(stage, meta):
                validate(part, schema)


def test_validation_finds_what_is_wrong(schemas: Path) -> None:
    stage = stages(rendered(), "mkfs.xfs")[0]
    meta = json.loads((schemas / "org.osbuild.mkfs.xfs.meta.json").read_text())
    stage["options"]["agcuont"] = 2
    with pytest.raises(ValidationError):
        for part, schema in parts(stage, meta):
            validate(part, schema)


def test_same_variables_same_text() -> None:
    assert canonical_json(rendered()) == canonical_json(rendered())
    assert json.loads(canonical_json(rendered())) == rendered()


@pytest.mark.parametrize("arch", Arch)
def test_ostree_recipe(arch: Arch) -> None:
    document = rendered(arch)
    assert pipeline(document, "tree")["source-epoch"] == 1659397331
    config, *after = (stage["options"]["config"]["sysroot"] for stage in stages(document, "ostree.config"))
    wanted = {"readonly": True, "bootloader": "none", "bootprefix": True}
    grub = {} if arch is Arch.S390X else {"bls-append-except-default": 'grub_users=""'}
    assert config == wanted | grub
    assert after == ([{"bootloader": "zipl"}] if arch is Arch.S390X else [])
    deploy = stages(document, "ostree.deploy.container")[0]["options"]
    firstboot = [] if arch is Arch.S390X else ["$ignition_firstboot"]
    assert deploy["kernel_opts"] == ["rw", *firstboot, "mitigations=auto,nosmt"]
    assert not any(word.startswith(("root=", "boot=")) for word in deploy["kernel_opts"])
    assert deploy["mounts"] == (["/boot", "/boot/efi"] if arch in EFI else ["/boot"])
    assert stages(document, "ostree.aleph")[0]["options"]["coreos_compat"] is True


@pytest.mark.parametrize("arch", Arch)
def test_filesystems_and_their_stamps(arch: Arch) -> None:
    document = rendered(arch)
    assert [stage["options"] for stage in stages(document, "mkfs.fat")] == (
        [{"label": "EFI-SYSTEM", "volid": "7B7795E7"}] if arch in EFI else []
    )
    assert stages(document, "mkfs.ext4")[0]["options"] == {
        "label": "boot",
        "uuid": "96d15588-3596-4b3c-adca-a2ff7279ea63",
        "metadata_csum_seed": True,
    }
    assert stages(document, "mkfs.xfs")[0]["options"] == {
        "label": "root",
        "uuid": "910678ff-f77e-4a7d-8d53-86f2ac47a823",
        "agcount": 2,
    }


@pytest.mark.parametrize(
    ("arch", "bios"),
    [
        (Arch.X86_64, {"device": "disk"}),
        (Arch.AARCH64, None),
        (Arch.PPC64LE, {"device": "disk", "partition": 1}),
    ],
)
def test_bootloader(arch: Arch, bios: dict[str, object] | None) -> None:
    (options,) = (stage["options"] for stage in stages(rendered(arch), "bootupd"))
    assert options == {
        "static-configs": True,
        "deployment": {"default": True},
        **({"bios": bios} if bios else {}),
    }


def test_s390x_has_zipl_in_the_platform_and_no_bootupd() -> None:
    document = rendered(Arch.S390X)
    assert not stages(document, "bootupd")
    kinds = [stage["type"] for stage in pipeline(document, "raw-qemu-image")["stages"]]
    assert kinds == [f"org.osbuild.{kind}" for kind in ("copy", "truncate", "coreos.platform", "zipl.inst")]
    assert stages(document, "zipl.inst")[0]["options"] == {
        "kernel": "1",
        "kernel_opts_append": ["ignition.firstboot"],
        "location": 2048,
    }


def test_platform_has_the_plugin_s_values() -> None:
    document = rendered()
    raw, artifact = pipeline(document, "raw-qemu-image"), pipeline(document, "qemu")
    sizes = [stage["options"]["size"] for stage in raw["stages"] if stage["type"] == "org.osbuild.truncate"]
    assert sizes == [str(16384 << 20)]
    assert stages({"pipelines": [raw]}, "coreos.platform")[0]["options"] == {"platform": "qemu"}
    assert artifact["stages"][0]["options"] == {
        "filename": "rhcos-9.6.20261101-0-qemu.x86_64.qcow2",
        "format": {"type": "qcow2", "compat": "1.1", "compression": False},
    }
    (copy,) = pipeline(document, "plain")["stages"]
    assert copy["options"]["paths"][0]["to"] == "tree:///rhcos-9.6.20261101-0-plain.x86_64.raw"


def test_selinux_is_labelled_twice_or_not_at_all() -> None:
    targets = [stage["options"]["target"] for stage in stages(rendered(), "selinux")]
    assert targets == ["tree:///", "mount://root/", "mount://root/boot/"]
    without = rendered(selinux_policy=None)
    assert not stages(without, "selinux")
    assert not stages(without, "ostree.selinux")

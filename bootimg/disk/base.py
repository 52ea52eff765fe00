"""A base disk: the one disk of a layer that every platform's disk is a patch of.

What it is made of comes from the rendered manifest (`Recipe`) and the layer; the order of the steps
is fixed (labels last, then trim, unmount, check).  All that needs a kernel happens in one launch of
the appliance; the GPT and the BIOS boot code are written by ourselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bootimg.appliance import Appliance, Drive, FailureHook
from bootimg.cache import Cache
from bootimg.disk import bootc, emptydisk, filesystems, labels, ostree_deploy
from bootimg.disk.aleph import ALEPH, COREOS_ALEPH, aleph_json
from bootimg.disk.bootloaders.bootloader import Bootloader, Installation, Placement
from bootimg.disk.bootloaders.choice import choose_bootloaders, install_bootloaders
from bootimg.disk.gpt import Attribute, Gpt, Partition, partition_guid, write_gpt
from bootimg.disk.layer_deploy import DeployWay, deploy_by_layer
from bootimg.disk.ostree_deploy import SYSROOT, Deployment
from bootimg.disk.stamp import stamp_ignition
from bootimg.events import Events
from bootimg.layer.image.fetched import Image
from bootimg.layer.importing.importer import ImportedCommit
from bootimg.layer.tree.merged import Tree
from bootimg.manifest.recipe import Disk, Recipe, Sysroot
from bootimg.manifest.strict import unsupported
from bootimg.vm.probe import Accelerator

_TOOLS, _SOURCE = "tools", "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseInputs:
    """What a base disk is made from: the recipe, the layer and, apart from it, the tool tree.

    `tool_tree` (this machine's architecture) and `source_image` are read-only file system images.  The
    latter holds a repository with the commit or, where the layer deploys or installs itself, its OCI
    layout.
    """

    recipe: Recipe
    image: Image
    tree: Tree
    commit: ImportedCommit
    tools: Tree
    tool_tree: Path
    source_image: Path
    way: DeployWay


def disk_gpt(disk: Disk, layer_digest: str) -> Gpt:
    """The partition table of the recipe; GUIDs it leaves open follow from the layer and the role."""
    partitions = []
    for part in disk.partitions:
        role = part.name or f"partition-{part.number}"
        bits = Attribute(sum(1 << bit for bit in part.attrs))
        if part.bootable:
            bits |= Attribute.LEGACY_BIOS_BOOTABLE
        guid = UUID(part.uuid) if part.uuid else partition_guid(layer_digest, role)
        partitions.append(
            Partition(part.number, part.name or "", UUID(part.type), guid, part.start, part.size, bits)
        )
    sectors = disk.size // disk.sector_size
    return Gpt(UUID(disk.uuid), sectors, tuple(partitions), disk.sector_size)


def make_base_disks(
    disks: Sequence[tuple[BaseInputs, Path]],
    *,
    log: Path,
    accelerator: Accelerator,
    cache: Cache,
    events: Events,
    on_failure: FailureHook | None = None,
) -> None:
    """Write base disks of one layer, each to a new sparse file, in one launch of the appliance.

    `on_failure` gets the appliance, still running, in which something failed.
    """
    for inputs, output in disks:
        refuse_unrealised(inputs.recipe, _bootloaders(inputs))
        write_gpt(output, disk_gpt(inputs.recipe.disk, inputs.image.digest))
    shared = disks[0][0]
    drives = [
        *(target_drive(inputs.recipe, path) for inputs, path in disks),
        Drive(_TOOLS, shared.tool_tree, readonly=True),
        Drive(_SOURCE, shared.source_image, readonly=True),
    ]
    with Appliance.start(
        drives,
        tool_tree=_TOOLS,
        log=log,
        accelerator=accelerator,
        cache=cache,
        events=events,
        on_failure=on_failure,
    ) as vm:
        placements = [_populate(vm, inputs, events) for inputs, _ in disks]
    for (inputs, output), each in zip(disks, placements, strict=True):
        for placement in each:
            placement.place(output, disk_gpt(inputs.recipe.disk, inputs.image.digest))


def target_drive(recipe: Recipe, path: Path) -> Drive:
    """The disk at `path` as the appliance gets it, to make the recipe's disk there."""
    return Drive(recipe.drive, path, sector_size=recipe.disk.sector_size)


def _bootloaders(inputs: BaseInputs) -> tuple[Bootloader, ...]:
    """Those to install; none where the recipe has no bootloader or bootc installs it."""
    if inputs.recipe.bootloader is None:
        return ()
    return choose_bootloaders(inputs.image.arch, inputs.tools)


def refuse_unrealised(recipe: Recipe, bootloaders: Sequence[Bootloader]) -> None:
    """Refuse what a manifest may ask for and this builder does not do: nothing is silently ignored."""
    sysroot = recipe.sysroot
    boot_mounts = tuple(mount.target for mount in recipe.mounts if mount.target != "/")
    unrealised = {
        f"org.osbuild.sfdisk: label {recipe.disk.label}": recipe.disk.label != "gpt",
        "org.osbuild.ostree.deploy.container: mounts": sysroot is not None
        and sysroot.deploy.mounts != boot_mounts,
        "org.osbuild.ostree.selinux without org.osbuild.selinux": sysroot is not None
        and sysroot.label_deployment
        and not recipe.labels,
        "org.osbuild.zipl.inst: location": any(
            disk.zipl and disk.zipl.location != _boot_start(recipe) for disk in recipe.platforms.values()
        ),
    }
    found = [what for what, present in unrealised.items() if present]
    if recipe.bootloader is not None:
        for each in bootloaders:
            options = each.unrealised(recipe.bootloader, recipe.disk)
            found += [f"org.osbuild.bootupd: {option}" for option in options]
    if found:
        raise unsupported("the recipe", found[0])


def _boot_start(recipe: Recipe) -> int | None:
    """The first sector of the partition that is mounted at /boot."""
    number = next((mount.partition for mount in recipe.mounts if mount.target == "/boot"), None)
    return next((part.start for part in recipe.disk.partitions if part.number == number), None)


def _populate(vm: Appliance, inputs: BaseInputs, events: Events) -> list[Placement]:
    recipe = inputs.recipe
    with events.step("filesystems", "making file systems"):
        emptydisk.make_filesystems(vm, recipe)
        emptydisk.label_filesystems(vm, recipe)
        filesystems.mount(vm, recipe, recipe.drive, recipe.mounts)
    if recipe.sysroot is None:
        _install(vm, recipe, events)
        return []
    with events.step("deploy", "deploying the layer"):
        deployment = _deploy(vm, inputs, recipe.sysroot)
    with events.step("bootloader", "installing the bootloader"):
        placements = _install_bootloaders(vm, inputs)
    with events.step("finish", "labelling, trimming and checking"):
        _finish(vm, recipe, recipe.sysroot, deployment)
    return placements


def _install(vm: Appliance, recipe: Recipe, events: Events) -> None:
    assert recipe.bootc is not None
    with events.step("deploy", "installing the layer with its bootc"):
        bootc.install(vm, recipe.bootc, vm.device(_SOURCE))
    with events.step("finish", "labelling, trimming and checking"):
        bootc.finish(vm, recipe, recipe.bootc, recipe.drive)


def _deploy(vm: Appliance, inputs: BaseInputs, sysroot: Sysroot) -> Deployment:
    ostree_deploy.init_sysroot(vm, sysroot.osname)
    ostree_deploy.configure_repo(vm, sysroot.repo_config)
    for directory in sysroot.directories:
        emptydisk.make_directory(vm, directory.path, directory.mode, parents=directory.parents, exist_ok=True)
    if inputs.way is DeployWay.LAYER:
        deployment = deploy_by_layer(vm, vm.device(_SOURCE), sysroot.osname, sysroot.deploy)
    else:
        ostree_deploy.pull(vm, vm.device(_SOURCE), inputs.commit)
        deployment = ostree_deploy.deploy(vm, sysroot.osname, inputs.commit.checksum, sysroot.deploy)
    for attribute in sysroot.deployment_attributes:
        ostree_deploy.set_attribute(vm, deployment, attribute)
    ostree_deploy.configure_repo(vm, sysroot.repo_config_after)
    stamp_ignition(vm, sysroot.ignition)
    _write_aleph(vm, inputs.image, sysroot.deploy.target_imgref, compat=sysroot.aleph.coreos_compat)
    return deployment


def _write_aleph(vm: Appliance, image: Image, imgref: str, *, compat: bool) -> None:
    labels_of: Mapping[str, str] = image.labels
    vm.put(f"{SYSROOT}/{ALEPH}", aleph_json(imgref, image.config_digest, labels_of))
    if compat:
        vm.run(["ln", "-s", ALEPH, f"{SYSROOT}/{COREOS_ALEPH}"], timeout=60)


def _install_bootloaders(vm: Appliance, inputs: BaseInputs) -> list[Placement]:
    recipe = inputs.recipe
    if recipe.bootloader is None:
        return []
    installation = Installation(vm=vm, recipe=recipe, options=recipe.bootloader, tools=inputs.tools)
    return install_bootloaders(_bootloaders(inputs), installation)


def _finish(vm: Appliance, recipe: Recipe, sysroot: Sysroot, deployment: Deployment) -> None:
    if sysroot.label_deployment and recipe.labels:
        esp = [filesystems.mount_point(mount) for mount in recipe.mounts if mount.target == "/boot/efi"]
        labels.label_disk(vm, recipe.labels[-1], deployment, esp)
    for attribute in recipe.attributes:
        ostree_deploy.set_attribute(vm, deployment, attribute)
    filesystems.unmount(vm, recipe.mounts, trim=True)
    filesystems.check_filesystems(vm, recipe, recipe.drive)

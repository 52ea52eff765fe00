"""Reading the stages of a disk that bootc installs: the installation, the stamp, the links."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootimg.manifest.model import Manifest
from bootimg.manifest.recipe import Bootc, ContainerSource, Ignition, Link, Mount
from bootimg.manifest.stages import Mounted, check_mounts, take_whole_disk
from bootimg.manifest.strict import TakenStage, unsupported
from bootimg.manifest.sysroot import has_archive, take_image

INSTALL = "bootc.install-to-filesystem"


@dataclass
class BootcReading:
    """What has been read so far; `result` needs all stages."""

    manifest: Manifest
    source: ContainerSource
    _install: Bootc | None = None
    _ignition: Ignition | None = None
    _links: tuple[Link, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether the installation stage has been read."""
        return self._install is not None

    def install(self, stage: TakenStage) -> None:
        """The stage org.osbuild.bootc.install-to-filesystem, without its mounts."""
        take_whole_disk(stage)
        take_image(stage, self.manifest, self.source if has_archive(self.manifest) else None)
        options = stage.options
        # Other values would make another disk: other boot entries, or another bootloader.
        options.expect("composefs", None, False)
        options.expect("bootloader", None, "grub")
        self._install = Bootc(
            target_imgref=options.take("target-imgref", str),
            kernel_args=options.arguments("kernel-args"),
            stateroot=options.take("stateroot", str),
            root_mount_spec=options.take("root-mount-spec", str),
            boot_mount_spec=options.take("boot-mount-spec", str),
            skip_boot_uuid=options.take("bootupd-skip-boot-uuid", bool) or False,
            ssh_keys=options.each("root-ssh-authorized-keys", str),
            ignition=Ignition("/boot", ()),
            links=(),
        )

    def ignition(self, stage: TakenStage, mounted: list[Mounted], mounts: tuple[Mount, ...]) -> None:
        """The stamp on /boot."""
        take_whole_disk(stage)
        check_mounts(
            stage, mounted, [each for each in mounts if each.target != "/boot/efi"], deployment=False
        )
        stage.options.expect("target", "mount://boot/")
        self._ignition = Ignition("/boot", stage.options.arguments("network"))

    def link(self, stage: TakenStage, mounted: list[Mounted], mounts: tuple[Mount, ...]) -> None:
        """Links at the root of the disk."""
        take_whole_disk(stage)
        check_mounts(stage, mounted, [each for each in mounts if each.target == "/"], deployment=False)
        links = []
        for path in stage.options.objects("paths"):
            path.expect("symbolic", True)
            name, target = path.required("link_name", str), path.required("target", str)
            path.finish()
            if not name.startswith("mount://root/"):
                raise unsupported(stage.where, f"link_name: {name}")
            links.append(Link("/" + name.removeprefix("mount://root/"), target))
        self._links = tuple(links)

    def result(self) -> Bootc:
        """The complete installation."""
        if self._install is None or self._ignition is None:
            raise unsupported("raw-image", "an installation by bootc without Ignition's stamp")
        return replace(self._install, ignition=self._ignition, links=self._links)

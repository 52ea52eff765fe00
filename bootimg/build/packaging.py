"""How a platform's disk becomes the file that its cloud takes: converted, and wrapped in something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bootimg.build.prepare import Layer
from bootimg.disk.extents import Source
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Step
from bootimg.formats import Packing, Written, appliances, write
from bootimg.formats.appliances import VmwareFacts
from bootimg.formats.ociarchive import write_ociarchive
from bootimg.formats.ova import write_ova, write_powervs
from bootimg.formats.ovf import Disk, Product
from bootimg.layer.imagejson import PATH as IMAGE_JSON
from bootimg.layer.imagejson import ImageJson
from bootimg.manifest.recipe import PlatformDisk
from bootimg.manifest.taken import unsupported
from bootimg.platform import Packaging, Platform

_LEVEL = 9


@dataclass(frozen=True, slots=True)
class Packer:
    """Writes artifacts of one layer, each with its platform's packaging."""

    layer: Layer
    packing: Packing
    step: Step

    def write(self, platform: Platform, disk: PlatformDisk, source: Source, out: Path) -> Written:
        """Write the artifact `out` of a platform's disk, as its recipe says."""
        package = disk.package
        if package is not None and package.kind is Packaging.TAR_GZ:
            # The writer has one way to deflate; a recipe that wants another is not followed in silence.
            if package.level != _LEVEL:
                raise unsupported("org.osbuild.gzip", f"level: {package.level}")
            return write("gcp", source, out, {}, self.step, self.packing)
        if package is not None:
            if package.architecture != self.layer.image.arch.oci:
                raise unsupported("org.osbuild.oci-archive", f"architecture: {package.architecture}")
            return write_ociarchive(
                source,
                out,
                disk_name=package.member.rpartition("/")[2],
                arch=self.layer.image.arch,
                labels=package.labels or {},
                step=self.step,
                packing=self.packing,
            )
        if platform.packaging is Packaging.OVA:
            return self._ova(platform, disk, source, out)
        return write(disk.format, source, out, disk.format_options, self.step, self.packing)

    def _ova(self, platform: Platform, disk: PlatformDisk, source: Source, out: Path) -> Written:
        product = product_of(self.layer)
        kind = platform.packaging_options.get("ovf")
        if kind == "powervs":
            name = f"{self.layer.facts.osname}-{self.layer.facts.version}-disk.raw"
            return write_powervs(source, out, product, name, self.step, self.packing)
        return write_ova(
            source, out, self._descriptor(kind, product), disk.format_options, self.step, self.packing
        )

    def _descriptor(self, kind: str | None, product: Product) -> Callable[[Disk], bytes]:
        if kind == "vmware":
            facts = vmware_facts(self.layer.facts.image_json)
            return lambda disk: appliances.vmware(disk, product, facts)
        if kind == "virtualbox":
            return lambda disk: appliances.virtualbox(disk, product)
        raise BootimgError(
            "ovf-unknown",
            f"there is no OVF description called {kind}",
            hint="a platform's packaging_options name one: `ovf` is vmware, virtualbox or powervs",
            exit_code=ExitCode.USAGE,
        )


def product_of(layer: Layer) -> Product:
    """What an appliance says of itself, from os-release and the labels."""
    release = layer.facts.os_release
    return Product(
        name=f"{layer.facts.osname}-{layer.facts.version}",
        product=release.get("NAME", layer.facts.osname),
        vendor=release.get("VENDOR_NAME") or release.get("ID", layer.facts.osname),
        version=layer.facts.version,
    )


def assumption(platform: Platform, image_json: ImageJson) -> str | None:
    """What an artifact says that nobody has said of the layer, for people; None where there is nothing."""
    if platform.packaging_options.get("ovf") != "vmware" or "vmware-secure-boot" in image_json.others:
        return None
    facts = vmware_facts(image_json)
    return (
        f"{platform.name}: /{IMAGE_JSON} has no vmware-secure-boot, so Secure Boot is off in the OVA"
        f" (hardware version {facts.hw_version}, guest {facts.os_type})"
    )


def vmware_facts(image_json: ImageJson) -> VmwareFacts:
    """image.json's `vmware-*`, with RHEL CoreOS's values where it has none."""
    others = image_json.others
    facts = VmwareFacts(
        hw_version=others.get("vmware-hw-version", 15),
        os_type=others.get("vmware-os-type", "rhel8_64Guest"),
        secure_boot=others.get("vmware-secure-boot", False),
    )
    kinds = (type(facts.hw_version), type(facts.os_type), type(facts.secure_boot))
    if kinds != (int, str, bool):
        raise BootimgError(
            "image-json-malformed",
            f"/{IMAGE_JSON} of the image is not what it should be: a vmware- key has a value of another type",
            hint="vmware-hw-version is a number, vmware-os-type a string, vmware-secure-boot true or false",
        )
    return facts

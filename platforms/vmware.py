"""VMware vSphere: an OVA of a machine with UEFI; the user sets its Ignition config at import."""

from bootimg.arch import Arch
from bootimg.platform import Adapter, Console, Controller, Ovf, Packaging, Platform

from .consoles import SCREEN_LAST, SERIAL

PLATFORM = Platform(
    name="vmware",
    summary="VMware vSphere",
    arches=frozenset({Arch.X86_64}),
    disk_format="vmdk",
    suffix="ova",
    format_options={
        "subformat": "streamOptimized",
        "adapter_type": "lsilogic",
        "compat6": True,
        "compression": True,
    },
    packaging=Packaging.OVA,
    packaging_options=Ovf(
        family="vmx-{vmware-hw-version}",
        os_id=80,
        os_attributes={"vmw:osType": "{vmware-os-type}"},
        network="VM Network",
        adapter=Adapter(kind="VmxNet3", description="vmxnet3 network adapter", address=7),
        controller=Controller.SCSI,
        identifier="image",
        settings={"firmware": "efi", "bootOptions.efiSecureBootEnabled": "{vmware-secure-boot}"},
        transport="com.vmware.guestInfo",
        properties={
            "guestinfo.ignition.config.data": "Ignition config",
            "guestinfo.ignition.config.data.encoding": "Encoding of the Ignition config",
        },
        layer_values={
            "vmware-hw-version": 15,
            "vmware-os-type": "rhel8_64Guest",
            "vmware-secure-boot": False,
        },
    ),
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
    },
)

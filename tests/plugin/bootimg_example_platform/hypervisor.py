"""The Example hypervisor, which imports an OVA: its machine is described here alone."""

from bootimg.arch import Arch
from bootimg.platform import Adapter, Controller, Ovf, Packaging, Platform

PLATFORM = Platform(
    name="examplehv",
    summary="The Example hypervisor",
    arches=frozenset({Arch.X86_64}),
    disk_format="vmdk",
    suffix="ova",
    format_options={"subformat": "streamOptimized", "adapter_type": "lsilogic"},
    packaging=Packaging.OVA,
    packaging_options=Ovf(
        family="example-{example-generation}",
        os_id=80,
        os_xml="<ex:Guest>{example-guest}</ex:Guest>",
        namespaces={"ex": "https://hypervisor.example.com/ovf"},
        network="Example network",
        adapter=Adapter(kind="virtio"),
        controller=Controller.SCSI,
        cpus=4,
        memory_mib=8192,
        settings={"firmware": "efi"},
        properties={"example.ignition": "Ignition config"},
        layer_values={"example-generation": 3, "example-guest": "rhel9"},
    ),
    skip_compression=True,
)

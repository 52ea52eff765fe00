"""Oracle VirtualBox: an OVA that also describes the machine in VirtualBox's own format."""

from bootimg.arch import Arch
from bootimg.platform import Console, Ovf, Packaging, Platform

from .consoles import SCREEN_LAST, SERIAL

MACHINE = """
<vbox:Machine ovf:required="false" version="1.16-linux" uuid="{{machine-id}}" name="{name}"
  OSType="Fedora_64">
  <Info>The machine in VirtualBox's format</Info>
  <Hardware>
    <CPU count="2"/>
    <Memory RAMSize="4096"/>
    <Firmware type="EFI"/>
    <Display controller="VMSVGA" VRAMSize="36"/>
    <BIOS><IOAPIC enabled="true"/></BIOS>
    <Network><Adapter slot="0" enabled="true" type="virtio"><NAT/></Adapter></Network>
  </Hardware>
  <StorageControllers>
    <StorageController name="AHCI" type="AHCI" PortCount="1" useHostIOCache="false" Bootable="true">
      <AttachedDevice type="HardDisk" hotpluggable="false" port="0" device="0">
        <Image uuid="{{disk-id}}"/>
      </AttachedDevice>
    </StorageController>
  </StorageControllers>
</vbox:Machine>"""
PLATFORM = Platform(
    name="virtualbox",
    summary="Oracle VirtualBox",
    arches=frozenset({Arch.X86_64}),
    disk_format="vmdk",
    suffix="ova",
    format_options={"subformat": "streamOptimized", "compression": True},
    packaging=Packaging.OVA,
    packaging_options=Ovf(
        family="virtualbox-2.2",
        os_id=100,
        network="NAT",
        disk_resource="/disk/disk1",
        namespaces={"vbox": "http://www.virtualbox.org/ovf/machine"},
        disk_attributes={"vbox:uuid": "{disk-id}"},
        os_xml='<vbox:OSType ovf:required="false">Fedora_64</vbox:OSType>',
        machine_xml=MACHINE,
    ),
    skip_compression=True,
    consoles={
        Arch.X86_64: Console(SERIAL, SCREEN_LAST),
    },
)

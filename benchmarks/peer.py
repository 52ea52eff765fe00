"""Does what coreos-assembler does for one platform, according to its sources, with the programs that it runs.

The steps run one after the other: copy the base disk, enlarge it, edit /boot, convert, sha256sum, compress,
sha256sum.  debugfs makes the edit instead of a mount in a virtual machine, which takes longer.  Two more
steps are left out, in coreos-assembler's favour: the copies out of the virtual machine, and KubeVirt's OCI
layout around the layer.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg.platform import DiskSize, Packaging, Platform
from bootimg.sizes import MIB

_EDIT = """
set -e
entry=$(debugfs -R 'ls -p /loader/entries' "$1" 2>/dev/null | cut -d / -f 6 | grep '\\.conf$')
debugfs -R "dump /loader/entries/$entry entry" "$1" 2>/dev/null
sed -i "s/^options .*/& ignition.platform.id=$2 console=tty0 console=ttyS0,115200n8/" entry
printf '# CONSOLE-SETTINGS-START\\nserial --speed=115200\\n# CONSOLE-SETTINGS-END\\n' > console
printf '%s\\n' "rm /loader/entries/$entry" "write entry /loader/entries/$entry" \\
  "rm /grub2/console.cfg" "write console /grub2/console.cfg" > commands
debugfs -w -f commands "$1" > /dev/null 2>&1
"""
_TAR_GZ = "tar --format=oldgnu --sparse -c disk.raw | gzip --no-name -9 > out"
_OVA = "echo > coreos.ovf; mv out disk.vmdk; tar --format=ustar -chf out coreos.ovf disk.vmdk"
_OCIARCHIVE = "tar -c out | gzip -n > layer; mv layer out"


@dataclass(frozen=True)
class Peer:
    """The base disk, where its /boot starts (bytes), and the size of cloud disks in bytes."""

    base: Path
    boot: int
    size: int

    def make(self, platform: Platform, folder: Path) -> None:
        """Make the platform's artifact, in a temporary folder below `folder`."""
        with TemporaryDirectory(prefix="peer-", dir=folder) as temporary:
            for command in self._commands(platform):
                subprocess.run(command, cwd=temporary, check=True, capture_output=True)

    def _commands(self, platform: Platform) -> list[list[str]]:
        identity = f"disk.raw?offset={self.boot}"
        commands = [["cp", "--sparse=always", "--no-preserve=mode", str(self.base), "disk.raw"]]
        if platform.size is not DiskSize.METAL:
            size = platform.disk_mib(metal=0, layer=self.size // MIB)
            commands.append(["truncate", "-s", f"{size}M", "disk.raw"])
        commands.append(["/bin/sh", "-c", _EDIT, "sh", identity, platform.ignition_id])
        commands += [convert_command(platform), ["sha256sum", "out"]]
        if not platform.skip_compression:
            commands += [["/bin/sh", "-c", "gzip -6 -n -c out > out.gz"], ["sha256sum", "out.gz"]]
        return commands


def convert_command(platform: Platform) -> list[str]:
    """The command that converts disk.raw to out, with the platform's options."""
    if platform.packaging is Packaging.TAR_GZ:
        return ["/bin/sh", "-c", _TAR_GZ]
    if platform.disk_format == "raw":
        return ["cp", "--sparse=always", "disk.raw", "out"]
    convert = " ".join(["qemu-img convert -O", platform.disk_format, *_words(platform), "disk.raw out"])
    packing = {Packaging.OVA: _OVA, Packaging.OCIARCHIVE: _OCIARCHIVE}.get(platform.packaging, "true")
    return ["/bin/sh", "-c", f"set -e; {convert}; {packing}"]


def _words(platform: Platform) -> list[str]:
    given = dict(platform.format_options)
    packed = given.pop("compression", False)
    options = [name if value is True else f"{name}={value}" for name, value in given.items()]
    return [*(["-c"] if packed else []), *(["-o", ",".join(options)] if options else [])]

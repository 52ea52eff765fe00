"""What bootimg needs from a machine, and which of it this machine has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg import process
from bootimg.appliance import interpreter
from bootimg.arch import Arch
from bootimg.arches.row import Firmware
from bootimg.cache import Cache
from bootimg.disk.native.products.store import has_bootloaders
from bootimg.doctor.finding import MachineFinding, Status, Use
from bootimg.doctor.liveprograms import live_programs
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.hostpackages import Packages
from bootimg.layer.fetching.skopeo import MINIMUM as SKOPEO_MINIMUM
from bootimg.layer.ostree import libostree
from bootimg.live.reading.readers import READERS
from bootimg.osbuild import program as osbuild
from bootimg.sizes import GIB, format_size
from bootimg.vm import network, qemu
from bootimg.vm.firmware import find_uefi
from bootimg.vm.kernel import Kernel, find_kernel, kernel_packages
from bootimg.vm.probe import choose_accelerator

CACHE_SPACE = 10 * GIB
FILESYSTEMS = ("xfs", "ext4", "vfat", "squashfs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program to look for; `version_words` are the arguments that print its version."""

    name: str
    purpose: str
    packages: Packages | None = None
    version_words: tuple[str, ...] = ("--version",)
    minimum: tuple[int, ...] = ()
    use: Use = Use.BUILD
    parse: Callable[[str], tuple[int, ...]] = qemu.parse_version

    def check(self) -> MachineFinding:
        """Look for the program and read its version."""
        path = process.find(self.name)
        if path is None:
            return self._finding(Status.MISSING)
        done = process.run([path, *self.version_words], check=False, timeout=60)
        version = self.parse((done.stdout + done.stderr).decode(errors="replace"))
        old = bool(self.minimum) and bool(version) and version < self.minimum
        return self._finding(Status.TOO_OLD if old else Status.OK, version, str(path))

    def _finding(self, status: Status, version: tuple[int, ...] = (), detail: str = "") -> MachineFinding:
        return MachineFinding(
            name=self.name,
            status=status,
            purpose=self.purpose,
            use=self.use,
            needed=self.use is not Use.OTHER,
            version=_dotted(version),
            minimum=_dotted(self.minimum),
            detail=detail,
            packages=self.packages,
        )


_SQUASHFS = Packages(apt="squashfs-tools", dnf="squashfs-tools")
_E2FSPROGS = Packages(apt="e2fsprogs", dnf="e2fsprogs")
_XFSPROGS = Packages(apt="xfsprogs", dnf="xfsprogs")
_DOSFSTOOLS = Packages(apt="dosfstools", dnf="dosfstools")
_MTOOLS = Packages(apt="mtools", dnf="mtools")
_SSH = Packages(apt="openssh-client", dnf="openssh-clients")
TOOLS = (
    Tool(name="skopeo", purpose="fetches layers", minimum=SKOPEO_MINIMUM,
         packages=Packages(apt="skopeo", dnf="skopeo")),
    Tool(name=qemu.system_name(Arch.of_machine()), purpose="runs virtual machines", minimum=qemu.MINIMUM,
         packages=Arch.of_machine().row.hardware.packages, use=Use.APPLIANCE),
    Tool(name="qemu-img", purpose="protects read-only drives", minimum=qemu.MINIMUM,
         packages=qemu.IMG_PACKAGES, use=Use.APPLIANCE),
    # 4.5 is the first version with sqfstar.
    Tool(name="mksquashfs", purpose="images for the appliance", version_words=("-version",), minimum=(4, 5),
         packages=_SQUASHFS, use=Use.APPLIANCE),
    Tool(name="sqfstar", purpose="the image of the appliance's programs",
         version_words=("-version",), minimum=(4, 5), packages=_SQUASHFS, use=Use.APPLIANCE),
    Tool(name="debugfs", purpose="fills and edits /boot", version_words=("-V",), packages=_E2FSPROGS),
    Tool(name="e2fsck", purpose="checks /boot", version_words=("-V",), packages=_E2FSPROGS),
    Tool(name="mkfs.xfs", purpose="makes the root", version_words=("-V",), minimum=(5, 10),
         packages=_XFSPROGS),
    Tool(name="xfs_repair", purpose="checks the root", version_words=("-V",), packages=_XFSPROGS),
    Tool(name="mke2fs", purpose="makes /boot", version_words=("-V",), packages=_E2FSPROGS),
    Tool(name="mkfs.fat", purpose="makes the ESP", version_words=("--help",), packages=_DOSFSTOOLS),
    Tool(name="fsck.fat", purpose="checks the ESP", version_words=("--help",), packages=_DOSFSTOOLS),
    Tool(name="mcopy", purpose="fills the ESP", version_words=("-V",), packages=_MTOOLS),
    Tool(name="qemu-io", purpose="run --kargs", use=Use.OTHER, minimum=qemu.MINIMUM,
         packages=qemu.IMG_PACKAGES),
    *(Tool(name=each.name, purpose=f"verify a live ISO with {fstype}", use=Use.OTHER,
           version_words=(each.version_option,), minimum=each.minimum, packages=each.packages)
      for fstype, each in READERS.items()),
    Tool(name="ssh", purpose="run --ssh", use=Use.OTHER, version_words=("-V",), packages=_SSH),
    Tool(name="ssh-keygen", purpose="run --ssh", use=Use.OTHER, version_words=("-?",), packages=_SSH),
    Tool(name="osbuild", purpose="build --builder osbuild; it needs root", use=Use.OTHER,
         minimum=osbuild.MINIMUM, parse=osbuild.parse_version,
         packages=Packages(apt="", dnf=osbuild.PACKAGES)),
    Tool(name="podman", purpose="build --builder osbuild: its stages mount the layer with it", use=Use.OTHER,
         packages=Packages(apt="podman", dnf="podman")),
    # Fedora packages it as butane; Debian has no package.
    Tool(name="butane", purpose="run -i FILE.bu; https://github.com/coreos/butane/releases", use=Use.OTHER),
)  # fmt: skip


def examine(
    cache: Cache, events: Events, accel: str, arches: Sequence[Arch] = ()
) -> Iterator[MachineFinding]:
    """Every finding, in the order of the report, for images of `arches` (this machine's by default)."""
    here = Arch.of_machine()
    # The appliance runs programs of the layer, so it makes nothing of another architecture.
    spare = has_bootloaders(cache) or here not in (arches or [here])
    for finding in _examine(cache, events, accel, arches or [here]):
        yield replace(finding, needed=False) if spare and finding.use is Use.APPLIANCE else finding


def _examine(cache: Cache, events: Events, accel: str, arches: Sequence[Arch]) -> Iterator[MachineFinding]:
    for tool in TOOLS:
        yield _emulator(tool) if tool.name.startswith("qemu-system") else tool.check()
    for arch in arches:
        if arch is not Arch.of_machine():
            yield _foreign_emulator(arch).check()
    yield from live_programs(arches)
    yield binding(
        "libguestfs", "runs the layer's bootupd", "guestfs", interpreter.PACKAGES, interpreter.guestfs_python,
        "import guestfs; v = guestfs.GuestFS(python_return_dict=True).version();"
        "print(f\"{v['major']}.{v['minor']}.{v['release']}\")", use=Use.APPLIANCE,
    )  # fmt: skip
    yield binding(
        "libostree", "imports layers", "OSTree", Packages(apt="python3-gi gir1.2-ostree-1.0",
        dnf="python3-gobject-base ostree-libs"), libostree.interpreter,
        "import gi; gi.require_version('OSTree', '1.0'); from gi.repository import OSTree;"
        "print(f'{OSTree.YEAR_VERSION}.{OSTree.RELEASE_VERSION}')",
    )  # fmt: skip
    yield from kernel_findings()
    yield from _firmware(arches)
    yield accelerator(cache, events, accel)
    yield guest_network()
    yield space(cache)


def _firmware(arches: Sequence[Arch]) -> Iterator[MachineFinding]:
    """The finding for the one architecture, or those for each of several that has UEFI, named apart."""
    if len(arches) == 1:
        yield uefi(arches[0])
        return
    for arch in arches:
        if arch.row.uefi is not None:
            found = uefi(arch)
            yield replace(found, name=f"{found.name}-{arch}")


def _foreign_emulator(arch: Arch) -> Tool:
    name, packages = qemu.system_name(arch), arch.row.hardware.packages
    return Tool(
        name=name, purpose=f"run: guests of {arch}", minimum=qemu.MINIMUM, packages=packages, use=Use.OTHER
    )


def _emulator(tool: Tool) -> MachineFinding:
    """QEMU's emulator; RHEL's has another name and path."""
    found = qemu.find_system(Arch.of_machine())
    if found is None or process.find(tool.name):
        return tool.check()
    status = Status.TOO_OLD if found.version < qemu.MINIMUM else Status.OK
    return tool._finding(status, found.version, str(found.path))


def binding(
    name: str,
    purpose: str,
    module: str,
    packages: Packages,
    find: Callable[[], Path],
    script: str,
    *,
    use: Use = Use.BUILD,
) -> MachineFinding:
    """A Python binding of the system's interpreter; `script` prints the library's version."""
    try:
        python = find()
    except BootimgError as error:
        status = Status.TOO_OLD if error.id.endswith("-too-old") else Status.MISSING
        return MachineFinding(
            name=name, status=status, purpose=purpose, use=use, packages=packages, detail=error.message
        )
    version = (
        process.run([python, "-I", "-c", script], check=False, timeout=60).stdout.decode().strip() or None
    )
    detail = f"module {module} of {python}"
    return MachineFinding(
        name=name,
        status=Status.OK,
        purpose=purpose,
        use=use,
        version=version,
        packages=packages,
        detail=detail,
    )


def kernel_findings() -> Iterator[MachineFinding]:
    """The appliance's kernel, and whether it supports the filesystems of the disks."""
    try:
        kernel = find_kernel()
    except BootimgError as error:
        detail = "; ".join(error.context)
        yield MachineFinding(
            name="kernel",
            status=Status.MISSING,
            purpose="boots the appliance",
            use=Use.APPLIANCE,
            packages=kernel_packages(),
            detail=f"{detail}; {error.hint}",
        )
        return
    yield MachineFinding(
        name="kernel",
        status=Status.OK,
        purpose="boots the appliance",
        use=Use.APPLIANCE,
        version=kernel.release,
        detail=str(kernel.path),
    )
    lacking = [name for name in FILESYSTEMS if not has_module(kernel, name)]
    yield MachineFinding(
        name="filesystems",
        status=Status.FAULT if lacking else Status.OK,
        purpose="the kernel mounts the filesystems of the disks",
        use=Use.APPLIANCE,
        packages=kernel_packages() if lacking else None,
        detail=f"the kernel lacks {', '.join(lacking)}" if lacking else ", ".join(FILESYSTEMS),
    )


def has_module(kernel: Kernel, name: str) -> bool:
    """Whether a kernel has a module, loadable or built in (modules.dep, modules.builtin; kmod(8))."""
    for listing in ("modules.dep", "modules.builtin"):
        try:
            lines = (kernel.modules / listing).read_text(errors="replace").splitlines()
        except OSError:
            continue
        paths = (line.partition(":")[0] for line in lines)
        if any(path.rpartition("/")[2].partition(".ko")[0] == name for path in paths):
            return True
    return False


def uefi(arch: Arch) -> MachineFinding:
    """UEFI firmware for guests of an architecture; builds for a foreign one do without guests."""
    firmware = arch.row.uefi
    try:
        detail = str(find_uefi(arch).code) if firmware else f"{arch} has no UEFI"
        status = Status.OK
    except BootimgError as error:
        detail, status = error.message, Status.MISSING
    return MachineFinding(
        name="uefi-firmware",
        status=status,
        purpose="run --firmware uefi",
        use=Use.OTHER,
        needed=arch.row.firmwares[0] is Firmware.UEFI and arch is Arch.of_machine(),
        detail=detail,
        packages=firmware.packages if firmware else None,
    )


def accelerator(cache: Cache, events: Events, choice: str) -> MachineFinding:
    """The accelerator that `build` and `run` would use; with `--accel kvm` every build asks for it."""
    purpose, use = "how virtual machines run", Use.BUILD if choice == "kvm" else Use.APPLIANCE
    try:
        chosen = choose_accelerator(choice, cache, events)
    except BootimgError as error:
        return MachineFinding(
            name="accelerator", status=Status.FAULT, purpose=purpose, use=use, detail=error.message
        )
    return MachineFinding(
        name="accelerator",
        status=Status.OK,
        purpose=purpose,
        use=use,
        version=chosen.name,
        detail=chosen.reason,
    )


def guest_network() -> MachineFinding:
    """What guests of `run` reach: other machines with passt, nothing without it."""
    purpose = "run: guests reach other machines, but not this one's loopback"
    found, fault = process.find("passt"), network.passt_fault()
    if fault is None:
        return MachineFinding(
            name="guest-network", status=Status.OK, purpose=purpose, use=Use.OTHER, needed=False,
            version="passt", detail=str(found),
        )  # fmt: skip
    return MachineFinding(
        name="guest-network",
        status=Status.FAULT if found else Status.MISSING,
        purpose=purpose,
        use=Use.OTHER,
        needed=False,
        version="restricted" if found else None,
        detail=f"{fault}: guests of `run` reach no other machine, unless with --network host",
        packages=None if found else network.PACKAGES,
    )


def space(cache: Cache, needed: int = CACHE_SPACE) -> MachineFinding:
    """Free space in the cache's filesystem: a layer, its objects and a base disk take some GiB."""
    root = cache.root
    while not root.exists():
        root = root.parent
    free = shutil.disk_usage(root).free
    return MachineFinding(
        name="cache",
        status=Status.OK if free >= needed else Status.FAULT,
        purpose="what is kept between builds",
        needed=False,
        detail=f"{format_size(free)} free in {cache.root}"
        + ("" if free >= needed else "; `bootimg cache gc`"),
    )


def lacking(findings: Sequence[MachineFinding]) -> list[MachineFinding]:
    """The findings about needed things that are not good."""
    return [finding for finding in findings if finding.needed and not finding.good]


def _dotted(version: tuple[int, ...]) -> str | None:
    return ".".join(str(number) for number in version) or None

"""Where Debian's packages come from, which versions are there, and the tree made of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from tests.layer.recipe import SOURCE_DATE_EPOCH, Recipe, UnsupportedError

_FALLBACK = {
    "Debian": "http://deb.debian.org/debian",
    "Debian-Security": "http://deb.debian.org/debian-security",
}
# Emulated, the scripts of packages run for half an hour, and longer on a busy machine.
_HOURS = 3 * 3600
# The kernel knows the emulator already, and root of a user namespace may not mount sysfs.
_EMULATED = ("--skip=check/qemu", "--skip=chroot/mount/sys")
_INSTALLED = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mirror:
    """The archive this machine's apt is set up to use."""

    main: str
    security: str

    def sources(self, recipe: Recipe) -> tuple[str, ...]:
        """The lines of sources.list.

        Only the suite GRUB comes from may have a Release file past its date: it is one in
        development, and its signature is checked like the others'.
        """
        keyring, suite = f"signed-by={recipe.keyring}", recipe.suite
        in_development = f"deb [{keyring} check-valid-until=no] {self.main} {recipe.grub_suite} main"
        if suite == recipe.grub_suite:
            return (in_development,)
        return (
            f"deb [{keyring}] {self.main} {suite} main",
            f"deb [{keyring}] {self.main} {suite}-updates main",
            f"deb [{keyring}] {self.security} {suite}-security main",
            *self.grub_source(recipe),
        )

    def grub_source(self, recipe: Recipe) -> tuple[str]:
        """The line of the suite GRUB comes from alone, which has all other packages too."""
        options = f"signed-by={recipe.keyring} check-valid-until=no"
        return (f"deb [{options}] {self.main} {recipe.grub_suite} main",)


def find_mirror() -> Mirror:
    """The mirror of the machine's apt configuration, else Debian's own name."""
    sites = dict(_FALLBACK)
    if process.find("apt-get"):
        listed = process.run(
            ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
        )
        for line in listed.stdout.decode().splitlines():
            label, _, address = line.partition(" ")
            if label in sites:
                sites[label] = address.rstrip("/")
    return Mirror(sites["Debian"], sites["Debian-Security"])


def preferences(recipe: Recipe) -> str:
    """apt's pins: from GRUB's suite come GRUB and what it links to, nothing else."""
    return (
        f"Package: *\nPin: release n={recipe.grub_suite}\nPin-Priority: 1\n\n"
        f"Package: {recipe.grub_pin}\nPin: release n={recipe.grub_suite}\nPin-Priority: 900\n"
    )


def proxy_options() -> tuple[str, ...]:
    """The proxies of the machine's apt configuration, as apt options."""
    if not process.find("apt-config"):
        return ()
    dump = process.run(["apt-config", "dump", "--format", "%f %v%n", "Acquire"]).stdout.decode()
    pairs = (line.partition(" ") for line in dump.splitlines())
    return tuple(f'{name} "{value}"' for name, _, value in pairs if name.endswith("::Proxy") and value)


def resolve_versions(recipe: Recipe, mirror: Mirror) -> dict[str, str]:
    """The versions apt would install now, by package: of all packages asked for and all they need.

    Fails where the GRUB that is offered knows no Boot Loader Specification entries.
    """
    with TemporaryDirectory(prefix="stand-in-apt.") as name:
        root = Path(name)
        config = _private_apt(root, recipe, mirror)
        process.run(["apt-get", "-q", "update"], env={"APT_CONFIG": str(config)}, timeout=600)
        simulated = process.run(
            ["apt-get", "-q", "--simulate", "--no-install-recommends", "install", *recipe.packages],
            env={"APT_CONFIG": str(config)},
        )
    versions = dict(_INSTALLED.findall(simulated.stdout.decode()))
    check_grub(versions, recipe)
    return versions


def _private_apt(root: Path, recipe: Recipe, mirror: Mirror) -> Path:
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "sources.list").write_text("\n".join(mirror.sources(recipe)) + "\n")
    (root / "preferences").write_text(preferences(recipe))
    options = {
        "APT::Architecture": recipe.arch.row.names.debian,
        "APT::Architectures": recipe.arch.row.names.debian,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::State": root,
        "Dir::State::lists": root / "lists",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "Dir::Etc::SourceList": root / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": root / "preferences",
        "Dir::Etc::PreferencesParts": "/dev/null",
    }
    config = root / "apt.conf"
    lines = [f'{name} "{value}";' for name, value in options.items()]
    config.write_text(
        "\n".join([*lines, "#clear APT::Update::Post-Invoke;", *(f"{p};" for p in proxy_options())])
    )
    return config


def check_grub(versions: Mapping[str, str], recipe: Recipe) -> None:
    """Refuse a GRUB older than the first with the command blscfg."""
    found = versions.get(recipe.grub_package, "0")
    if _numbers(found) < _numbers(recipe.grub_minimum):
        raise UnsupportedError(f"GRUB {found} has no blscfg; {recipe.grub_minimum} or newer is needed")


def _numbers(version: str) -> tuple[int, ...]:
    upstream = version.rpartition(":")[2]
    return tuple(int(number) for number in re.match(r"[\d.]*", upstream)[0].strip(".").split("."))  # type: ignore[index]


def bootstrap(recipe: Recipe, mirror: Mirror, output: Path, before: Sequence[str] = ()) -> None:
    """Write the package tree as a tar file.

    The words `before` mmdebstrap start it where the packages' programs run, if they do not anyway.
    """
    for program in ("mmdebstrap", "apt-get"):
        process.require(program, packages="mmdebstrap, apt and debian-archive-keyring")
    with TemporaryDirectory(prefix="stand-in-debian.") as name:
        # Hooks run as another user id where mmdebstrap uses user namespaces.
        Path(name).chmod(0o755)
        pins = Path(name) / "preferences"
        pins.write_text(preferences(recipe))
        process.run(
            [
                *before, "mmdebstrap", "--quiet", "--format=tar", "--variant=essential",
                f"--architectures={recipe.arch.row.names.debian}", *(_EMULATED if before else ()),
                f"--include={','.join(recipe.packages)}",
                *(f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options())),
                *(f"--dpkgopt={option}" for option in _dpkg_options(recipe)),
                *_hooks(pins),
                recipe.suite, str(output), *mirror.sources(recipe),
            ],
            env={"SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH)},
            timeout=_HOURS,
        )  # fmt: skip


def _dpkg_options(recipe: Recipe) -> Iterable[str]:
    yield from (f"path-exclude={pattern}" for pattern in recipe.excluded)
    yield from (f"path-include={pattern}" for pattern in recipe.included)


def _hooks(pins: Path) -> Iterable[str]:
    # dracut runs once, in the finished tree; its package insists on having a kernel hook to call.
    hook = "etc/kernel/postinst.d/dracut"
    yield f'--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && cp {pins} "$1/etc/apt/preferences.d/grub"'
    yield '--setup-hook=mkdir -p "$1/etc/kernel/postinst.d"'
    yield f'--setup-hook=printf "#!/bin/sh\\nexit 0\\n" > "$1/{hook}" && chmod 755 "$1/{hook}"'


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"stand-in layer: {text}", file=sys.stderr, flush=True)

"""A tree committed and deployed by this machine's ostree, as root, and the same laid out natively."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bootimg.layer.importing.importer import ImportedCommit
from bootimg.manifest.recipe import (
    Aleph,
    ContainerSource,
    Deploy,
    Directory,
    Disk,
    Ignition,
    Mount,
    Recipe,
    Sysroot,
)
from bootimg.sysroot.commit import Commit
from bootimg.sysroot.entries import Entry, HostFile, Kind
from bootimg.sysroot.system import System, lay_out
from bootimg.sysroot.versions import OstreeRules, rules_of
from bootimg.sysroot.wanted import Wanted, wanted
from tests.support.layers.links import target_of

EPOCH = 1_700_000_000
NOW = EPOCH * 10**9
OSNAME = "e"
IMGREF = "ostree-unverified-image:docker://a/b"
KARGS = ("rw", 'a="b c"', "rw", "x=1", "y", "x=2", "$ignition_firstboot")
CONFIG = {
    "sysroot.readonly": "true",
    "sysroot.bootloader": "none",
    "sysroot.bootprefix": "true",
    "sysroot.bls-append-except-default": 'grub_users=""',
}
Facts = dict[str, Any]
# FS_IOC_GETFLAGS, FS_IMMUTABLE_FL, and what linux/fs.h has from FS_SYNC_FL to FS_NOATIME_FL.
_GET_FLAGS, IMMUTABLE, _FLAGS = 0x80086601, 0x10, 0xF8


def require() -> None:
    """Skip where ostree cannot deploy."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a deployment has real owners")
    if not shutil.which("ostree"):
        pytest.skip("ostree is not installed")


def own_rules() -> OstreeRules:
    """The rules of this machine's ostree."""
    return rules_of(Path(shutil.which("ostree") or "").read_bytes())


def run(*argv: str | Path) -> str:
    done = subprocess.run([*map(str, argv)], capture_output=True, text=True, umask=0o022)
    assert done.returncode == 0, done.stderr
    return done.stdout


def recipe(config: Mapping[str, str] = CONFIG, **changes: object) -> Recipe:
    """A recipe of two file systems."""
    sysroot = Sysroot(
        source_epoch=EPOCH,
        labels=None,
        osname=OSNAME,
        repo_config=config,
        directories=(Directory(None, "/boot/efi", 0o755, parents=True),),
        ignition=Ignition("/boot", ()),
        deploy=Deploy(IMGREF, KARGS, ("/boot",)),
        deployment_attributes=(),
        repo_config_after={},
        aleph=Aleph(coreos_compat=False),
        label_deployment=False,
    )
    values: dict[str, Any] = {
        "disk": Disk("gpt", "00000000-0000-4000-A000-000000000001", 512, 1 << 30, ()),
        "filesystems": (),
        "mounts": (Mount(4, "/"), Mount(3, "/boot")),
        "directories": (Directory(4, "/boot", 0o755),),
        "labels": (),
        "sysroot": sysroot,
        "bootloader": None,
        "attributes": (),
        "platforms": {},
        "source": ContainerSource("", ""),
    }
    return Recipe(**{**values, **changes})


@dataclass(frozen=True)
class Committed:
    """A bare-user repository with a commit, and perhaps others."""

    repo: Path
    imported: ImportedCommit

    def wanted(self, rules: OstreeRules, of: Recipe | None = None) -> Wanted:
        return wanted(of or recipe(), Commit(self.repo, self.imported), rules)

    def laid_out(self, rules: OstreeRules, of: Recipe | None = None) -> System:
        return lay_out(self.wanted(rules, of))


def commit(tree: Path, repo: Path, *options: str, others: Sequence[Path] = ()) -> Committed:
    """Commit a folder as the branch `os/e`, and others beside it."""
    run("ostree", "init", f"--repo={repo}", "--mode=bare-user")
    refs = {}
    for number, each in enumerate((tree, *others)):
        ref = f"os/other{number}" if number else "os/e"
        more = () if number else options
        refs[ref] = run("ostree", f"--repo={repo}", "commit", "-b", ref, "-s", "x", "--fsync=false", *more,
                        f"--tree=dir={each}").strip()  # fmt: skip
    return Committed(repo, imported(repo, refs, "os/e"))


def imported(repo: Path, refs: Mapping[str, str], ref: str) -> ImportedCommit:
    """What the import of a repository's content would have said."""
    objects = repo / "objects"
    files = {str(path.relative_to(objects)): path.stat().st_size for path in objects.glob("*/*")}
    return ImportedCommit(
        checksum=refs[ref], ref=ref, refs=refs, objects=len(files), new_objects=0, bytes=0, new_bytes=0,
        seconds=0, files=files,
    )  # fmt: skip


def deploy(
    committed: Committed, sysroot: Path, config: Mapping[str, str] = CONFIG, prefix: Sequence[str] = ()
) -> None:
    """What the base disk's steps do in the appliance, by this machine's ostree in a folder.

    `prefix` are the words before each command, where another ostree is to run.
    """

    def by_ostree(*argv: str | Path) -> None:
        run(*prefix, *argv)

    (sysroot / "boot").mkdir(parents=True)
    (sysroot / "boot").chmod(0o755)
    repo = sysroot / "ostree/repo"
    by_ostree("ostree", "admin", "init-fs", "--modern", sysroot)
    by_ostree("ostree", "admin", "os-init", OSNAME, f"--sysroot={sysroot}")
    for key, value in config.items():
        by_ostree("ostree", f"--repo={repo}", "config", "set", key, value)
    commits = sorted(set(committed.imported.refs.values()))
    by_ostree("ostree", f"--repo={repo}", "pull-local", "--disable-fsync", committed.repo, *commits)
    by_ostree("cp", "-R", f"{committed.repo}/refs/heads/.", f"{repo}/refs/heads/")
    origin = sysroot.with_name("origin")
    origin.write_text(f"[origin]\ncontainer-image-reference={IMGREF}\n")
    kargs = [f"--karg-append={each}" for each in KARGS]
    where = [f"--sysroot={sysroot}", f"--os={OSNAME}", f"--origin-file={origin}"]
    by_ostree("ostree", "admin", "deploy", *where, "--karg-none", *kargs, committed.imported.checksum)


def removable(sysroot: Path) -> None:
    """Take the flag off that keeps a deployment from being removed."""
    for path in sysroot.glob("ostree/deploy/*/deploy/*.0"):
        run("chattr", "-i", path)


def facts_of_folder(top: Path, *, flags: bool = True) -> dict[str, Facts]:
    """Every name below a folder: type, mode, owner, time, attributes, content, flag and its hard links.

    Without `flags`, for a file system that has none, no file is immutable.
    """
    found: dict[str, Facts] = {}
    links: dict[int, list[str]] = defaultdict(list)
    digests: dict[int, str] = {}
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        name = "" if path == top else str(path.relative_to(top))
        facts: Facts = {
            "kind": _kind(status), "mode": stat.S_IMODE(status.st_mode), "mtime": status.st_mtime_ns,
            "owner": (status.st_uid, status.st_gid),
            "xattrs": {key: os.getxattr(path, key, follow_symlinks=False)
                       for key in os.listxattr(path, follow_symlinks=False)},
            "flags": _flags(path) if flags and _has_flags(status.st_mode) else 0,
        }  # fmt: skip
        if facts["kind"] is Kind.SYMLINK:
            facts["mode"], facts["target"] = 0o777, target_of(path)
        if facts["kind"] is Kind.FILE:
            if status.st_ino not in digests:
                digests[status.st_ino] = sha256(path.read_bytes()).hexdigest()
            facts["content"] = digests[status.st_ino]
        if facts["kind"] is not Kind.DIRECTORY:
            links[status.st_ino].append(name)
        found[name] = facts
    return _with_links(found, links.values())


def _has_flags(mode: int) -> bool:
    return stat.S_ISDIR(mode) or stat.S_ISREG(mode)


def _flags(path: Path) -> int:
    """The flags of a file that chattr sets and every file system knows."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        data = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4))
    finally:
        os.close(descriptor)
    return int.from_bytes(data, sys.byteorder) & _FLAGS


def facts_of_entries(entries: Iterable[Entry]) -> dict[str, Facts]:
    """The same of entries."""
    found: dict[str, Facts] = {}
    links: dict[str, list[str]] = defaultdict(list)
    digests: dict[str, str] = {}
    for entry in entries:
        name = entry.path.decode()
        facts: Facts = {
            "kind": entry.kind, "mode": entry.mode, "owner": (entry.uid, entry.gid), "mtime": entry.mtime,
            "xattrs": {key.decode(): value for key, value in entry.xattrs},
            "flags": IMMUTABLE if entry.immutable else 0,
        }  # fmt: skip
        if entry.kind is Kind.SYMLINK:
            facts["target"] = os.fsdecode(entry.target)
        if entry.kind is Kind.FILE:
            facts["content"] = _digest(entry, digests)
        if entry.kind is not Kind.DIRECTORY:
            links[entry.link or name].append(name)
        found[name] = facts
    return _with_links(found, links.values())


def _digest(entry: Entry, digests: dict[str, str]) -> str:
    if isinstance(entry.content, bytes):
        data = entry.content
        assert len(data) == entry.size
        return sha256(data).hexdigest()
    assert isinstance(entry.content, HostFile)
    assert Path(entry.content.path).stat().st_size == entry.size
    if entry.content.path not in digests:
        digests[entry.content.path] = sha256(Path(entry.content.path).read_bytes()).hexdigest()
    return digests[entry.content.path]


def _with_links(found: dict[str, Facts], groups: Iterable[Sequence[str]]) -> dict[str, Facts]:
    for group in groups:
        for name in group:
            found[name]["links"] = sorted(group)
    return found


def _kind(status: os.stat_result) -> Kind:
    if stat.S_ISCHR(status.st_mode):
        assert status.st_rdev == 0
        return Kind.WHITEOUT
    kinds = {stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFREG: Kind.FILE, stat.S_IFLNK: Kind.SYMLINK}
    return kinds[stat.S_IFMT(status.st_mode)]


def _is_clock(name: str, theirs: int, ours: int) -> bool:
    """Whether a time is one that ostree takes from the clock, and we from the recipe.

    Metadata objects keep their source's time in a copy from bare to bare, as from the base disk's image: 0.
    """
    metadata = name.startswith("ostree/repo/objects/") and not name.endswith(".file") and ours == 0
    return theirs > NOW and (ours == NOW or metadata)


def differences(theirs: Mapping[str, Facts], ours: Mapping[str, Facts]) -> list[str]:
    """What differs, but for times that ostree takes from the clock."""
    found = [f"only ostree has {name}" for name in sorted(theirs.keys() - ours.keys())]
    found += [f"only we have {name}" for name in sorted(ours.keys() - theirs.keys())]
    for name in sorted(theirs.keys() & ours.keys()):
        for key in sorted(theirs[name].keys() | ours[name].keys()):
            one: Any = theirs[name].get(key)
            other: Any = ours[name].get(key)
            if one != other and not (key == "mtime" and _is_clock(name, one, other)):
                found.append(f"{name}: {key}: ostree {one!r}, ours {other!r}")
    return found


def partitions(found: Mapping[str, Facts]) -> tuple[dict[str, Facts], dict[str, Facts]]:
    """The root and /boot of a folder that holds both, whose hard links from one to the other are copies."""
    parts: tuple[dict[str, Facts], dict[str, Facts]] = ({}, {})
    for name, facts in found.items():
        on_boot = name.startswith("boot/")
        facts = dict(facts)
        if "links" in facts:
            same = [each for each in facts["links"] if each.startswith("boot/") == on_boot]
            facts["links"] = [each.removeprefix("boot/") for each in same] if on_boot else same
        parts[on_boot][name.removeprefix("boot/")] = facts
    return parts


def kept_aside(
    theirs: Mapping[str, Facts], ours: Mapping[str, Facts]
) -> tuple[dict[str, Facts], dict[str, Facts]]:
    """Both sides of /boot without what cannot be equal in a folder.

    The recipe's files and mkfs's are only ours; the entry's lines are in another order; the kernel's files
    are hard links of objects, whose time is 0.
    """
    only_ours = {"", "efi", "ignition.firstboot", "lost+found"}
    left = {name: dict(facts) for name, facts in theirs.items()}
    right = {name: dict(facts) for name, facts in ours.items() if name not in only_ours}
    for name, facts in right.items():
        if name not in left:
            continue
        if name.endswith(".conf"):
            facts["content"] = left[name]["content"] = ""
        if name.startswith("ostree/") and left[name]["mtime"] == 0:
            facts["mtime"] = 0
    return left, right

"""Small files that other programs read too: what is accepted says the same when it is written again."""

from __future__ import annotations

from pathlib import Path

from bootimg.disk.blsentry import append_options, bls_entry, entry_fault, options_of, remove_options
from bootimg.layer.declared.osrelease import parse_os_release
from bootimg.layer.declared.selinuxconfig import parse_selinux_config
from bootimg.sysroot.keyfile import key_file as written
from bootimg.untrusted.keyfile import parse_key_file
from bootimg.untrusted.tree import Malformed
from tests.fuzz.target import refusals, target

BREAKS = ("\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0", " ", "\t", "\\", "#", ";")


@target(
    lambda: [b"# c\n[composefs]\nenabled = yes\nkeypath=/x\n[root]\ntransient=true\n"],
    words=("[a]\n", "a=", "b = ", "Encoding=", "a[de]=", *BREAKS),
)
def key_file(data: bytes, folder: Path) -> None:
    """A key file of GLib."""
    try:
        found = parse_key_file(data)
    except Malformed:
        return
    pairs = [(f"{group}.{key}", value) for group, keys in found.items() for key, value in keys.items()]
    if not any("." in group for group in found):
        again = parse_key_file(written(pairs, {}))
        assert again == {group: keys for group, keys in found.items() if keys}


@target(
    lambda: [b"NAME=\"A B\"\nID='rhel'\nVERSION_ID=9.6\nX='It'\\''s'\n"],
    words=("ID=", '"', "'", "$", "`", "\\'", *BREAKS),
)
def os_release_text(data: bytes, folder: Path) -> None:
    """os-release: written again in quotes it is the same."""
    try:
        found = parse_os_release(data)
    except Malformed:
        return
    plain = {name: value for name, value in found.items() if not set(value) & set("\"'\\$`")}
    again = "".join(f'{name}="{value}"\n' for name, value in plain.items())
    assert parse_os_release(again.encode()) == plain


@target(
    lambda: [b"# x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"],
    words=("SELINUX=", "SELINUXTYPE=", "SELINUXTYPE =", "../", "permissive", *BREAKS),
)
def selinux_config(data: bytes, folder: Path) -> None:
    """SELinux's config: a policy's name is one folder, and what libostree gets says the same."""
    with refusals():
        found = parse_selinux_config(data)
        assert "/" not in found.policy and found.policy not in (".", "..")
        assert parse_selinux_config(found.text()) == found


@target(
    lambda: [b"title A\nversion 1\noptions rw a=b\nlinux /l\ninitrd /i\n"],
    words=("options ", "options\t", "linux ", "title\n", *BREAKS),
)
def loader_entry(data: bytes, folder: Path) -> None:
    """A boot loader entry: one that is accepted has one line of options, which alone changes."""
    text = data.decode(errors="surrogateescape")
    if entry_fault(text) is not None or options_of(text) is None:
        return
    changed = append_options(text, ("x=y", "z"))
    assert entry_fault(changed) is None
    assert bls_entry(changed)["options"][-2:] == ["x=y", "z"]
    with refusals():
        assert options_of(remove_options(changed, ("x=y", "z"))) == options_of(text)

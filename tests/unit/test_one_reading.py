"""Files that several programs read: what bootimg accepts they read alike, and the rest is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootimg.disk.blsentry import append_options, bls_entry, entry_fault, options_of, require_alike
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.declared.osrelease import parse_os_release
from bootimg.layer.declared.platformsjson import parse_platforms_json
from bootimg.layer.declared.selinuxconfig import SelinuxConfig, parse_selinux_config
from bootimg.layer.ostree.prepareroot import parse_prepare_root
from bootimg.sysroot.keyfile import key_file as written_key_file
from bootimg.untrusted.files import TEXT_LIMIT
from bootimg.untrusted.keyfile import parse_key_file
from bootimg.untrusted.textfile import text_lines
from bootimg.untrusted.tree import Malformed
from tests.support.glib import key_file, needs_glib, unquoted

ODD = ("\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0", "\\", "\\n", "\\s", '"', "'", "$", "`", ";", "#",
       "=", " ", "\t", "[", "]", "\n", "\ufeff", "é")  # fmt: skip


def texts(*lines: str) -> st.SearchStrategy[bytes]:
    """Files of these lines, some of which have a character in them that programs read differently."""
    odd = st.just("") | st.just("") | st.sampled_from(ODD)
    line = st.builds(
        lambda text, at, by: text[:at] + by + text[at:], st.sampled_from(lines), st.integers(0, 9), odd
    )
    return st.lists(line, max_size=5).map(lambda each: "\n".join(each).encode())


def refused(parse: Callable[[], object], *words: str) -> None:
    with pytest.raises((Malformed, BootimgError)) as caught:
        parse()
    for word in words:
        assert word in str(caught.value)


KEY_FILE = b"# comment\n\n[composefs]\nenabled = yes\nkeypath=/x y\n[root]\ntransient=true\n"


@needs_glib
def test_a_key_file_is_what_glib_reads() -> None:
    found = {"composefs": {"enabled": "yes", "keypath": "/x y"}, "root": {"transient": "true"}}
    assert parse_key_file(KEY_FILE) == found == key_file(KEY_FILE)
    written = written_key_file([("origin.container-image-reference", "ostree-unverified-registry:a/b:c")], {})
    assert parse_key_file(written) == key_file(written)


@needs_glib
@settings(max_examples=1500)
@given(texts("[a]", "[b]", "a=yes", "b = x y", "A\t=%(x)s", "c=", "Encoding=x", "# x", ""))
def test_a_key_file_is_read_as_glib_reads_it_or_refused(data: bytes) -> None:
    data = b"[group]\n" + data
    try:
        found = parse_key_file(data)
    except Malformed:
        return
    assert found == key_file(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"enabled=yes\n", "before the first group"),
        (b"[composefs]\nenabled=no\n[composefs]\nenabled=yes\n", "stands twice"),
        (b"[composefs]\nenabled=no\nenabled=yes\n", "stands twice in one group"),
        # Python's reader takes the second line for the first key's value, GLib for a key.
        (b"[composefs]\nenabled=no\n  enabled=yes\n", "line 3"),
        # Python's reader takes `;` for a comment and `:` for `=`.
        (b"[composefs]\n; enabled=yes\n", "line 2"),
        (b"[composefs]\nenabled: yes\n", "line 2"),
        (b"[composefs]\nenabled=yes \n", "line 2"),
        (b"[composefs]\nenabled=ye\\s\n", "line 2"),
        (b"[composefs]\r\nenabled=yes\r\n", "control character"),
        (b"[composefs]\nenabled=yes\0\n", "control character"),
        ("[composefs]\n# \u2028enabled=yes\n".encode(), "control character"),
        (b"[composefs]\nenabled[de]=yes\n", "line 2"),
        (b"\xff", "UTF-8"),
        (b"#" * (TEXT_LIMIT + 1), "more than 1048576 bytes"),
    ],
    ids=range(14),
)
def test_what_readers_of_key_files_differ_about(data: bytes, why: str) -> None:
    refused(lambda: parse_key_file(data), why)
    with pytest.raises(BootimgError) as caught:
        parse_prepare_root(data, "usr/lib/ostree/prepare-root.conf")
    assert (caught.value.id, caught.value.exit_code) == ("prepare-root-malformed", ExitCode.USAGE)


OS_RELEASE = b"# c\nNAME=\"A B\"\nVERSION_ID='9.6'\nID=rhel\nEMPTY=\nQUOTED='It'\\''s \"x\"'\nBLANK=1  \n\n"


def test_os_release_is_unquoted() -> None:
    assert parse_os_release(OS_RELEASE) == {
        "NAME": "A B", "VERSION_ID": "9.6", "ID": "rhel", "EMPTY": "", "QUOTED": 'It\'s "x"', "BLANK": "1"
    }  # fmt: skip


@needs_glib
@settings(max_examples=200)
@given(
    texts('NAME="A B"', "ID=rhel", "VERSION_ID='9'", "URL=http://a/~b", "X=", "# x", "", "export Y=1", "Z=*")
)
def test_os_release_is_what_a_shell_and_ostree_read_or_refused(data: bytes) -> None:
    try:
        found = parse_os_release(data)
    except Malformed:
        return
    for line in data.decode().split("\n"):
        name, _, value = line.partition("=")
        if name in found and value and value == value.rstrip():
            assert unquoted(value.encode()) == found[name]
    # Only the file's own names, without what the shell sets.
    script = (
        f"set -e; . ./os-release; for n in {' '.join(found)}; do eval printf '%s\\\\0' \\\"\\$$n\\\"; done"
    )
    assert values_of(script, data) == list(found.values())


def values_of(script: str, data: bytes) -> list[str]:
    with TemporaryDirectory() as folder:
        Path(folder, "os-release").write_bytes(data)
        done = subprocess.run(["sh", "-c", script], cwd=folder, env={"PATH": os.defpath}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"ID=a\nID=b\n", "ID stands twice"),
        (b" ID=a\n", "line 1"),
        (b"ID =a\n", "line 1"),
        (b"export ID=a\n", "line 1"),
        (b'NAME="a\nOPENSHIFT_VERSION=4.17\n"\n', "line 1"),
        (b"ID=a b\n", "line 1"),
        (b"ID=$(x)\n", "line 1"),
        (b'ID="$x"\n', "line 1"),
        (b'ID="a\\$"\n', "line 1"),
        (b"ID='a\n", "line 1"),
        (b"ID=a # b\n", "line 1"),
        (b"ID=a;VERSION_ID=9\n", "line 1"),
        (b"ID=a\x0cVERSION_ID=9\n", "control character"),
        (b"bad line\n", "line 1"),
    ],
    ids=range(14),
)
def test_what_readers_of_os_release_differ_about(data: bytes, why: str) -> None:
    refused(lambda: parse_os_release(data), why)


SELINUX = b"# x\nSELINUX=enforcing\n# SELINUXTYPE= can take\nSELINUXTYPE=targeted\n\nAUTORELABEL=1\n"


def test_the_config_of_selinux_and_what_is_written_from_it() -> None:
    found = parse_selinux_config(SELINUX)
    assert found == SelinuxConfig("targeted", True)
    assert found.text() == b"SELINUX=enforcing\nSELINUXTYPE=targeted\n"
    for config in (found, SelinuxConfig("mls", False), parse_selinux_config(b"SELINUX=permissive # x\n")):
        assert parse_selinux_config(config.text()) == config


@pytest.mark.parametrize(
    "data",
    [
        b"SELINUX=enforcing\nSELINUXTYPE=../../../../etc/selinux/targeted\nSELINUXTYPE =targeted\n",
        b"SELINUXTYPE =targeted\n",
        b"SELINUXTYPE=targeted\nSELINUXTYPE=mls\n",
        b"SELINUXTYPE=../x\n",
        b"SELINUXTYPE=/etc\n",
        b"SELINUXTYPE=.\n",
        b"SELINUXTYPE=a b\n",
        b" SELINUXTYPE=targeted\n",
        b"selinuxtype=targeted\n",
        b"SELINUXTYPE= targeted\n",
        b"SELINUX= enforcing\n",
        b"SELINUX=enforcing\nSELINUX=disabled\n",
        b"SELINUX=enforcing\r\n",
        b"SELINUX=enforcing\x0bSELINUXTYPE=x\n",
        b"SELINUXTYPE=targeted\0x\n",
    ],
    ids=range(15),
)
def test_what_libselinux_and_libostree_differ_about(data: bytes) -> None:
    with pytest.raises(BootimgError) as caught:
        parse_selinux_config(data)
    assert (caught.value.id, caught.value.exit_code) == ("selinux-config-malformed", ExitCode.USAGE)


ENTRY = 'title A 1 (ostree:0)\nversion 1\noptions rw a="b c"\nlinux /l\ninitrd /i\ninitrd /j\ngrub_users ""\n'


def test_an_entry_that_all_boot_loaders_read_alike() -> None:
    assert entry_fault(ENTRY) is None
    assert options_of(ENTRY) == ("rw", 'a="b c"')
    assert entry_fault(f"# comment\n{ENTRY}\n\n") is None
    assert bls_entry(ENTRY)["initrd"] == ["/i", "/j"]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("options a\noptions b\n", "options stands twice"),
        ("linux /a\nlinux /b\n", "linux stands twice"),
        ("title a\n\nlinux /b\n", "line 2"),
        ("title\nlinux /b\n", "line 1"),
        ("options \nlinux /b\n", "line 1"),
        (" options a\n", "line 1"),
        ("Options a\n", "line 1"),
        ("title a\u2028options b\n", "line 1"),
        ("title a\x0boptions b\n", "line 1"),
        ("title a\r\n", "line 1"),
        ("title a\0b\n", "line 1"),
        ('options a "b\n', "quote that is not closed"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_boot_loaders_differ_about(entry: str, why: str) -> None:
    with pytest.raises(BootimgError, match=why) as caught:
        require_alike("a.conf", entry)
    assert caught.value.id == "boot-entry-malformed"


def test_arguments_are_appended_to_lines_alone() -> None:
    assert (
        append_options("title a\u2028options b\noptions c\n", ["x"])
        == "title a\u2028options b\noptions c x\n"
    )


@pytest.mark.parametrize("text", ['{"a\\ud800": {}}', '{"a": {"grub_commands": ["\\udfff"]}}'])
def test_a_text_that_is_no_unicode_is_refused_where_the_file_is_copied(text: str) -> None:
    """coreos-installer's reader of JSON refuses it, bootimg's would replace it."""
    refused(lambda: parse_platforms_json(text.encode()), "lone surrogate")


def test_lines_end_at_a_line_feed_alone() -> None:
    assert text_lines("a b\tc\n\né\n".encode()) == ["a b\tc", "", "é"]
    assert text_lines(b"") == []
    assert text_lines(b"a") == ["a"]
    refused(lambda: text_lines(b"a" * 11, limit=10), "more than 10 bytes")

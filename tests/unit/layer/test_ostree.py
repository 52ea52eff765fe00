"""ostree's names, layout and object bytes, as far as they need no libostree."""

import pytest

from bootimg.errors import BootimgError
from bootimg.layer.importing.repository import labelled
from bootimg.layer.ostree.containertree import label_path, to_ostree
from bootimg.layer.ostree.refs import escape, image_ref, layer_ref
from bootimg.layer.tar.entry import Entry, Kind
from bootimg.layer.tar.merge import Merged
from bootimg.layer.tar.tarformat import read_entries
from bootimg.untrusted.budget import Budget
from tests.support.layers import oci


@pytest.mark.parametrize(
    ("text", "escaped"),
    # The first two are examples of ostree-rs-ext's own documentation and tests.
    [
        ("registry:quay.io/coreos/fedora:latest", "registry_3A_quay_2E_io/coreos/fedora_3A_latest"),
        ("foo_bar", "foo__bar"),
        ("docker://h/a-b/", "docker_3A__2F__2F_h/a-b_2F_"),
        ("a//b", "a/_2F_b"),
    ],
)
def test_escaping(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize(
    "imgref",
    ["docker://h/a", "ostree-image-signed:docker://h/a", "ostree-unverified-registry:h/a",
     "ostree-unverified-image:registry:h/a", "ostree-remote-image:fedora:docker://h/a",
     "ostree-remote-registry:fedora:h/a"],
)  # fmt: skip
def test_the_ref_is_the_same_however_it_is_verified(imgref: str) -> None:
    assert image_ref(imgref) == "ostree/container/image/docker_3A__2F__2F_h/a"


def test_layer_refs() -> None:
    assert layer_ref("sha256:ab") == "ostree/container/blob/sha256_3A_ab"


def layout(*members: oci.Member) -> dict[str, Entry]:
    merged = Merged(Budget())
    merged.apply(read_entries(oci.tar(*members), Budget()))
    root = merged.entries.pop("")
    return dict(to_ostree(merged.entries.values(), root).entries)


def test_etc_moves_and_api_file_systems_are_emptied() -> None:
    found = layout(
        oci.file("etc/fstab", b"x"), oci.file("tmp/x"), oci.folder("dev/pts"), oci.file("sysroot/y"),
        oci.file("var/lib/z"), oci.folder("usr"), oci.file("etc/hostname"),
    )  # fmt: skip
    assert sorted(found) == ["", "dev", "sysroot", "tmp", "usr", "usr/etc", "usr/etc/fstab", "var", "var/lib",
                             "var/lib/z"]  # fmt: skip
    assert found["usr/etc/fstab"].path == "usr/etc/fstab"


def test_what_was_dropped_is_counted() -> None:
    entries = read_entries(oci.tar(oci.folder("tmp"), oci.file("tmp/a"), oci.file("tmp/b")), Budget())
    assert to_ostree(entries, Entry("", Kind.DIRECTORY, 0o755, 0, 0)).filtered == {"tmp": 2}


def test_two_places_of_configuration_are_refused() -> None:
    with pytest.raises(BootimgError) as error:
        layout(oci.folder("etc"), oci.folder("usr/etc"))
    assert error.value.id == "layer-etc-twice"


def test_configuration_is_labelled_as_what_it_becomes() -> None:
    assert [label_path(path) for path in ("usr/etc", "usr/etc/x", "usr/etcetera", "")] == [
        "/etc", "/etc/x", "/usr/etcetera", "/"]  # fmt: skip


def test_the_policys_label_replaces_the_tars() -> None:
    xattrs = (("security.selinux", b"bad\0"), ("trusted.overlay.opaque", b"y"), ("user.a", b"1"))
    assert labelled(xattrs, "sys:x") == [("security.selinux", b"sys:x\0"), ("user.a", b"1")]
    assert labelled(xattrs, None) == [("user.a", b"1")]

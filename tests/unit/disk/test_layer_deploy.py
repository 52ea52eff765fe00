"""The layer's own deploy: what it is told, and that its boot entry is the one of a deployment by bootimg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from bootimg.appliance import Appliance
from bootimg.disk.layer_deploy import deploy_by_layer
from bootimg.manifest.recipe import Deploy

ENTRY = "/sysroot/boot/loader/entries/ostree-1.conf"
OWN = "ostree=/ostree/boot.1/rhcos/abc/0"
OPTIONS = Deploy(
    target_imgref="ostree-unverified-registry:quay.io/example/os:latest",
    kernel_opts=("rw", "$ignition_firstboot", 'dyndbg="file drivers/x.c +p"', "installcfg.karg=1"),
    mounts=(),
)
WANTED = f"title CoreOS\noptions {' '.join(OPTIONS.kernel_opts)} {OWN}\nlinux /vmlinuz\n"


class Recorder:
    """In the place of the appliance: one deployment, and one boot entry with these options."""

    log = "/log"

    def __init__(self, options: str) -> None:
        self.entry = f"title CoreOS\noptions {options}\nlinux /vmlinuz\n"
        self.calls: list[tuple[str, ...]] = []
        self.put_to: list[str] = []

    def run(self, argv: Sequence[str], *, timeout: float, **_: object) -> bytes:
        self.calls.append(tuple(argv))
        return {"sh": f"{ENTRY}\n", "find": "/sysroot/ostree/deploy/rhcos/deploy/abc.0\n"}.get(
            argv[0], ""
        ).encode()

    def get(self, path: str) -> bytes:
        assert path == ENTRY
        return self.entry.encode(errors="surrogateescape")

    def put(self, path: str, data: bytes) -> None:
        self.put_to.append(path)
        self.entry = data.decode(errors="surrogateescape")


def deployed(options: str) -> Recorder:
    vm = Recorder(options)
    found = deploy_by_layer(cast(Appliance, vm), "/dev/sdb", "rhcos", OPTIONS)
    assert found.root == "/sysroot/ostree/deploy/rhcos/deploy/abc.0"
    return vm


@pytest.mark.parametrize(
    "appended",
    ["installcfg.karg=1", "installcfg.karg=1 kargs.d=1", "kargs.d=1 installcfg.karg=1 rw"],
)
def test_what_bootc_appends_is_there_once_and_as_bootimg_has_it(appended: str) -> None:
    vm = deployed(f"{' '.join(OPTIONS.kernel_opts)} {OWN} {appended}")
    assert vm.entry == WANTED


def test_an_entry_that_is_right_is_not_written() -> None:
    vm = deployed(f"{' '.join(OPTIONS.kernel_opts)} {OWN}")
    assert (vm.put_to, vm.entry) == ([], WANTED)


def test_the_layer_gets_image_target_and_arguments() -> None:
    calls = deployed(OWN).calls
    (command,) = [call for call in calls if call[0] == "ostree"]
    assert command[:4] == ("ostree", "container", "image", "deploy")
    assert "--imgref=ostree-unverified-image:oci:/run/bootimg-layer" in command
    assert f"--target-imgref={OPTIONS.target_imgref}" in command
    assert command[-1] == "--karg=installcfg.karg=1"

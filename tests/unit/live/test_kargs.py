"""Which kernel arguments of the installed system a live one has."""

from __future__ import annotations

import pytest

from bootimg.errors import BootimgError
from bootimg.live.kargs import live_arguments


def test_what_a_live_system_finds_out_itself_is_left_out() -> None:
    """Console, platform and deployment go; order and repetitions of the others stay."""
    options = ["rw", "$ignition_firstboot", "mitigations=auto", "console=tty0", "console=ttyS0,115200n8",
               "a=1", "a=1", "ignition.platform.id=qemu", "ostree=/ostree/boot.1/x/0",
               "consoleblank=0"]  # fmt: skip
    assert live_arguments(options, "rhcos-9.6") == (
        "rw", "mitigations=auto", "a=1", "a=1", "consoleblank=0", "coreos.liveiso=rhcos-9.6",
    )  # fmt: skip


def test_an_item_with_several_arguments_is_split() -> None:
    """White space in quotes belongs to a value."""
    assert live_arguments(['a="b c" console=tty0  d'], "v") == ('a="b c"', "d", "coreos.liveiso=v")


@pytest.mark.parametrize("volume_id", ["a b", "a;reboot", "$a", 'a"', "a\nb"])
def test_a_volume_id_that_is_no_argument_is_refused(volume_id: str) -> None:
    """A boot loader would run or drop it."""
    with pytest.raises(BootimgError, match="kernel-argument-invalid"):
        live_arguments(["rw"], volume_id)

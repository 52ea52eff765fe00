"""The KVM probe with a real QEMU and the real kernel of the appliance."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.cache import Cache
from bootimg.vm.kernel import find_kernel
from bootimg.vm.probe import KVM, choose_accelerator, kernel_fault
from bootimg.vm.qemu import require_system

pytestmark = pytest.mark.real


def test_a_kernel_that_runs_is_seen_to_run() -> None:
    """Under TCG, which works everywhere: what the probe waits for does come."""
    assert kernel_fault("tcg", require_system(), find_kernel(), 120) is None


def test_a_kernel_that_does_not_come_so_far_is_a_fault() -> None:
    assert kernel_fault("tcg", require_system(), find_kernel(), 0.2) is not None


def test_the_verdict_is_that_of_a_guest(tmp_path: Path) -> None:
    chosen = choose_accelerator("auto", Cache(tmp_path))
    if not KVM.exists():
        assert (chosen.name, chosen.reason) == ("tcg", f"there is no {KVM}")
        return
    fault = kernel_fault("kvm", require_system(), find_kernel(), 60)
    assert chosen.name == ("tcg" if fault else "kvm")

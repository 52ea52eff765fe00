"""The whole hostile run, by hand: `python -m tests.hostile [PART…]` prints what was tried and its outcome.

The parts can be run alone, with options of their own: `python -m tests.hostile.PART --help`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.hostile import faults, inputs, mutated, stoppedbuilds, stops
from tests.hostile.scratch import run_in_scratch

UPLOADS = [
    "tests/integration/clouds/test_aws_killed.py",
    "tests/integration/clouds/gcp/test_gcp_killed.py",
    "tests/integration/clouds/ibm/test_ibm_killed.py",
    "tests/integration/clouds/aliyun/test_aliyun_faults.py",
    "tests/integration/registries/test_faults.py",
    "tests/integration/registries/test_pull.py",
    "tests/integration/registries/test_retire.py",
]
"""Tests that kill or stop uploads, pushes and pulls at each of their calls or records."""


def uploads(arguments: Sequence[str] | None = None) -> int:
    """Run the tests that kill uploads."""
    return int(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "kill or stop or interrupt", *UPLOADS]))


PARTS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "inputs": inputs.main,
    "mutated": mutated.main,
    "faults": faults.main,
    "stops": stops.main,
    "stoppedbuilds": stoppedbuilds.main,
    "uploads": uploads,
}


def main() -> int:
    """Run the parts, and return 1 if something was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    words = parser.parse_args()
    bad = []
    for name in words.parts or PARTS:
        started = time.monotonic()
        load = f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
        print(f"\n== {name}: {load}\n", flush=True)
        if PARTS[name]([]):
            bad.append(name)
        print(f"\n{name}: {time.monotonic() - started:.0f} s", flush=True)
    print("\n" + (f"met badly: {', '.join(bad)}" if bad else "all as it has to be"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

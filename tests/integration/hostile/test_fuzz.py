"""The coverage-guided fuzzer in short: `python -m tests.fuzz --seconds N` runs it for long."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.target import ROOT
from tests.fuzz.targets import TARGETS

needs_atheris = pytest.mark.skipif(
    not find_spec("atheris"), reason="atheris is not installed: it has wheels for Linux on x86_64 alone"
)
BROKEN = """
import sys
from pathlib import Path
from tests.fuzz.engine import Plan, fuzz
from tests.fuzz.target import TARGETS, target

@target(lambda: [b"a seed"], runs=100)
def broken(data, folder):
    assert data != b"a seed"

here = Path(sys.argv[1])
print(fuzz(TARGETS["broken"], Plan(corpora=here / "corpora", crashes=here / "crashes"), here))
"""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    # With the order of sets a run would differ from the one before.
    env = os.environ | {"PYTHONHASHSEED": "0"}
    argv = [sys.executable, *words]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, encoding="utf-8", errors="replace")


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_read_or_refused(name: str, tmp_path: Path) -> None:
    seeds = [*TARGETS[name].seeds()]
    assert seeds
    for seed in seeds:
        assert len(seed) <= TARGETS[name].longest
        TARGETS[name].run(seed, tmp_path)


@needs_atheris
def test_every_target_stands_a_short_run(tmp_path: Path) -> None:
    done = run("-m", "tests.fuzz", "--crashes", tmp_path / "crashes")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert f"{len(TARGETS)} targets, 0 failed" in done.stdout
    assert not [*(tmp_path / "crashes").iterdir()]


@needs_atheris
def test_what_brings_a_target_down_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "crashes").mkdir()
    done = run("-c", BROKEN, tmp_path)
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr
    assert "AssertionError" in done.stderr
    assert [path.read_bytes() for path in (tmp_path / "crashes").iterdir()] == [b"a seed"]


def test_one_input_is_run_again_without_the_fuzzer(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"[]")
    assert run("-m", "tests.fuzz", "image-json", "--input", tmp_path / "input").returncode == 0
    unknown = run("-m", "tests.fuzz", "no-such-target", "--input", tmp_path / "input")
    assert unknown.returncode != 0
    assert "no target no-such-target" in unknown.stderr

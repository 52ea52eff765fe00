"""The picture of the parts, as a rule."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ("bootimg/**/*.py", "platforms/*.py", "uploaders/**/*.py")
SOURCES = sorted(each for pattern in PATTERNS for each in ROOT.glob(pattern))
ONLY = {
    "guestfs": {"bootimg/appliance/worker.py"},
    "gi": {"bootimg/layer/ostree/ostree_worker.py"},
}
STARTERS = {"subprocess": {"run", "Popen", "call", "check_call", "check_output", "getoutput"},
            "os": {"system", "popen", "fork", "execv", "execvp", "execve", "posix_spawn"}}  # fmt: skip
MAY_START = {"bootimg/process.py", *ONLY["guestfs"], *ONLY["gi"]}


def test_imports_keep_to_their_direction() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
         "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("module", ONLY)
def test_bindings_are_imported_by_their_worker_only(module: str) -> None:
    importers = {name(source) for source in SOURCES if module in imported(source)}
    assert importers <= ONLY[module]


def test_programs_start_in_one_place() -> None:
    starters = {name(source) for source in SOURCES if starts_programs(source)}
    assert "bootimg/process.py" in starters
    assert starters <= MAY_START


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """A path of that machine would be of no use on any other."""
    folder = re.compile(r"(?<![\w.<>-])/(wor[k]|root/\.pyen[v])/")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / word for word in done.stdout.split("\0") if word]
    assert len(files) > 50
    told = {path for path in files if path.is_file() and folder.search(path.read_text(errors="replace"))}
    assert told == set()


def name(source: Path) -> str:
    return str(source.relative_to(ROOT))


def imported(source: Path) -> set[str]:
    """The top-level names of what a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def starts_programs(source: Path) -> bool:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and set(STARTERS.get(node.module or "", ())) & {
            alias.name for alias in node.names
        }:
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = getattr(node.func.value, "id", "")
            if node.func.attr in STARTERS.get(owner, ()):
                return True
    return False

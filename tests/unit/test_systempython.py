"""The Python that has a binding is looked for once in a process."""

from pathlib import Path

from bootimg.systempython import first_that_runs


def program(path: Path, script: str) -> Path:
    """A program that is a shell script."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_is_tried_once_for_a_script(tmp_path: Path) -> None:
    python = program(tmp_path / "python", f"echo tried >> {tmp_path}/log; echo answer")
    assert first_that_runs("import one", [python]) == (python, "answer\n")
    assert first_that_runs("import one", [python]) == (python, "answer\n")
    assert (tmp_path / "log").read_text().count("tried") == 1
    first_that_runs("import other", [python])
    assert (tmp_path / "log").read_text().count("tried") == 2


def test_where_there_is_none_it_is_looked_for_again(tmp_path: Path) -> None:
    python = program(tmp_path / "python", "exit 1")
    assert first_that_runs("import late", [python]) is None
    program(python, "echo now")
    assert first_that_runs("import late", [python]) == (python, "now\n")

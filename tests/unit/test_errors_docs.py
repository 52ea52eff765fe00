"""Every error id that the program can raise has a page, and every page an id."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "errors"


def raised_ids() -> dict[str, list[str]]:
    """Where each id is passed to BootimgError as a literal; any other first argument fails."""
    found: dict[str, list[str]] = {}
    patterns = ("bootimg/**/*.py", "platforms/*.py", "uploaders/**/*.py")
    for source in sorted(each for pattern in patterns for each in ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BootimgError":
                where = f"{source.relative_to(ROOT)}:{node.lineno}"
                for id in literals(node, where):
                    found.setdefault(id, []).append(where)
    return found


def literals(call: ast.Call, where: str) -> list[str]:
    """The id; a choice between two literals counts as both."""
    first = call.args[0] if call.args else None
    choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
    ids = [each.value for each in choices if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if len(ids) != len(choices):
        raise AssertionError(f"{where}: the id is not a literal")
    return ids


def pages() -> list[Path]:
    return [page for page in sorted(PAGES.glob("*.md")) if page.stem != "index"]


def test_every_id_has_a_page() -> None:
    ids = raised_ids()
    assert "program-missing" in ids
    missing = {id: where for id, where in ids.items() if not (PAGES / f"{id}.md").exists()}
    assert not missing


def test_every_page_has_an_id() -> None:
    assert {page.stem for page in pages()} - set(raised_ids()) == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_page_says_what_why_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    sections = [title.lower() for title in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    assert sections == ["what happened", "why", "what to do"]
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])

"""What the documentation says is what the program has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bootimg.cli.main import VERBS
from bootimg.platform import platforms
from script.docs import platform_table

ROOT = Path(__file__).parents[2]


STALE = """
import sys
from pathlib import Path
from script.docs import generated
for path, text in generated(Path(sys.argv[1])).items():
    if not path.exists() or path.read_text() != text:
        print(path)
"""


def test_generated_parts_are_current() -> None:
    # In a process of its own: click's help depends on which commands were asked for help before.
    done = subprocess.run([sys.executable, "-c", STALE, ROOT], capture_output=True, text=True, check=True)
    assert done.stdout == "", "run `python -m script.docs`"


def test_platform_table_has_a_row_for_each_platform() -> None:
    assert platform_table().count("\n") == len(platforms()) + 1
    assert platform_table() in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_with_words_of_its_own(verb: str) -> None:
    text = (ROOT / "docs" / "cli" / f"{verb}.md").read_text()
    assert text.startswith(f"# bootimg {verb}\n")
    own = re.sub(r"<!-- help -->.*<!-- /help -->", "", text, flags=re.DOTALL).partition("\n")[2]
    assert len(own.split()) >= 20


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text

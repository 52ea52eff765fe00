"""The documentation's pictures: each is there, shown somewhere, small, and of no particular machine."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
DRAWN = [each for each in PICTURES if each.suffix == ".svg"]
HOST = re.compile(r"/(?:home|root|tmp|var/tmp|work|srv|mnt|Users|private)/")
MADE = {"build.svg", "built.svg", "plan.svg", "inspect.svg", "verify.svg", "browse.png"}


def shown() -> dict[Path, Path]:
    """By picture, a page that shows it."""
    found: dict[Path, Path] = {}
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]+\]\((?!https?:)([^)]+)\)", page.read_text()):
            found[(page.parent / target).resolve()] = page
    return found


def text_of(picture: Path) -> str:
    """What a person reads on an SVG."""
    root = ElementTree.fromstring(picture.read_bytes())
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    return "\n".join(texts).replace("\xa0", " ")


def test_every_picture_that_a_page_shows_is_there_and_every_picture_is_shown() -> None:
    assert {path.name for path in PICTURES} == MADE
    assert set(shown()) == set(PICTURES)


@pytest.mark.parametrize("verb", ["build", "plan", "inspect", "verify"])
def test_a_verb_s_page_shows_the_verb(verb: str) -> None:
    page = (ROOT / "docs" / "cli" / f"{verb}.md").read_text()
    assert f"](../pictures/{verb}.svg)" in page
    assert f"bootimg {verb} " in text_of(ROOT / "docs" / "pictures" / f"{verb}.svg")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small(picture: Path) -> None:
    assert picture.stat().st_size < 200 * 1024


@pytest.mark.parametrize(
    "picture", [each for each in PICTURES if each.suffix == ".svg"], ids=lambda path: path.name
)
def test_a_picture_shows_no_path_of_the_machine_and_loads_nothing(picture: Path) -> None:
    text = text_of(picture)
    assert "bootimg" in text
    assert HOST.findall(text) == []
    source = picture.read_text()
    assert HOST.findall(source) == []
    assert {each for each in re.findall(r"https?://[^\"\s)]+", source) if "www.w3.org" not in each} <= {
        "https://www.textualize.io"
    }
    assert not re.search(r"@font-face|<script|href=|url\((?!#)", source)

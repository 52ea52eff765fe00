"""Writes what the documentation says of verbs, platforms and errors: `python -m bootimg.cli.docs`.

Run in the project's root after a change of a verb's options, a platform or an error page.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from bootimg.arch import Arch
from bootimg.cli.main import VERBS, bootimg
from bootimg.platform import platforms


def generated(root: Path) -> dict[Path, str]:
    """The text that each generated or partly generated file of the project should have."""
    found = {root / "README.md": _with_block(root / "README.md", "platforms", platform_table())}
    for name in VERBS:
        page = root / "docs" / "cli" / f"{name}.md"
        found[page] = _with_block(page, "help", f"```text\n{verb_help(name)}\n```")
    found[root / "docs" / "errors" / "index.md"] = errors_index(root / "docs" / "errors")
    return found


def platform_table() -> str:
    """The platforms as a Markdown table."""
    rows = ["| platform | for | file | " + " | ".join(Arch) + " |", "|---|---|---|" + "---|" * len(Arch)]
    for name, platform in platforms().items():
        marks = " | ".join("✔" if arch in platform.arches else "" for arch in Arch)
        rows.append(f"| `{name}` | {platform.summary} | .{platform.suffix} | {marks} |")
    return "\n".join(rows)


def verb_help(name: str) -> str:
    """The help of a verb, followed by that of its subcommands."""
    command = bootimg.get_command(click.Context(bootimg), name)
    if command is None:
        raise click.UsageError(f"there is no command {name}")
    parent = click.Context(bootimg, info_name="bootimg", terminal_width=100)
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100)
    texts = [command.get_help(context)]
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.commands[word]
            texts.append(
                inner.get_help(click.Context(inner, info_name=word, parent=context, terminal_width=100))
            )
    return "\n\n\n".join(texts)


def errors_index(folder: Path) -> str:
    """The list of error pages, each with the first sentence it has to say."""
    lines = ["# Errors", "", "Every error has an id that never changes, and a page.", ""]
    for page in sorted(folder.glob("*.md")):
        if page.stem != "index":
            lines.append(f"- [{page.stem}]({page.name}): {_first_sentence(page.read_text())}")
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    words = " ".join(line for line in text.splitlines()[1:] if not line.startswith("#")).split()
    return re.split(r"(?<=[.:])\s", " ".join(words), maxsplit=1)[0].rstrip(":")


def _with_block(page: Path, name: str, block: str) -> str:
    """The page with its part between `<!-- name -->` and `<!-- /name -->` replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = page.read_text() if page.exists() else f"# bootimg {page.stem}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


def main() -> None:
    """Write the files below the current folder that are not current."""
    for path, text in generated(Path.cwd()).items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            click.echo(path)


if __name__ == "__main__":
    main()

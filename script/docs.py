"""Writes the generated parts of the documentation (verbs, platforms, errors): `python -m script.docs`.

Run in the project's root after a change of a verb's options, a platform or an error page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from bootimg.arch import Arch
from bootimg.checks.rules import Rule
from bootimg.cli.main import VERBS, bootimg
from bootimg.orchestrator.steps import known_steps
from bootimg.platform import platforms


def generated(root: Path) -> dict[Path, str]:
    """The current text of each generated or partly generated file of the project."""
    readme = root / "README.md"
    found = {readme: _with_block(readme.read_text(), "platforms", platform_table())}
    for name in VERBS:
        page = root / "docs" / "cli" / f"{name}.md"
        text = page.read_text() if page.exists() else f"# bootimg {name}\n\n"
        found[page] = _with_block(text, "help", f"```text\n{verb_help(name)}\n```")
    verify = root / "docs" / "cli" / "verify.md"
    found[verify] = _with_block(found[verify], "rules", rule_table())
    steps = root / "docs" / "steps.md"
    found[steps] = _with_block(steps.read_text(), "steps", step_table())
    found[root / "docs" / "errors" / "index.md"] = errors_index(root / "docs" / "errors")
    return found


def platform_table() -> str:
    """The platforms as a Markdown table."""
    rows = ["| platform | for | file | " + " | ".join(Arch) + " |", "|---|---|---|" + "---|" * len(Arch)]
    for name, platform in platforms().items():
        marks = " | ".join("✔" if arch in platform.arches else "" for arch in Arch)
        rows.append(f"| `{name}` | {platform.summary} | .{platform.suffix} | {marks} |")
    return "\n".join(rows)


def step_table() -> str:
    """The steps of a build as a Markdown table."""
    rows = ["| step | does |", "|---|---|"]
    rows += [f"| `{step.name}` | {step.title} |" for step in known_steps()]
    return "\n".join(rows)


def rule_table() -> str:
    """The rules of `bootimg verify` as a Markdown table."""
    rows = ["| rule | of | breach is | says |", "|---|---|---|---|"]
    rows += [f"| `{rule.value}` | {rule.subjects} | {rule.severity} | {rule.says} |" for rule in Rule]
    return "\n".join(rows)


def verb_help(name: str) -> str:
    """The help of a verb, followed by that of its subcommands."""
    command = bootimg.get_command(click.Context(bootimg), name)
    if command is None:
        raise click.UsageError(f"there is no command {name}")
    parent = click.Context(bootimg, info_name="bootimg", terminal_width=100)
    return "\n\n\n".join(_helps(command, name, parent))


def _helps(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            yield from _helps(command.commands[word], word, context)


def errors_index(folder: Path) -> str:
    """The list of error pages, each with its first sentence."""
    lines = ["# Errors", "", "Every error has an id that never changes, and a page.", ""]
    for page in sorted(folder.glob("*.md")):
        if page.stem != "index":
            lines.append(f"- [{page.stem}]({page.name}): {_first_sentence(page.read_text())}")
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    words = " ".join(line for line in text.splitlines()[1:] if not line.startswith("#")).split()
    return re.split(r"(?<=[.:])\s", " ".join(words), maxsplit=1)[0].rstrip(":")


def _with_block(text: str, name: str, block: str) -> str:
    """The text with the part between `<!-- name -->` and `<!-- /name -->` replaced, or added at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text:
        text = f"{text}{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


def main() -> None:
    """Update the files in the current folder whose text is outdated."""
    for path, text in generated(Path.cwd()).items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            click.echo(path)


if __name__ == "__main__":
    main()

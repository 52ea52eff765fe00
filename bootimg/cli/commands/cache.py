"""`bootimg cache`: what is kept between builds, and cleaning it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import click

from bootimg.cli.options.common import common, dry_run_option, duration_type
from bootimg.cli.output.session import App
from bootimg.housekeeping import Kept, kept, old, remove
from bootimg.sizes import format_size


@click.group("cache")
def command() -> None:
    """List and clean what is kept between builds.

    Everything in the cache can be deleted between builds; the next build then takes longer.
    """


@command.command("list")
@common
def list_(*, app: App) -> None:
    """Show what is kept, its size and the time since its last use."""
    things = kept(app.idle_cache)
    document = {
        "root": str(app.idle_cache.root),
        "size": _size(things),
        "things": [_entry(each) for each in things],
    }
    total = f"{app.idle_cache.root}: {format_size(_size(things))} in {len(things)} things"
    app.result(document, "\n".join([*_table(things), total]))


@command.command("gc")
@click.option("--older-than", type=duration_type, default="30d", show_default=True, metavar="TIME",
              help="Remove what has not been used for this time.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Remove everything, however new.")
@dry_run_option
@common
def gc(*, app: App, older_than: int, everything: bool, dry_run: bool) -> None:
    """Remove what has not been used for a while."""
    things = kept(app.idle_cache) if everything else old(app.idle_cache, older_than)
    if not dry_run:
        remove(app.idle_cache, things)
    document = {"removed": [_entry(each) for each in things], "size": _size(things), "dry-run": dry_run}
    verb = "would remove" if dry_run else "removed"
    text = f"{verb} {len(things)} things, {format_size(_size(things))}"
    app.result(document, "\n".join([*(_table(things) if dry_run else []), text]))


def _table(things: Iterable[Kept]) -> list[str]:
    lines = []
    for kind, group in groupby(things, key=lambda each: each.kind):
        members = list(group)
        lines.append(f"{kind:<12} {len(members):>5}   {format_size(_size(members))}")
        lines += [f"  {_age(each):>10}  {format_size(each.size):>9}  {each.path.name}" for each in members]
    return lines


def _age(thing: Kept) -> str:
    days, seconds = divmod(int(thing.age()), 86400)
    return f"{days} days" if days else f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds // 60} min"


def _size(things: Iterable[Kept]) -> int:
    return sum(each.size for each in things)


def _entry(thing: Kept) -> dict[str, str | int]:
    return {
        "kind": thing.kind,
        "path": str(thing.path),
        "size": thing.size,
        "unused-seconds": int(thing.age()),
    }

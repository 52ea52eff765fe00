"""The program's entry point: runs a verb, reports how it ended, and returns the exit code."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence

import click

from bootimg.cli.main import bootimg
from bootimg.cli.output.interrupt import stoppable
from bootimg.cli.output.session import Session
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.storage import storage_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; bugs propagate as tracebacks."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    session = Session()
    try:
        with stoppable(), storage_errors():
            return _run(words, session)
    except BootimgError as error:
        _let_output_go()
        return _report(error, session)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        return _report(_of_usage(error), session)
    except (KeyboardInterrupt, click.Abort):
        if not session.machine_stderr:
            click.echo(
                "\nstopped; finished work is kept, and the same command continues from there", err=True
            )
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()


def _run(words: list[str], session: Session) -> int:
    if "_BOOTIMG_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(bootimg, {}, "bootimg", "_BOOTIMG_COMPLETE", os.environ["_BOOTIMG_COMPLETE"])
    try:
        with bootimg.make_context("bootimg", words, obj=session) as context:
            bootimg.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    return ExitCode.OK


def _report(error: BootimgError, session: Session) -> int:
    """Print the error for people, unless stderr is for machines, which got it as an event."""
    if not (session.app and session.machine_stderr):
        click.echo(diagnostic(error, color=session.app.color if session.app else None), err=True)
    return int(error.exit_code)


def diagnostic(error: BootimgError, *, color: bool | None = None) -> str:
    """The error as lines for people: id, what happened, where, why, what to do, its page."""
    colored = sys.stderr.isatty() if color is None else color
    head = click.style("error:", fg="red", bold=True) if colored else "error:"
    lines = [error.message, *error.context]
    lines += [f"{name}: {text}" for name, text in
              (("note", error.note), ("hint", error.hint), ("docs", error.docs)) if text]  # fmt: skip
    rows = [printable(row.expandtabs()) for line in lines for row in line.split("\n")]
    return "\n".join([f"{head} {error.id}", *("  " + row for row in rows)])


def _of_usage(error: click.ClickException) -> BootimgError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "bootimg"
    message, *more = error.format_message().split("\n")
    return BootimgError(
        "command-line-invalid",
        message,
        context=more,
        hint=f"`{path} --help` lists its arguments and options",
        exit_code=ExitCode.USAGE,
    )


def _let_output_go() -> None:
    """Drop what standard output does not take: Python would try again at the end, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _reader_gone() -> int:
    """End quietly when stdout's reader has gone (`| head`); any other broken pipe is a bug."""
    poll = select.poll()
    poll.register(1, 0)
    if not poll.poll(0):
        raise
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())

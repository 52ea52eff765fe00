"""`python -m tests.layer.tools [TOOL…]`: compile the tools, print the folder of each."""

from __future__ import annotations

import argparse

from bootimg.errors import BootimgError
from tests.layer.recipe import UnsupportedError
from tests.layer.tools import __doc__ as DESCRIPTION
from tests.layer.tools import tool, tools


def main() -> None:
    """Compile what was asked for, print a line for each: its folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.layer.tools", description=DESCRIPTION)
    parser.add_argument("names", nargs="*", metavar="TOOL", help=", ".join(tools()))
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in tools()]:
        parser.error(f"no such tool: {', '.join(unknown)}")
    try:
        for name in names or tools():
            print(tool(name), flush=True)
    except UnsupportedError as error:
        parser.exit(2, f"error: {error}\n")
    except BootimgError as error:
        parser.exit(1, "\n".join([f"error: {error}", *error.context, error.hint or ""]) + "\n")


if __name__ == "__main__":
    main()

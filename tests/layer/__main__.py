"""`python -m tests.layer`: make the stand-in layer, print the path of its archive as the last line."""

from __future__ import annotations

import argparse

from bootimg.arch import Arch
from bootimg.errors import BootimgError
from tests.layer import Flavour, Form, UnsupportedError, Variant, stand_in
from tests.layer.recipe import DEFAULT_VERSION


def main() -> None:
    """Parse the arguments, make the layer."""
    parser = argparse.ArgumentParser(prog="python -m tests.layer", description=__doc__)
    parser.add_argument("--flavour", type=Flavour, choices=list(Flavour), default=Flavour.DEBIAN)
    parser.add_argument("--form", type=Form, choices=list(Form), default=Form.PLAIN)
    parser.add_argument("--variant", type=Variant, choices=list(Variant), default=Variant.BASE)
    parser.add_argument("--arch", type=Arch, choices=list(Arch), default=Arch.X86_64)
    parser.add_argument("--version", default="", help=f"X.Y.YYYYMMDD-N (default: {DEFAULT_VERSION})")
    parser.add_argument("--refresh", action="store_true", help="use the versions Debian has now")
    args = parser.parse_args()
    try:
        path = stand_in(
            args.flavour, args.form, args.version, args.variant, arch=args.arch, refresh=args.refresh
        )
    except UnsupportedError as error:
        parser.exit(2, f"error: {error}\n")
    except BootimgError as error:
        parser.exit(1, "\n".join([f"error: {error}", *error.context, error.hint or ""]) + "\n")
    print(path)


if __name__ == "__main__":
    main()

"""Renders pages from templates; only this module turns text into HTML.

Each page is one file that includes its style, script and data.  Its content security policy allows only
these, by their digests.  So a page works the same from file:// and from any server.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from bootimg.printable import printable
from bootimg.sizes import format_size

_ASSETS = files("bootimg.browse") / "assets"
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%230b57a4'/%3E"
    "%3Cpath d='M4 5h8v2H4zm0 4h5v2H4z' fill='%23fff'/%3E%3C/svg%3E"
)


def render(template: str, context: Mapping[str, Any], scripts: Sequence[str] = ()) -> bytes:
    """A page; `scripts` are the names of its scripts."""
    style, texts = asset("style.css"), [asset(each) for each in scripts]
    page = _environment().get_template(template)
    own = {"style": Markup(style), "scripts": [*map(Markup, texts)], "icon": _ICON}
    return page.render(**context, **own, policy=_policy(style, texts)).encode()


@cache
def asset(name: str) -> str:
    """The text of a template, the style or a script."""
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_page_value,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    made.filters |= {"size": format_size, "quoted": shlex.quote}
    return made


def _page_value(value: object) -> object:
    """A value for a page: empty for None; control characters, which could change other text, are escaped."""
    if isinstance(value, Markup):
        return value
    text = "" if value is None else str(value)
    # This is fast, and pages have a million values; few of them need printable().
    return text if text.isprintable() else printable(text)


def _policy(style: str, scripts: Sequence[str]) -> str:
    script = " ".join(map(_digest, scripts)) or "'none'"
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {script}; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

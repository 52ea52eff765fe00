"""Google's published description of Compute Engine, as a check of requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import googleapiclient
from jsonschema import Draft202012Validator

Json = dict[str, Any]
PREFIX = "/compute/v1/"


class BadRequestError(Exception):
    """A request that Google refuses, with its HTTP status, reason and words."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status, self.reason, self.text = status, reason, text


@dataclass(frozen=True)
class Call:
    """A request that fits the description: the method's id, as compute.images.insert, and its values."""

    id: str
    values: Mapping[str, str]
    body: Json


def parse(method: str, target: str, body: bytes) -> Call:
    """The call that a request makes; BadRequestError for one that the description does not allow."""
    address = urlsplit(target)
    path = address.path.removeprefix(PREFIX)
    for spec, pattern in _methods():
        match = pattern.fullmatch(path)
        if match and spec["httpMethod"] == method:
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            _check_query(spec, query)
            return Call(str(spec["id"]), {**query, **match.groupdict()}, _checked(spec, body))
    raise BadRequestError(404, "notFound", f"no method for {method} {path}")


def answer(schema: str, value: Json) -> Json:
    """An answer, which has to fit the description too."""
    errors = [each.message for each in _validator(schema).iter_errors(value)]
    assert not errors, errors
    return value


def _check_query(spec: Json, query: Mapping[str, str]) -> None:
    allowed = {**_document()["parameters"], **spec["parameters"]}
    for key in query:
        if key not in allowed:
            raise BadRequestError(400, "invalidParameter", f"unknown parameter {key}")


def _checked(spec: Json, body: bytes) -> Json:
    if "request" not in spec:
        if body:
            raise BadRequestError(400, "badRequest", "the method takes no body")
        return {}
    value: Json = json.loads(body)
    errors = [
        f"{each.json_path}: {each.message}" for each in _validator(spec["request"]["$ref"]).iter_errors(value)
    ]
    if errors:
        raise BadRequestError(400, "invalid", "; ".join(errors)[:1000])
    return value


@cache
def _document() -> Json:
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    found: Json = json.loads((folder / "compute.v1.json").read_bytes())
    return found


@cache
def _methods() -> list[tuple[Json, re.Pattern[str]]]:
    kinds = ("images", "globalOperations", "licenses")
    specs = [each for kind in kinds for each in _document()["resources"][kind]["methods"].values()]
    return [(each, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", each["path"]))) for each in specs]


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/schemas/{schema}", "schemas": _schemas()})


@cache
def _schemas() -> Json:
    return {name: _strict(each) for name, each in _document()["schemas"].items()}


def _strict(schema: Any) -> Any:  # noqa: ANN401
    """A schema of the description as one of JSON Schema that refuses unknown fields, as Google does."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": f"#/schemas/{schema['$ref']}"}
    kept = {key: schema[key] for key in ("type", "enum", "items", "additionalProperties") if key in schema}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _strict(kept[key])
    if "pattern" in schema:
        kept["pattern"] = f"^(?:{schema['pattern']})$"
    if "properties" in schema:
        kept["properties"] = {key: _strict(each) for key, each in schema["properties"].items()}
        kept.setdefault("additionalProperties", False)
    return kept

"""Azure's compute galleries, as strict as Azure documents them, and its endpoint for a machine's identity.

The requests are validated against the models of azure-mgmt-compute.  A change goes on after its answer: the
state is `Updating` until it was looked at a few times, and no other change is accepted meanwhile.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qs, urlsplit

import jwt
from azure.mgmt.compute import models

Json = dict[str, Any]
SUBSCRIPTION, GROUP, GALLERY = "11111111-2222-3333-4444-555555555555", "os4-common", "rhcos"
IDENTITY_HEADER = "identity-header-secret"
REGIONS = {"eastus": "East US", "eastus2": "East US 2", "westeurope": "West Europe", "uksouth": "UK South",
           "northeurope": "North Europe"}  # fmt: skip
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_PATH = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Compute"
    r"/galleries/(?P<gallery>[^/]+)(?P<share>/share)?(/images/(?P<definition>[^/]+))?"
    r"(/versions/(?P<version>[^/]+))?"
)


class RefusedError(Exception):
    """An answer that says no."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.body = status, {"error": {"code": code, "message": text}}


def _require(good: bool, text: str, code: str = "InvalidParameter", status: int = 400) -> None:
    if not good:
        raise RefusedError(status, code, text)


def _short(region: str) -> str:
    return region.replace(" ", "").lower()


def validate(kind: Any, value: Any, where: str) -> None:  # noqa: ANN401
    """Check a value of a request against a type of Azure's models."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Union:
        enums = [each for each in args if isinstance(each, type) and issubclass(each, Enum)]
        if enums:
            _require(value in {each.value for each in enums[0]}, f"{where} is {value!r}")
            return
        validate(next(each for each in args if each is not NoneType), value, where)
    elif origin is list:
        _require(isinstance(value, list), f"{where} is no list")
        for number, each in enumerate(value):
            validate(args[0], each, f"{where}[{number}]")
    elif origin is dict:
        good = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        _require(good, f"{where} is no object of texts")
    elif kind is datetime:
        _require(_MOMENT.fullmatch(str(value)) is not None, f"{where} is no time")
    elif kind in (str, int, bool):
        _require(type(value) is kind, f"{where} is no {kind.__name__}")
    else:
        _validate_model(kind, value, where)


def _validate_model(model: Any, value: Any, where: str) -> None:  # noqa: ANN401
    _require(isinstance(value, dict), f"{where} is no object")
    model()
    fields = {each._rest_name: (name, each) for name, each in model._attr_to_rest_field.items()}
    kinds: Json = {}
    for part in reversed(model.__mro__):
        if part.__module__ == models.TargetRegion.__module__:
            kinds |= get_type_hints(part, {**vars(sys.modules[part.__module__]), "_models": models})
    for key, each in value.items():
        _require(key in fields, f"{where} has no field {key}")
        name, found = fields[key]
        _require(found._visibility != ["read"], f"{where}.{key} is read-only")
        validate(kinds[name], each, f"{where}.{key}")
    for key, (name, _) in fields.items():
        optional = NoneType in get_args(kinds[name])
        _require(optional or key in value, f"{where} lacks {key}")


@dataclass
class StrictAzure:
    """What the tests see and set.

    `failing` are regions whose copy fails.  `looks` is how often a change has to be looked at until it ends.
    """

    url: str = ""
    permissions: str = "Private"
    groups: list[Json] = field(default_factory=list)
    community: bool = False
    definitions: dict[str, Json] = field(default_factory=dict)
    versions: dict[tuple[str, str], Json] = field(default_factory=dict)
    puts: list[Json] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    looks: int = 2
    token_life: int = 3600
    tokens: list[str] = field(default_factory=list)
    busy: dict[tuple[str, str], int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def define(self, name: str, architecture: str = "x64") -> None:
        """Make an image definition."""
        self.definitions[name] = {
            "id": f"/definitions/{name}", "name": name, "location": "eastus",
            "properties": {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2",
                           "architecture": architecture, "provisioningState": "Succeeded",
                           "identifier": {"publisher": "p", "offer": name, "sku": "s"}},
        }  # fmt: skip

    def token(self, resource: str) -> Json:
        """A token of the machine's identity."""
        now = int(time.time())
        claims = {"aud": resource, "iss": "https://sts.windows.net/tenant/", "nbf": now - 7200,
                  "iat": now - 7200, "exp": now + self.token_life, "tid": "tenant", "oid": "o"}  # fmt: skip
        token = jwt.encode(claims, "a key of the test, long enough for it", algorithm="HS256")
        self.tokens.append(token)
        life = now + max(self.token_life, 3600)
        return {"access_token": token, "expires_on": str(life), "resource": resource, "token_type": "Bearer"}

    def answer(self, method: str, path: str, headers: Message, body: Json) -> tuple[int, Json | None]:
        """Status and body of an answer."""
        parts = urlsplit(path)
        if parts.path == "/token":
            _require(headers.get("X-IDENTITY-HEADER") == IDENTITY_HEADER, "header", status=401)
            return 200, self.token(parse_qs(parts.query)["resource"][0])
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        _require(token in self.tokens, "the token", "InvalidAuthenticationToken", 401)
        found = _PATH.fullmatch(parts.path)
        _require(found is not None, f"no path {parts.path}", "InvalidResourceType", 404)
        assert found
        place = found.groupdict()
        _require(place["subscription"] == SUBSCRIPTION, "no such subscription", "SubscriptionNotFound", 404)
        _require(place["group"] == GROUP, "no such group", "ResourceGroupNotFound", 404)
        _require(place["gallery"] == GALLERY, "no such gallery", "ResourceNotFound", 404)
        if place["definition"] is None:
            return self._gallery(method, bool(place["share"]), body)
        known = place["definition"] in self.definitions
        _require(known, "no such definition", "ResourceNotFound", 404)
        if place["version"] is None:
            return 200, self.definitions[place["definition"]]
        return self._version(method, (place["definition"], place["version"]), body)

    def _gallery(self, method: str, share: bool, body: Json) -> tuple[int, Json]:
        if not share:
            info = {"communityGalleryEnabled": self.community} if self.permissions == "Community" else None
            profile = {"permissions": self.permissions, "groups": self.groups, "communityGalleryInfo": info}
            return 200, {"name": GALLERY, "location": "eastus", "properties": {"sharingProfile": profile}}
        _require(method == "POST", "method", status=405)
        validate(models.SharingUpdate, body, "sharing")
        if body["operationType"] == "EnableCommunity":
            _require(self.permissions == "Community", "the gallery is not for the community", status=409)
            self.community = True
        else:
            _require(self.permissions == "Groups", "the gallery is not for groups", status=409)
            self.groups += body["groups"]
        return 202, body

    def _version(self, method: str, key: tuple[str, str], body: Json) -> tuple[int, Json | None]:
        version = self.versions.get(key)
        if method == "PUT":
            self._put(key, body)
            return (200 if version else 201), self.versions[key]
        if method == "DELETE":
            if version is None:
                return 204, None
            version["properties"]["provisioningState"] = "Deleting"
            self.busy[key] = self.looks
            return 202, None
        self._look(key)
        _require(key in self.versions, "no such version", "ResourceNotFound", 404)
        return 200, self.versions[key]

    def _put(self, key: tuple[str, str], body: Json) -> None:
        validate(models.GalleryImageVersion, body, "version")
        numbers = key[1].split(".")
        fits = len(numbers) == 3 and all(each.isdigit() and int(each) < 2**31 for each in numbers)
        _require(fits, f"the name of the version is {key[1]}")
        _require(self.busy.get(key, 0) == 0, "another operation is in progress", "Conflict", 409)
        before, wanted = self.versions.get(key), body["properties"]
        publishing = wanted["publishingProfile"]
        targets = [_short(each["name"]) for each in publishing["targetRegions"]]
        _require(len(set(targets)) == len(targets), "Duplicate regions are not allowed")
        _require(set(targets) <= set(REGIONS), f"regions that do not exist: {set(targets) - set(REGIONS)}")
        _require(body["location"] in targets, "the source region has to be among the target regions")
        if before:
            same = before["properties"]["storageProfile"] == wanted["storageProfile"]
            same = same and before["location"] == body["location"]
            _require(same, "the source cannot be changed", status=409)
        self.puts.append(body)
        kept = self._replicas(key)
        fixed = {"replicaCount": 1, "storageAccountType": "Standard_LRS"}
        regions = [{"name": REGIONS[each], "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS"}
                   for each in targets]  # fmt: skip
        profile = {**fixed, "excludeFromLatest": False, **publishing, "targetRegions": regions,
                   "publishedDate": "2026-11-01T00:00:00.0000000+00:00"}  # fmt: skip
        states = {each: "Completed" if kept.get(each) == "Completed" else "Replicating" for each in targets}
        summary = [{"region": REGIONS[key], "state": state, "progress": 5} for key, state in states.items()]
        properties = {**wanted, "publishingProfile": profile, "replicationStatus": {"summary": summary},
                      "provisioningState": "Updating" if before else "Creating"}  # fmt: skip
        self.versions[key] = {**body, "name": key[1], "id": f"/versions/{key[1]}", "properties": properties}
        self.busy[key] = self.looks

    def _replicas(self, key: tuple[str, str]) -> dict[str, str]:
        status = self.versions.get(key, {"properties": {}})["properties"].get("replicationStatus", {})
        return {_short(each["region"]): each["state"] for each in status.get("summary", ())}

    def _look(self, key: tuple[str, str]) -> None:
        """A look at a version, which may be the one that finds its change ended."""
        left = self.busy.get(key, 0)
        if left == 0 or key not in self.versions:
            return
        self.busy[key] = left - 1
        properties = self.versions[key]["properties"]
        if left > 1:
            return
        if properties["provisioningState"] == "Deleting":
            del self.versions[key]
            return
        for each in properties["replicationStatus"]["summary"]:
            failed = _short(each["region"]) in self.failing
            each |= {"state": "Failed" if failed else "Completed", "progress": 100,
                     "details": "no capacity" if failed else ""}  # fmt: skip
        states = {each["state"] for each in properties["replicationStatus"]["summary"]}
        properties["provisioningState"] = "Failed" if "Failed" in states else "Succeeded"


@contextmanager
def strict_azure() -> Iterator[StrictAzure]:
    """A running server."""
    azure = StrictAzure()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with azure.lock:
                try:
                    status, body = azure.answer(
                        self.command, self.path, self.headers, json.loads(data or b"{}")
                    )
                except RefusedError as error:
                    status, body = error.status, error.body
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_any

        def log_message(self, *words: Any) -> None:  # noqa: ANN401
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    azure.url = f"http://127.0.0.1:{running.server_address[1]}"
    threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield azure
    finally:
        running.shutdown()
        running.server_close()

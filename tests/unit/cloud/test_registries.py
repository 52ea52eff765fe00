"""Logins, tokens and manifests of registries, with a small server that answers as the specification says."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bootimg.arch import Arch
from bootimg.builds.find import find_build
from bootimg.builds.meta import MetaFile
from bootimg.cache import Cache
from bootimg.cloud.registries.connection import Connection
from bootimg.cloud.registries.containers import KINDS, container_of
from bootimg.cloud.registries.credentials import find_login
from bootimg.cloud.registries.diskartifact import Choice, DiskArtifact, find_disk
from bootimg.cloud.registries.manifests import (
    PLAIN_DIGEST,
    PLAIN_SIZE,
    Listed,
    Part,
    artifact,
    build_list,
    disk_type,
)
from bootimg.cloud.registries.records import record_push
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.formats import Compressor
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.fetched import OCI_MANIFEST, digest_of
from bootimg.orchestrator.uploading.declared import declared_by
from bootimg.untrusted.limits import Limits
from tests.support.builds.registrybuilds import make_builds

DIGEST = f"sha256:{'0' * 64}"
KIND = disk_type("qcow2", "gz")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the logins and proxies of whoever runs the tests."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def authfile(path: Path, **auths: object) -> Path:
    path.write_text(json.dumps({"auths": auths}))
    return path


def basic(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_the_login_of_the_longest_prefix_counts(tmp_path: Path) -> None:
    auths = {"a.b": basic("host", "1"), "a.b/team": basic("team", "2"), "https://c.d/v1/": basic("old", "3"),
             "e.f": {"identitytoken": "T"}, "g.h": {}}  # fmt: skip
    path = authfile(tmp_path / "auth.json", **auths)
    found = {
        name: find_login(name, path) for name in ("a.b/team/os", "a.b/teams/os", "c.d/x", "e.f/x", "g.h/x")
    }
    assert [each and each.user for each in found.values()] == ["team", "host", "old", "", None]
    assert found["e.f/x"] and found["e.f/x"].identity_token == "T"
    assert "2" not in repr(found["a.b/team/os"])
    (tmp_path / ".docker").mkdir()
    path.rename(tmp_path / ".docker" / "config.json")
    login = find_login("a.b/x", None)
    assert login is not None
    assert login.user == "host"


def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-safe"
    helper.write_text('#!/bin/sh\nread host\n[ "$1 $host" = "get a.b" ] || exit 1\n'
                      'echo \'{"Username": "u", "Secret": "s"}\'\n')  # fmt: skip
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"credHelpers": {"a.b": "safe", "c.d": "safe", "e.f": "../safe"}}))
    login = find_login("a.b/x", path)
    assert login is not None
    assert (login.user, login.password) == ("u", "s")
    assert find_login("c.d/x", path) is None
    with pytest.raises(BootimgError) as error:
        find_login("e.f/x", path)
    assert error.value.id == "registry-credentials-invalid"


@pytest.mark.parametrize("text", ["", "[]", '{"auths": 1}', '{"auths": {"a.b": {"auth": "secret%%"}}}',
                                  '{"auths": {"a.b": {"auth": "c2VjcmV0"}}}'])  # fmt: skip
def test_a_malformed_file_of_logins_is_refused_without_its_secrets(text: str, tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)
    with pytest.raises(BootimgError) as error:
        find_login("a.b/x", path)
    assert error.value.id == "registry-credentials-invalid"
    assert "secret" not in f"{error.value}{error.value.context}"


@dataclass
class TokenServer:
    """A registry that wants a bearer token for the action, and the server that gives it to the user `us`."""

    host: str = ""
    scopes: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    state = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/token"):
                self.token({key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()})
            elif self.headers.get("Authorization", "").startswith("Bearer good"):
                self.answer(200, b"{}")
            else:
                challenge = f'Bearer realm="http://{state.host}/token?a=b",service="reg istry",scope="x"'
                self.answer(401, b"{}", {"WWW-Authenticate": challenge})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: each[0] for key, each in parse_qs(body).items()}
            state.refresh.append(form["refresh_token"])
            state.scopes.append(form["scope"])
            self.answer(200, b'{"access_token": "good2"}')

        def token(self, query: dict[str, str]) -> None:
            assert query["service"] == "reg istry"
            state.scopes.append(query["scope"])
            good = self.headers.get("Authorization") == f"Basic {basic('us', 'a word')['auth']}"
            text = b'{"token": "good"}' if good else b'{"errors": [{"code": "UNAUTHORIZED"}]}'
            self.answer(200 if good else 401, text)

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:  # noqa: ANN401
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


def test_a_token_is_fetched_for_the_action_and_kept(tokens: TokenServer, tmp_path: Path) -> None:
    path = authfile(tmp_path / "auth.json", **{tokens.host: basic("us", "a word")})
    connection = Connection(f"{tokens.host}/a/b", RegistryOptions(path, None, tls_verify=False))
    for _ in range(2):
        assert connection.request("GET", "manifests/t", actions="pull,push").status == 200
    assert tokens.scopes == ["repository:a/b:pull,push"]


def test_an_identity_token_is_exchanged(tokens: TokenServer, tmp_path: Path) -> None:
    path = authfile(tmp_path / "auth.json", **{tokens.host: {"identitytoken": "refresh"}})
    connection = Connection(f"{tokens.host}/a/b", RegistryOptions(path, None, tls_verify=False))
    assert connection.request("GET", "manifests/t").status == 200
    assert tokens.refresh == ["refresh"]


@pytest.mark.parametrize(
    ("password", "id"), [(None, "cloud-credentials-missing"), ("secret", "cloud-credentials-refused")]
)
def test_no_token_without_a_good_login(
    password: str | None, id: str, tokens: TokenServer, tmp_path: Path
) -> None:
    path = authfile(tmp_path / "auth.json", **({tokens.host: basic("us", password)} if password else {}))
    connection = Connection(f"{tokens.host}/a/b", RegistryOptions(path, None, tls_verify=False))
    with pytest.raises(BootimgError) as error:
        connection.request("GET", "manifests/t")
    assert error.value.id == id
    assert "secret" not in f"{error.value}{error.value.context}"


def test_tls_is_not_given_up_unless_the_user_says_so(tokens: TokenServer, tmp_path: Path) -> None:
    connection = Connection(f"{tokens.host}/a/b", RegistryOptions(authfile(tmp_path / "auth.json")))
    with pytest.raises(BootimgError) as error:
        connection.request("GET", "manifests/t")
    assert error.value.id == "registry-untrusted"
    assert tokens.scopes == []


def disk(
    title: str = "disk.qcow2.gz",
    size: int = 5,
    kind: str = KIND,
    annotations: Mapping[str, str] = {},
) -> bytes:
    return artifact(kind, Part(kind, DIGEST, size, title), annotations)


def found(data: bytes, platform: str | None = None, child: bytes = b"") -> DiskArtifact:
    return find_disk("a.b/c:t", data, Choice(Arch.X86_64, platform, 1 << 30), lambda digest: child)


def test_a_disk_s_manifest_is_read() -> None:
    read = found(disk(annotations={PLAIN_DIGEST: DIGEST, PLAIN_SIZE: "9"}))
    assert (read.name, read.size, read.compressor, read.plain_size) == (
        "disk.qcow2.gz",
        5,
        Compressor.GZIP,
        9,
    )
    for title in ("../x", "/etc/passwd", ".bashrc", "a/b", "", "a\nb", "x" * 300):
        assert found(disk(title)).name is None


@pytest.mark.parametrize(
    ("data", "id"),
    [(disk(size=0), "disk-artifact-invalid"), (disk(size=1 << 31), "disk-artifact-too-large"),
     (disk(annotations={PLAIN_SIZE: str(1 << 31)}), "disk-artifact-too-large"),
     (disk(annotations={PLAIN_SIZE: "-1"}), "disk-artifact-invalid"),
     (disk(annotations={PLAIN_DIGEST: "md5:1"}), "disk-artifact-invalid"),
     (disk(kind="application/spdx+json"), "disk-artifact-invalid"), (b"[]", "disk-artifact-invalid"),
     (b'{"layers": []}', "disk-artifact-invalid"), (b'{"manifests": [1]}', "disk-artifact-invalid"),
     (b'{"manifests": []}', "disk-artifact-missing"), (b" " * (5 << 20), "disk-artifact-invalid")],
)  # fmt: skip
def test_other_manifests_are_refused(data: bytes, id: str) -> None:
    with pytest.raises(BootimgError) as error:
        found(data)
    assert error.value.id == id


def test_the_manifest_that_a_list_names_is_compared_with_it() -> None:
    manifest = disk()
    listed = Listed(media_type=OCI_MANIFEST, digest=digest_of(manifest), size=len(manifest), arch="amd64",
                    os="qemu", artifact_type=KIND)  # fmt: skip
    index = build_list([listed], {})
    assert found(index, "qemu", manifest).manifest == digest_of(manifest)
    for child in (disk("other"), manifest + b" "):
        with pytest.raises(BootimgError) as error:
            found(index, None, child)
        assert error.value.id == "disk-artifact-damaged"


def test_pushes_are_merged_in_meta_json(tmp_path: Path) -> None:
    meta = MetaFile(tmp_path / "meta.json")
    record_push(meta, "kubevirt", {"image": "a.b/one", "digest": "1"}, primary=True)
    record_push(meta, "kubevirt", {"image": "a.b/one", "digest": "1", "tags": ["t"]}, primary=True)
    record_push(meta, "kubevirt", {"image": "a.b/two", "digest": "1"}, primary=False)
    one = {"image": "a.b/one", "digest": "1", "tags": ["t"]}
    assert meta.read()["kubevirt"] == {**one, "additional-images": [{"image": "a.b/two", "digest": "1"}]}
    record_push(meta, "kubevirt", {"image": "a.b/two", "digest": "2", "tags": ["u"]}, primary=True)
    two = {"image": "a.b/two", "digest": "2", "tags": ["u"]}
    assert meta.read()["kubevirt"] == {**two, "additional-images": [one]}


def test_the_limits_of_an_archive_are_those_of_the_request(tmp_path: Path) -> None:
    path = make_builds(tmp_path / "builds", arches=[Arch.X86_64])[Arch.X86_64]
    build, cache, few = (
        find_build(tmp_path / "builds", str(path)),
        Cache(tmp_path / "cache"),
        Limits(members=1),
    )
    with (
        pytest.raises(BootimgError) as pushed,
        container_of(build, KINDS["oscontainer"], cache, docker=False, limits=few),
    ):
        pass
    with pytest.raises(BootimgError) as uploaded:
        declared_by(build, cache, Events(), few)
    assert {pushed.value.id, uploaded.value.id} == {"image-over-budget"}
    assert declared_by(build, cache, Events(), Limits()) is not None


def test_what_the_cache_has_is_not_copied_and_a_damaged_archive_not_sent(tmp_path: Path) -> None:
    path = make_builds(tmp_path / "builds", arches=[Arch.X86_64])[Arch.X86_64]
    build, kind, cache = (
        find_build(tmp_path / "builds", str(path)),
        KINDS["oscontainer"],
        Cache(tmp_path / "cache"),
    )
    archive = path / build.images["ostree"]["path"]
    (tmp_path / "out").mkdir()

    def laid_out() -> list[Path]:
        with container_of(build, kind, cache, docker=False) as pushed:
            for digest, provide in pushed.blobs.items():
                provide(tmp_path / "out" / digest)
        found = sorted((tmp_path / "out").iterdir())
        assert all(digest_of(each.read_bytes()) == each.name for each in found)
        links = [each for each in found if each.is_symlink()]
        for each in found:
            each.unlink()
        return links

    assert laid_out() == []
    fetch(str(archive), arch=Arch.X86_64, cache=cache, events=Events())
    assert len(laid_out()) == 2
    cache = Cache(tmp_path / "another")
    archive.chmod(0o644)
    with archive.open("r+b") as file:
        file.seek(-600, os.SEEK_END)
        file.write(b"x")
    with pytest.raises(BootimgError) as error:
        laid_out()
    assert error.value.id == "artifact-damaged"

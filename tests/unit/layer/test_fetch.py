"""Fetching from local layouts: digests, tags, architectures, and what is refused before any work."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetching.archive import write_ociarchive
from bootimg.layer.fetching.fetch import fetch, inspect
from bootimg.layer.fetching.packedarchive import is_packed_archive
from bootimg.layer.fetching.skopeo import RegistryOptions, check_version
from bootimg.layer.fetching.skopeofailure import explain
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Image, build_image
from bootimg.layer.image.reference import Transport, not_found, parse_reference
from bootimg.layer.tree.merged import Tree, open_tree
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.limits import DEFAULT, Limits
from tests.support.layers import oci

Fetch = Callable[..., Image]
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def layout(tmp_path: Path) -> oci.Layout:
    return oci.Layout(tmp_path / "image")


def get(reference: object, cache: Cache, arch: Arch = Arch.X86_64, limits: Limits = DEFAULT) -> Image:
    return fetch(str(reference), arch=arch, cache=cache, events=Events(), limits=limits)


def tree_of(reference: object, cache: Cache) -> Tree:
    return open_tree(get(reference, cache), cache, Events())


def refused(
    reference: object, cache: Cache, arch: Arch = Arch.X86_64, limits: Limits = DEFAULT
) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        open_tree(get(reference, cache, arch, limits), cache, Events())
    return error.value


def test_directory_archive_and_transports_give_the_same(
    layout: oci.Layout, cache: Cache, tmp_path: Path
) -> None:
    made = layout.add([oci.bootable(), oci.tar(oci.file("x"))])
    archive = layout.archive(tmp_path / "a.ociarchive")
    for reference in (layout.path, f"oci:{layout.path}", archive, f"oci-archive:{archive}"):
        image = get(reference, cache)
        assert image.digest == made["digest"]
        assert image.manifest == (layout.blobs / made["digest"][7:]).read_bytes()
        assert (image.version, image.arch) == ("9.6.20261101-0", Arch.X86_64)
        assert image.created == 1_793_491_200


@pytest.mark.parametrize("how", ["gzip", "zstd", "plain", "zstd with a skippable frame"])
def test_every_compression_gives_the_same_tree(how: str, layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable(oci.file("f", b"x" * 3_000_000))], compression=[how])
    tree = tree_of(layout.path, cache)
    assert tree.read("/f", 3_000_000) == b"x" * 3_000_000
    assert tree.read("etc/os-release").startswith(b"NAME=")
    assert tree.listdir("usr/share") == ["coreos-assembler"]
    assert not tree.exists("usr/nothing")


@pytest.mark.parametrize("how", ["bzip2", "xz"])
def test_a_compression_that_layers_may_not_have_is_named(how: str, layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()], compression=[how])
    error = refused(layout.path, cache)
    assert error.id == "layer-compression-unsupported"
    assert how in error.message


ARCHIVE_COMPRESSIONS = ["gzip", "bzip2", "xz", "zstd", "zstd with a skippable frame"]


@pytest.mark.parametrize("how", ARCHIVE_COMPRESSIONS)
def test_a_compressed_archive_is_an_archive(
    how: str, layout: oci.Layout, cache: Cache, tmp_path: Path
) -> None:
    made = layout.add([oci.bootable()])
    packed = tmp_path / "packed"
    packed.write_bytes(oci.compress(layout.archive(tmp_path / "plain").read_bytes(), how))
    assert is_packed_archive(packed)
    assert not is_packed_archive(tmp_path / "plain")
    for reference in (packed, f"oci-archive:{packed}"):
        assert inspect(str(reference), Arch.X86_64).digest == made["digest"]
    assert tree_of(packed, cache).exists("etc/os-release")
    assert not list(cache.folder("tmp").iterdir())


@pytest.mark.parametrize("how", ARCHIVE_COMPRESSIONS[:4])
def test_a_compressed_archive_that_was_cut_short(
    how: str, layout: oci.Layout, cache: Cache, tmp_path: Path
) -> None:
    layout.add([oci.bootable(oci.file("noise", os.urandom(300_000)))])
    data = oci.compress(layout.archive(tmp_path / "plain").read_bytes(), how)
    (tmp_path / "packed").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "packed", cache).id in ("compressed-file-damaged", "layer-truncated")
    assert not list(cache.folder("tmp").iterdir())


def test_a_gzip_header_with_a_name_of_megabytes(layout: oci.Layout, cache: Cache, tmp_path: Path) -> None:
    layout.add([oci.bootable()])
    data = oci.compress(layout.archive(tmp_path / "plain").read_bytes(), "gzip")
    named = data[:3] + b"\x08" + data[4:10] + b"x" * (8 << 20) + b"\0" + data[10:]
    (tmp_path / "packed").write_bytes(named)
    assert not is_packed_archive(tmp_path / "packed")
    assert refused(f"oci-archive:{tmp_path / 'packed'}", cache).id == "compressed-file-damaged"


def test_a_compressed_archive_that_grows_without_end(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(oci.compress(bytes(3_000_000), "gzip"))
    error = refused(tmp_path / "packed", cache, limits=Limits(unpacked=1_000_000))
    assert error.id == "image-over-budget"


@pytest.mark.parametrize("content", [b"", b"text", oci.tar(oci.file("disk.raw", b"x"))])
def test_other_compressed_files_are_not_archives(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(oci.compress(content, "gzip"))
    assert not is_packed_archive(tmp_path / "packed")


def test_gzip_of_several_members_is_read_to_its_end(layout: oci.Layout, cache: Cache) -> None:
    data = oci.bootable(oci.file("last", b"end"))
    image = layout.image([data])
    manifest = json.loads((layout.blobs / image["digest"][7:]).read_bytes())
    blob = oci.compress(data[:1000], "gzip") + oci.compress(data[1000:], "gzip")
    manifest["layers"][0] |= {"digest": layout.blob(blob), "size": len(blob)}
    text = json.dumps(manifest).encode()
    layout.list(oci.descriptor(oci.OCI + "manifest.v1+json", layout.blob(text), text))
    assert tree_of(layout.path, cache).read("last") == b"end"


def test_nothing_present_is_read_again(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()])
    image = get(layout.path, cache)
    before = BlobStore(cache).path(image.layers[0].digest).stat()
    (layout.blobs / image.layers[0].digest[7:]).unlink()
    assert get(layout.path, cache) == image
    assert BlobStore(cache).path(image.layers[0].digest).stat().st_mtime_ns == before.st_mtime_ns


def test_the_architecture_is_picked_from_an_index(layout: oci.Layout, cache: Cache) -> None:
    made = {arch: layout.image([oci.bootable()], arch=arch) for arch in ("amd64", "arm64")}
    layout.index(made)
    assert get(layout.path, cache, Arch.AARCH64).digest == made["arm64"]["digest"]
    assert get(layout.path, cache, Arch.X86_64).digest == made["amd64"]["digest"]
    error = refused(layout.path, cache, Arch.S390X)
    assert (error.id, error.exit_code) == ("layer-arch-mismatch", ExitCode.USAGE)
    assert "x86_64 (amd64), aarch64 (arm64)" in error.context[0]


@pytest.mark.parametrize("arch", ["arm64", "riscv64"])
def test_another_architecture_is_refused(arch: str, layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()], arch=arch)
    assert refused(layout.path, cache).id == "layer-arch-mismatch"


def test_tags_choose(layout: oci.Layout, cache: Cache, tmp_path: Path) -> None:
    one = layout.add([oci.bootable()], tag="one")
    layout.add([oci.bootable(oci.file("y"))], tag="two")
    archive = layout.archive(tmp_path / "a.tar")
    assert get(f"oci-archive:{archive}:one", cache).digest == one["digest"]
    assert get(f"{archive}:one", cache).digest == one["digest"]
    assert refused(archive, cache).id == "layer-tag-needed"
    assert refused(f"oci:{layout.path}:three", cache).id == "layer-not-found"


def test_an_application_image_is_refused(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.tar()], labels={}, config={"Entrypoint": ["/usr/bin/app"]})
    error = refused(layout.path, cache)
    assert (error.id, error.exit_code) == ("layer-not-bootable", ExitCode.USAGE)
    assert "/usr/bin/app" in (error.note or "")


def test_an_encapsulated_image_is_refused(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()], labels={**oci.LABELS, "ostree.final-diffid": "sha256:0"})
    assert refused(layout.path, cache).id == "layer-form-unsupported"


def test_a_truncated_archive_is_refused(layout: oci.Layout, cache: Cache, tmp_path: Path) -> None:
    layout.add([oci.bootable(oci.file("f", os.urandom(100_000)))])
    archive = layout.archive(tmp_path / "a.tar")
    for size in (archive.stat().st_size - 60_000, 700):
        with archive.open("r+b") as handle:
            handle.truncate(size)
        assert refused(archive, cache).id == "layer-truncated"


def test_a_wrong_digest_is_refused_and_not_kept(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()])
    blob = max(layout.blobs.iterdir(), key=lambda path: path.read_bytes()[:2] == b"\x1f\x8b")
    good = blob.read_bytes()
    blob.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert refused(layout.path, cache).id == "layer-digest-mismatch"
    blob.write_bytes(good)
    assert tree_of(layout.path, cache).exists("usr")


def test_a_blob_damaged_in_the_cache_is_dropped(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable()])
    image = get(layout.path, cache)
    path = BlobStore(cache).path(image.layers[0].digest)
    good = path.read_bytes()
    path.write_bytes(good[:40] + b"\0\0" + good[42:])
    assert refused(layout.path, cache).id == "layer-digest-mismatch"
    assert tree_of(layout.path, cache).exists("usr")


def test_a_wrong_diff_id_is_refused(layout: oci.Layout, cache: Cache) -> None:
    made = layout.image([oci.bootable()])
    manifest = json.loads((layout.blobs / made["digest"][7:]).read_bytes())
    config = json.loads((layout.blobs / manifest["config"]["digest"][7:]).read_bytes())
    config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    settings = json.dumps(config).encode()
    manifest["config"] |= {"digest": layout.blob(settings), "size": len(settings)}
    text = json.dumps(manifest).encode()
    layout.list(oci.descriptor(oci.OCI + "manifest.v1+json", layout.blob(text), text))
    assert refused(layout.path, cache).id == "layer-digest-mismatch"
    assert not list(cache.folder("tars").iterdir())


def test_a_decompression_bomb_is_refused(layout: oci.Layout, cache: Cache) -> None:
    layout.add([oci.bootable(oci.file("zeros", bytes(32 << 20)))])
    assert refused(layout.path, cache, limits=Limits(unpacked=1 << 20)).id == "image-over-budget"
    assert not list(cache.folder("tars").iterdir())


def test_a_missing_blob_is_named(layout: oci.Layout, cache: Cache) -> None:
    made = layout.add([oci.bootable()])
    manifest = json.loads((layout.blobs / made["digest"][7:]).read_bytes())
    (layout.blobs / manifest["layers"][0]["digest"][7:]).unlink()
    assert refused(layout.path, cache).id == "layer-blob-missing"


@pytest.mark.parametrize("digest", ["sha256:../../x", "md5:00", None, "sha256:" + "A" * 64])
def test_digests_that_are_none_are_refused(digest: str | None, layout: oci.Layout, cache: Cache) -> None:
    layout.list({"digest": digest, "mediaType": "x", "size": 1})
    assert refused(layout.path, cache).id == "layer-malformed"


@pytest.mark.parametrize("content", [b"", b"not a tar" * 100, b"short text", oci.tar(oci.file("a"))])
def test_other_files_are_not_images(content: bytes, cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    assert refused(tmp_path / "f", cache).id == "layer-not-oci"


def test_what_does_not_exist_is_not_found(cache: Cache, tmp_path: Path) -> None:
    assert refused(tmp_path / "none", cache).id == "layer-not-found"
    assert refused(f"oci:{tmp_path}/none", cache).id == "layer-not-found"


@pytest.mark.parametrize(
    ("text", "transport", "name"),
    [
        ("quay.io/a/b:t", Transport.REGISTRY, "quay.io/a/b:t"),
        ("docker://localhost:5000/a@sha256:" + "0" * 64, Transport.REGISTRY, None),
        ("containers-storage:localhost/a", Transport.STORAGE, "localhost/a"),
    ],
)
def test_references(text: str, transport: Transport, name: str | None) -> None:
    found = parse_reference(text)
    assert found.transport is transport
    assert name is None or found.name == name


def test_the_repository_of_a_reference() -> None:
    assert parse_reference(f"docker://h:5000/a/b:t@{DIGEST}").repository == "h:5000/a/b"
    assert parse_reference("h:5000/a").repository == "h:5000/a"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (f"docker://h:5000/a/b:t@{DIGEST}", f"docker://h:5000/a/b@{DIGEST}"),
        (f"h:5000/a:1.0_x-y@{DIGEST}", f"docker://h:5000/a@{DIGEST}"),
        (f"fedora:latest@{DIGEST}", f"docker://fedora@{DIGEST}"),
        (f"h:5000/a@{DIGEST}", f"docker://h:5000/a@{DIGEST}"),
        (f"docker://[::1]:5000/a:t@{DIGEST}", f"docker://[::1]:5000/a@{DIGEST}"),
        (f"containers-storage:localhost/a:t@{DIGEST}", f"containers-storage:localhost/a@{DIGEST}"),
        (f"containers-storage:[overlay@/s+/r]h:5000/a:t@{DIGEST}",
         f"containers-storage:[overlay@/s+/r]h:5000/a@{DIGEST}"),
    ],
)  # fmt: skip
def test_of_a_tag_and_a_digest_the_digest_decides(text: str, same: str) -> None:
    assert str(parse_reference(text)) == same
    assert str(parse_reference(same)) == same


@pytest.mark.parametrize("text", ["docker://user:secret@h/a", "user:secret@h/a", "docker:x", "a b", "-x"])
def test_bad_references_are_refused_and_no_secret_is_repeated(text: str) -> None:
    with pytest.raises(BootimgError) as error:
        parse_reference(text)
    assert error.value.id == "layer-reference-invalid"
    assert "secret" not in json.dumps(error.value.as_dict())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("quay.io/Foo/os", "lower case"),
        ("Layer.ociarchive", "lower case"),
        ("quay.io/os:", "the tag is empty"),
        ("quay.io/os:a:b", "not a tag"),
        ("quay.io/os:" + "a" * 129, "not a tag"),
        ("quay.io/os@", "not a digest"),
        ("quay.io/os@sha256:abc", "not a digest"),
        ("quay.io/os@sha512:" + "0" * 128, "not a digest"),
        ("quay.io/os:t@sha256:" + "A" * 64, "not a digest"),
        ("quay.io:port/os", "host name"),
        ("quay.io:99999/os", "host name"),
        ("[::1/os", "host name"),
        ("a..b/os", "host name"),
        ("http://quay.io/os", "host name"),
        ("quay.io/os/", "part of a repository"),
        ("quay.io//os", "part of a repository"),
        ("quay.io/a..b", "part of a repository"),
        ("quay.io/os\udcff", "part of a repository"),
        ("quay.io/" + "a" * 300, "longer"),
        ("a" * 64, "an image's id"),
    ],
)
def test_what_no_registry_has_is_refused_before_any_program_runs(name: str, why: str) -> None:
    for text in (name, f"docker://{name}"):
        with pytest.raises(BootimgError) as error:
            parse_reference(text)
        assert (error.value.id, error.value.exit_code) == ("layer-reference-invalid", ExitCode.USAGE)
        assert why in error.value.message
        assert ("no such path" in error.value.message) == (text == name)


@pytest.mark.parametrize("text", ["x" * 300, "oci:" + "x" * 300, "./" + "x" * 300, "oci::tag", "a\0b"])
def test_names_that_no_file_can_have_are_refused(text: str) -> None:
    with pytest.raises(BootimgError) as error:
        parse_reference(text)
        raise not_found(text, "it is taken for a registry's name")
    assert error.value.id in ("layer-not-found", "layer-reference-invalid")


@pytest.mark.parametrize(
    "change",
    [{"annotations": []}, {"annotations": "x"}, {"platform": "linux"}, {"platform": ["linux"]}],
    ids=str,
)
def test_an_index_whose_members_are_of_another_kind_is_refused(
    change: dict[str, object], layout: oci.Layout, cache: Cache
) -> None:
    layout.list({**layout.image([oci.bootable()]), **change})
    assert refused(layout.path, cache).id == "layer-malformed"


@pytest.mark.parametrize("size", [float("inf"), float("nan"), "x", None, {}], ids=str)
def test_an_invalid_size_is_refused(size: object) -> None:
    digest = "sha256:" + "0" * 64
    manifest = {"config": {"digest": digest}, "layers": [{"digest": digest, "size": size}]}
    config = {"architecture": "amd64", "rootfs": {"diff_ids": [digest]}}
    with pytest.raises(BootimgError) as error:
        build_image("x", json.dumps(manifest).encode(), json.dumps(config).encode(), Arch.X86_64, Budget())
    assert error.value.id == "layer-malformed"


@pytest.mark.parametrize("program", [{"a": 1}, 1, [], "sh"], ids=str)
def test_an_application_image_with_an_odd_program_is_refused(
    program: object, layout: oci.Layout, cache: Cache
) -> None:
    layout.add([oci.tar(oci.file("a"))], labels={}, config={"Entrypoint": program})
    assert refused(layout.path, cache).id == "layer-not-bootable"


@pytest.mark.parametrize(
    ("annotations", "created"),
    [
        ([], "2026-11-01T00:00:00Z"),
        ({"org.opencontainers.image.created": [1]}, "2026-11-01T00:00:00Z"),
        (None, "0001-01-01T00:00:00"),
        (None, {"a": 1}),
        (None, "9999-12-31T23:59:59-23:59"),
    ],
    ids=str,
)
def test_a_time_stamp_of_any_kind_is_one_or_none(annotations: object, created: object) -> None:
    digest = "sha256:" + "0" * 64
    manifest = {"config": {"digest": digest}, "layers": [], "annotations": annotations}
    config = {"architecture": "amd64", "rootfs": {"diff_ids": []}, "created": created}
    image = build_image(
        "x", json.dumps(manifest).encode(), json.dumps(config).encode(), Arch.X86_64, Budget()
    )
    assert image.created >= 0


def test_documents_are_utf_8() -> None:
    """Python reads JSON in UTF-16 too; what keeps them as text does not."""
    with pytest.raises(BootimgError) as error:
        build_image("x", json.dumps({"layers": []}).encode("utf-16"), b"{}", Arch.X86_64, Budget())
    assert error.value.id == "layer-malformed"


def test_other_transports_are_named(cache: Cache) -> None:
    assert refused("docker-archive:x.tar", cache).id == "layer-transport-unsupported"


def test_skopeo_missing_and_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "skopeo"
    program.write_text("#!/bin/sh\necho skopeo version 1.5.2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BootimgError) as error:
        check_version()
    assert (error.value.id, error.value.exit_code) == ("program-too-old", ExitCode.ENVIRONMENT)
    program.write_text("#!/bin/sh\necho skopeo version 1.22.0-dev\n")
    check_version()
    program.unlink()
    with pytest.raises(BootimgError) as error:
        check_version()
    assert (error.value.id, error.value.exit_code) == ("program-missing", ExitCode.ENVIRONMENT)


def test_registry_options_are_paths_only(tmp_path: Path) -> None:
    options = RegistryOptions(tmp_path / "auth.json", tmp_path / "certs", tls_verify=False)
    assert options.arguments("src-") == [
        "--src-authfile", f"{tmp_path}/auth.json", "--src-cert-dir", f"{tmp_path}/certs",
        "--src-tls-verify=false"]  # fmt: skip


def test_the_archive_keeps_every_digest(layout: oci.Layout, cache: Cache, tmp_path: Path) -> None:
    image = get_added(layout, cache)
    first = write_ociarchive(image, cache, tmp_path / "one")
    assert first == write_ociarchive(image, cache, tmp_path / "two")
    assert (tmp_path / "one").stat().st_size == first[1]
    again = get(tmp_path / "one", Cache(tmp_path / "other"))
    assert (again.digest, again.manifest, again.layers) == (image.digest, image.manifest, image.layers)


def get_added(layout: oci.Layout, cache: Cache) -> Image:
    layer = oci.bootable()
    layout.add([layer, oci.tar(oci.file("x")), layer])
    return get(layout.path, cache)


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ("reading manifest t in localhost/a: manifest unknown", "layer-not-found"),
        ("received unexpected HTTP status: 404 Not Found", "layer-not-found"),
        ("unauthorized: authentication required", "layer-unauthorized"),
        ("StatusCode: 403, <html>", "layer-unauthorized"),
        ("tls: failed to verify certificate: x509: unknown authority", "registry-untrusted"),
        ("dial tcp 127.0.0.1:40401: connect: connection refused", "registry-unreachable"),
        ("reading blob sha256:404e401f403: unexpected EOF", "registry-unreachable"),
        ("writing blob sha256:404e401f403: something else", "layer-read-failed"),
        ("open /var/lib/x: permission denied", "layer-read-failed"),
        ("getting username and password: reading JSON file: is a directory", "registry-credentials-invalid"),
        ("missing key c.key for client certificate c.cert.", "registry-certificates-invalid"),
        ("invalid reference format", "layer-reference-invalid"),
        ("Error loading trust policy: open /etc/containers/policy.json: gone", "layer-policy-refused"),
        ("Source image rejected: Running image docker://x is rejected by policy.", "layer-policy-refused"),
        ("received unexpected HTTP status: 502 Bad Gateway", "registry-failed"),
        ("toomanyrequests: You have reached your pull rate limit", "registry-failed"),
        ("proxyconnect tcp: dial tcp: lookup proxy", "registry-unreachable"),
        ("tls: first record does not look like a TLS handshake", "registry-unreachable"),
    ],
)
def test_each_skopeo_failure_has_its_own_error(said: str, id: str) -> None:
    line = f'time="2026-01-01T00:00:00Z" level=fatal msg="{said}"\n'
    done = process.Completed(argv=("skopeo", "copy"), returncode=1, stdout=b"", stderr=line.encode())
    assert explain(done, "localhost/a:t").id == id


def test_an_image_name_does_not_select_the_error() -> None:
    said = (r'Error parsing image name \"docker://h/denied/timeout:404\": pinging h: '
            r'Get \"http://h/v2/x509\": reading h/denied/timeout: connection refused')  # fmt: skip
    done = process.Completed(("skopeo",), 1, b"", f'level=fatal msg="{said}"\n'.encode())
    assert explain(done, "docker://h/denied/timeout:404").id == "registry-unreachable"

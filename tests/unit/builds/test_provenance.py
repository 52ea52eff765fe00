"""The provenance of a build: what it says, as in-toto's own library reads it, and when it changes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as Reference

from bootimg.builds.companions import companion
from bootimg.builds.find import digest_of, find_build
from bootimg.builds.folder import open_build
from bootimg.builds.layout import BUNDLE, SIGNATURE
from bootimg.builds.made import Made
from bootimg.builds.meta import image_entry
from bootimg.builds.provenance.statement import SLSA, parse_statement
from bootimg.builds.provenance.writing import WrittenProvenance, write_provenance
from bootimg.builds.record import Record, change_record, read_record
from bootimg.builds.source import Source
from bootimg.formats import Written
from bootimg.untrusted.tree import Malformed
from tests.support.builds.killing import killed_before_write
from tests.unit.builds.test_meta import COMMIT, X86, add_sbom, make_build

FILE = "rhcos-1-provenance.x86_64.intoto.json"
QEMU = Made(
    bootimg="1.0", deploy="native", target_imgref="ostree-unverified-registry:r.io/os", size=1 << 30,
    programs={"xfsprogs": "6.1.0", "e2fsprogs": "1.47.0"}, recipe="d" * 64,
)  # fmt: skip
SOURCE = Source("pkg:oci/os@sha256:ab?arch=amd64&repository_url=r.io/os", "docker://r.io/os:9.6")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build whose layer came from a registry, with an image for QEMU and an SBOM."""
    path = make_build(tmp_path, "1")
    add_sbom(tmp_path, "1")
    change_record(path, Record(stream="rhel-9.6", made={"qemu": QEMU}, source=SOURCE))
    return path


def write(folder: Path) -> WrittenProvenance | None:
    with open_build(folder.parents[1], folder.parent.name, X86) as build:
        return write_provenance(build)


def document(folder: Path) -> dict[str, Any]:
    write(folder)
    return dict(json.loads((folder / FILE).read_text()))


def add_image(folder: Path, key: str, name: str, content: bytes, **more: Any) -> None:  # noqa: ANN401
    with open_build(folder.parents[1], "1", X86) as build:
        scratch = build.scratch / name
        scratch.write_bytes(content)
        written = Written(scratch, len(content), hashlib.sha256(content).hexdigest(), **more)
        build.publish(scratch, name)
        build.replace_image(key, image_entry(written))


def test_in_totos_own_library_reads_statement_and_predicate(folder: Path) -> None:
    """Its parser refuses unknown fields, so every name is one of the specification's."""
    text = json.dumps(document(folder))
    statement = json_format.Parse(text, statement_pb2.Statement())
    Reference.copy_from_pb(statement).validate()
    assert statement.predicate_type == SLSA
    digests = {each.name: each.digest["sha256"] for each in statement.subject}
    build = find_build(folder.parents[1], "1", X86)
    assert digests == {build.artifact(key).name: digest_of(build.artifact(key)) for key in build.images}
    predicate = json_format.MessageToDict(statement.predicate)
    read = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    layer, image_json, recipes = read.build_definition.resolved_dependencies
    assert (layer.name, layer.uri) == ("layer", SOURCE.uri)
    assert layer.digest["sha256"] == build.images["oci-manifest"]["sha256"]
    assert image_json.digest["sha256"] == hashlib.sha256(b'{"size": 16}').hexdigest()
    assert (recipes.uri, recipes.digest["dirHash"]) == ("pkg:pypi/bootimg@1.0#osbuild-manifests", "d" * 64)
    assert read.run_details.builder.id.startswith("pkg:pypi/bootimg@")
    [sbom] = read.run_details.byproducts
    assert sbom.digest["sha256"] == digest_of(folder / sbom.name)
    assert not read.run_details.HasField("metadata")


def test_the_parameters_are_those_that_the_images_were_made_with(folder: Path) -> None:
    definition = document(folder)["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "verb": "build",
        "image": "docker://r.io/os:9.6",
        "arch": "x86_64",
        "stream": "rhel-9.6",
        "artifacts": {"qemu": {"target-imgref": QEMU.target_imgref, "size": 1 << 30}},
    }
    assert definition["internalParameters"] == {
        "build": "1",
        "ostree-commit": COMMIT,
        "artifacts": {"qemu": {"bootimg": "1.0", "deploy": "native", "programs": dict(QEMU.programs)}},
    }


def test_the_file_is_recorded_and_a_second_run_keeps_it_with_its_signatures(folder: Path) -> None:
    made = write(folder)
    assert made is not None and not made.cached
    assert companion(folder, "provenance") == made.file
    assert (folder / FILE).stat().st_mode & 0o222 == 0
    beside = [folder / f"{FILE}{suffix}" for suffix in (SIGNATURE, BUNDLE)]
    for each in beside:
        each.write_bytes(b"x")
    again = write(folder)
    assert again is not None and again.cached
    assert all(each.exists() for each in beside)
    (folder / FILE).unlink()
    assert (write(folder), all(each.exists() for each in beside)) == (made, False)


def test_an_image_that_is_added_is_added_and_the_order_of_images_does_not_matter(tmp_path: Path) -> None:
    found = []
    for number, keys in enumerate((["aws", "metal"], ["metal", "aws"])):
        path = make_build(tmp_path / str(number), "1")
        change_record(path, Record(made={"qemu": QEMU}, source=SOURCE))
        write(path)
        for key in keys:
            add_image(path, key, f"rhcos-1-{key}.x86_64.raw", key.encode())
            before = read_record(path)
            change_record(path, replace(before, made={**before.made, key: QEMU}))
            write(path)
        found.append((path / FILE).read_bytes())
    assert found[0] == found[1]
    names = parse_statement(found[0]).subjects
    assert {"rhcos-1-aws.x86_64.raw", "rhcos-1-metal.x86_64.raw"} < names.keys()


def test_a_compressed_image_is_also_named_as_what_comes_out_of_it(folder: Path) -> None:
    add_image(folder, "qemu", "rhcos-1-qemu.x86_64.qcow2.gz", b"packed",
              uncompressed_sha256="e" * 64, uncompressed_size=1)  # fmt: skip
    write(folder)
    subjects = parse_statement((folder / FILE).read_bytes()).subjects
    assert subjects["rhcos-1-qemu.x86_64.qcow2.gz"] == hashlib.sha256(b"packed").hexdigest()
    assert subjects["rhcos-1-qemu.x86_64.qcow2"] == "e" * 64


def test_what_another_program_made_is_no_subject(tmp_path: Path) -> None:
    path = make_build(tmp_path, "1")
    assert write(path) is None
    assert not (path / FILE).exists()
    change_record(path, Record(made={"qemu": QEMU}))
    write(path)
    assert {*parse_statement((path / FILE).read_bytes()).subjects} == {"rhcos-1-qemu.x86_64.qcow2"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"_type": "x"}', '{"_type": "https://in-toto.io/Statement/v1"}',
     '{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": [{"name": "a"}]}',
     '{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x",'
     ' "subject": [{"name": "a", "digest": {"sha256": "AB"}}]}'],
)  # fmt: skip
def test_what_is_no_statement_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_statement(text.encode())


def test_a_subject_that_is_named_twice_is_refused(folder: Path) -> None:
    found = document(folder)
    found["subject"].append(found["subject"][0])
    with pytest.raises(Malformed, match="another subject"):
        parse_statement(json.dumps(found).encode())


def test_killed_before_any_of_its_writes_it_is_whole_or_not_there(tmp_path: Path) -> None:
    wanted = ""
    for number in range(100):
        path = make_build(tmp_path / str(number), "1")
        change_record(path, Record(made={"qemu": QEMU}, source=SOURCE))
        killed = killed_before_write(number, write, path)
        found = companion(path, "provenance")
        assert found is None or found.is_whole(path)
        made = write(path)
        assert made is not None and made.file.is_whole(path)
        wanted = wanted or made.file.sha256
        assert made.file.sha256 == wanted
        if not killed:
            break
    assert number > 4

"""The pipeline's config.yaml: what is read of it, by which rule, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor
from bootimg.streams.pipeline.artifactlists import resolve_artifacts
from bootimg.streams.pipeline.config import (
    Purity,
    PurityLevel,
    StreamConfig,
    StreamType,
    read_stream_config,
    read_streams_file,
    stream_names,
)
from bootimg.streams.pipeline.destinations import Bucket, Repository
from bootimg.streams.pipeline.section import Section, parse_config, substitute
from bootimg.untrusted.yamlfile import LIMIT
from tests.support.builds.streams import every_version

GOLDEN = Path(__file__).parents[1] / "golden" / "streams"
RHCOS, FCOS = GOLDEN / "rhcos.yaml", GOLDEN / "fcos.yaml"
DEV = "quay.io/example/ocp-v4.0-art-dev"


def stream(name: str, path: Path = RHCOS) -> StreamConfig:
    return read_stream_config(read_streams_file(path), name)


def of_text(text: str, name: str = "rhel-9.6") -> StreamConfig:
    return read_stream_config(parse_config(text.encode(), "config.yaml"), name)


def refused(text: str, *words: str, id: str = "streams-file-malformed", name: str = "rhel-9.6") -> None:
    with pytest.raises(BootimgError) as error:
        of_text(text, name)
    assert (error.value.id, error.value.exit_code) == (id, ExitCode.USAGE)
    for word in words:
        assert word in f"{error.value.message} {error.value.hint}"


def test_a_file_without_our_block_is_read_as_it_is() -> None:
    assert stream_names(read_streams_file(FCOS)) == ("stable", "testing-devel", "rawhide")
    found = stream("stable", FCOS)
    assert (found.type, found.layer, found.compressor) == (StreamType.PRODUCTION, None, None)
    assert (found.skip_disk_images, found.purity) == (None, Purity())
    assert found.arches == tuple(Arch)
    assert found.uploads.bucket == Bucket(
        name="fcos-builds",
        builds_key="prod/streams/stable",
        oci_sigs_key="prod/signatures/oci",
        acl="public-read",
    )


def test_our_block_says_what_the_pipeline_s_keys_do_not() -> None:
    found = stream("rhel-9.6")
    assert found.layer == f"{DEV}:rhel-9.6-coreos"
    assert found.purity == Purity(allow=("ose-aws-ecr-image-credential-provider",))
    other = stream("c9s")
    assert (other.layer, other.compressor) == ("quay.io/example/stream-coreos:c9s", Compressor.ZSTD)
    # Unquoted, `off` is a flag to YAML.
    assert other.purity.level is PurityLevel.OFF
    assert stream("4.19-9.6").extensions == f"{DEV}:${{VERSION}}-extensions"


def test_the_stream_s_own_layer_comes_before_the_one_of_all() -> None:
    assert stream("rhel-10.2").layer == f"{DEV}:rhel-10.2-coreos"
    text = (
        "streams: {rhel-9.6: {import_oci_image: 'a:b'}}\nbootimg: {layer: 'c:d', streams: {rhel-9.6: {%s}}}"
    )
    assert of_text(text % "").layer == "a:b"
    assert of_text(text % "layer: 'e:${STREAM}'").layer == "e:rhel-9.6"
    refused(text % "layer: 'e:${VERSION}'", "${VERSION}")


def test_architectures_are_x86_64_and_what_is_added() -> None:
    assert stream("rhel-10.2").arches == (Arch.X86_64, Arch.AARCH64, Arch.PPC64LE)
    assert stream("c9s").arches == (Arch.X86_64, Arch.AARCH64)
    # The pipeline takes an empty list for none, and riscv64 is none of ours.
    text = "additional_arches: [aarch64, riscv64]\nstreams: {rhel-9.6: {additional_arches: []}}"
    assert of_text(text).arches == (Arch.X86_64, Arch.AARCH64)


def test_artifacts_are_defaults_and_additional_ones_without_those_skipped() -> None:
    artifacts = stream("rhel-9.6").artifacts
    assert artifacts[Arch.AARCH64] == (
        *("qemu", "metal", "metal4k", "live", "openstack", "aws", "azure", "gcp"),
    )
    assert "azurestack" not in artifacts[Arch.X86_64]
    assert artifacts[Arch.X86_64][-1] == "virtualbox"
    assert artifacts[Arch.S390X][-1] == "qemu-secex"
    assert stream("rhel-10.2").artifacts[Arch.PPC64LE] == ("qemu", "metal", "powervs")


def test_the_knob_has_a_reason() -> None:
    assert stream("4.19-9.6").skip_disk_images == "the layer has OpenShift's content; no installer boots it"
    told = of_text("streams: {rhel-9.6: {skip_disk_images: true}}").skip_disk_images
    assert told == "streams.rhel-9.6.skip_disk_images is true in config.yaml"
    assert of_text("streams: {rhel-9.6: {skip_disk_images: false}}").skip_disk_images is None


def test_uploads_have_the_stream_in_their_names_and_later_the_version() -> None:
    uploads = stream("c9s").uploads
    first, second = uploads.repositories["oscontainer"]
    assert first == Repository(repo=DEV, tags=("c9s-coreos", "${VERSION}-coreos"))
    assert second.tags == ("c9s", "${VERSION}")
    assert uploads.repositories["kubevirt"][0].v2s2
    assert uploads.skip_clouds
    aws, gcp = uploads.clouds["aws"], uploads.clouds["gcp"]
    # An account's number is no number, and no octal one.
    assert aws["grant_users"] == ("013116697141",)
    assert aws["govcloud"]["primary_region"] == "us-gov-west-1"
    assert gcp["family"]["x86_64"] == "rhcos-c9s"
    assert gcp["description"].endswith("c9s, ${BUILDID}, ${BASEARCH} published on ${DATE}")
    assert uploads.clouds["openstack"] == {}


def test_a_hotfix_goes_to_places_of_its_own() -> None:
    found = of_text(
        "hotfix: {name: art1}\nstreams: {rhel-9.6: {}}\ns3: {bucket: b, builds_key: 'p/${STREAM}'}\n"
        "registry_repos: {oscontainer: {repo: r, tags: ['${STREAM}']}}"
    ).uploads
    assert found.bucket == Bucket(name="b", builds_key="p/rhel-9.6-hotfix-art1")
    assert found.repositories["oscontainer"] == (Repository(repo="r", tags=("rhel-9.6-hotfix-art1",)),)


def test_anchors_and_merges_work_and_numbers_stay_what_is_written() -> None:
    found = of_text(
        "x: &common {type: production, skip_artifacts: {all: [live]}}\n"
        "default_artifacts: {all: [qemu, live]}\nstreams:\n  4.20: {<<: [*common, {type: mechanical}]}\n",
        "4.20",
    )
    assert (found.type, found.artifacts[Arch.X86_64]) == (StreamType.PRODUCTION, ("qemu",))


def test_variables_that_nobody_knows_stay() -> None:
    assert substitute("${A}-${STREAM}-${VERSION}$", STREAM="s") == "${A}-s-${VERSION}$"
    # What is put in is not looked at again.
    assert substitute("${STREAM}", STREAM="${VERSION}", VERSION="v") == "${VERSION}"


def test_a_stream_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(BootimgError) as error:
        stream("rhel-9.7")
    assert error.value.id == "stream-unknown"
    assert "rhel-9.6, rhel-10.2, c9s, 4.19-9.6" in str(error.value.hint)


STREAM = "streams: {rhel-9.6: {}}\n"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is not an object"),
        ("- a", "is not an object"),
        ("a: [", "is not YAML"),
        ("a: !!python/object:os.system {}", "tag"),
        ("a: !secret b", "tag"),
        ("[a]: b", "line 1 is a key and not a text"),
        ("a: !!bool maybe", "is not a flag"),
        ('a: "\\UFFFFFFFF"', "is not YAML"),
        ("a: &a [*a]", "nested too deeply"),
        ("<<: text", "merged and is not an object"),
        ("streams: [rhel-9.6]", "streams is not an object"),
        ("streams: {rhel-9.6: production}", "streams.rhel-9.6 is not an object"),
        ("streams: {rhel-9.6: {artifacts: [qemu]}}", "streams.rhel-9.6.artifacts is not an object"),
        ("streams: {rhel-9.6: {artifacts: {x86_64: qemu}}}", "artifacts.x86_64 is not a list but 'qemu'"),
        ("streams: {rhel-9.6: {skip_disk_images: [a]}}", "is not true or false"),
        (STREAM + "default_artifacts: {all: [[qemu]]}", "default_artifacts.all[0] is not a text but a list"),
        (STREAM + "additional_arches: aarch64", "additional_arches is not a list"),
        (STREAM + "bootimg: {layers: a}", "bootimg.layers is unknown"),
        (STREAM + "bootimg: {streams: {rhel-9.7: {}}}", "bootimg.streams.rhel-9.7 is unknown"),
        (STREAM + "bootimg: {compressor: zip}", "gzip"),
        (STREAM + "bootimg: {purity: on}", "off, warn, error"),
        (STREAM + "bootimg: {purity: {allowed: []}}", "bootimg.purity.allowed is unknown"),
        (STREAM + "bootimg: {purity: {allow: a}}", "bootimg.purity.allow is not a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, word: str) -> None:
    refused(text, "config.yaml", word)


UNUSED = {
    "type": ("streams: {rhel-9.6: {type: prodction}}", "streams.rhel-9.6.type is 'prodction'"),
    "bucket": (STREAM + "s3: {builds_key: k}", "s3.bucket is missing"),
    "s3": (STREAM + "s3: [a]", "s3 is not an object"),
    "repository": (
        STREAM + "registry_repos: {oscontainer: [quay.io/a/b], extensions: {repo: a, tags: [b]}}",
        "registry_repos.oscontainer[0] is not an object",
    ),
    "v2s2": (STREAM + "registry_repos: {v2s2: [oscontainer]}", "registry_repos.v2s2[0] is not an object"),
    "repositories": (STREAM + "registry_repos: quay.io/a", "registry_repos is not an object"),
    "tags": (STREAM + "registry_repos: {oscontainer: [{tags: [a]}]}", "oscontainer[0].repo is missing"),
    "cloud": (STREAM + "clouds: {aws: [a], gcp: {}}", "clouds.aws is not an object"),
    # Upstream's own example has the list of regions one level too far out.
    "indented": (STREAM + "clouds:\n  aliyun:\n    bucket: b\n  regions:\n    - a\n", "clouds.regions"),
    "hotfix": (STREAM + "hotfix: [a]", "hotfix is not an object"),
    "flag": ("streams: {rhel-9.6: {skip_cloud_uploads: maybe}}", "is not true or false"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_no_command_uses_is_a_warning_and_refused_when_it_is_asked_for(name: str) -> None:
    text, word = UNUSED[name]
    found = of_text("default_artifacts: {all: [qemu]}\n" + text)
    assert found.artifacts[Arch.X86_64] == ("qemu",)
    (fault,) = found.faults()
    assert fault.startswith("config.yaml: ") and fault.endswith("; it is not used") and word in fault
    with pytest.raises(BootimgError) as error:
        _ = (found.uploads, found.type)
    assert error.value.id == "streams-file-malformed"


def test_a_file_that_is_right_has_no_faults() -> None:
    for path in (RHCOS, FCOS):
        for name in stream_names(read_streams_file(path)):
            assert stream(name, path).faults() == []


PIPELINE = "BOOTIMG_TEST_PIPELINE"


def test_every_file_of_upstreams_history_that_is_yaml_is_read() -> None:
    """Every version of its config.yaml, where the variable names a checkout of fedora-coreos-pipeline."""
    if not (checkout := os.environ.get(PIPELINE)):
        pytest.skip(f"{PIPELINE} names no checkout of coreos/fedora-coreos-pipeline")
    read = 0
    for data in every_version(checkout, "config.yaml", "docs/config.yaml"):
        try:
            config = parse_config(data, "config.yaml")
        except BootimgError as error:
            assert "it is not YAML" in error.message
            continue
        for name in stream_names(config):
            assert isinstance(read_stream_config(config, name).faults(), list)
            read += 1
    assert read


def test_aliases_cannot_grow_beyond_a_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for each in range(1, 12):
        lines.append(f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 10)}]")
    refused("\n".join(lines), "aliases counted in full")
    merging = ["a0: &a0 {k0: x}"]
    for each in range(1, 12):
        merging.append(f"a{each}: &a{each} {{<<: [{', '.join([f'*a{each - 1}'] * 10)}]}}")
    refused("\n".join(merging), "aliases counted in full")
    refused("#" * (LIMIT + 1), "bytes")
    refused("[" * 5000, "nested too deeply")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml", Path("a\0b")):
        with pytest.raises(BootimgError) as error:
            read_streams_file(path)
        assert (error.value.id, error.value.exit_code) == ("streams-file-unreadable", ExitCode.USAGE)


def test_words_of_a_file_cannot_command_a_terminal() -> None:
    refused('streams: {"\\e[2J": {}}', "\\x1b[2J", id="stream-unknown")
    refused('streams: {rhel-9.6: {}}\nbootimg: {"\\e[2J": a}', "\\x1b[2J")


NAMES = st.lists(st.sampled_from(["qemu", "metal", "live", "aws", "gcp", "toaster"]), max_size=5)
LISTS = st.none() | st.dictionaries(st.sampled_from(["all", "x86_64", "s390x"]), st.none() | NAMES)


def pipeline_rule(
    defaults: Any,  # noqa: ANN401
    artifacts: Any,  # noqa: ANN401
    added: Any,  # noqa: ANN401
    skipped: Any,  # noqa: ANN401
    arch: str,
) -> set[str]:
    """The rule as the pipeline's Groovy has it, line by line."""
    found = set((artifacts or {}).get(arch) or [])
    if not found:
        found |= set((defaults or {}).get("all") or [])
        found |= set((defaults or {}).get(arch) or [])
        found |= set((added or {}).get("all") or [])
        found |= set((added or {}).get(arch) or [])
        found -= set((skipped or {}).get("all") or [])
        found -= set((skipped or {}).get(arch) or [])
    return found


@given(LISTS, LISTS, LISTS, LISTS, st.sampled_from(["x86_64", "s390x", "aarch64"]))
def test_artifacts_are_those_of_the_pipeline_s_rule(
    defaults: Any,  # noqa: ANN401
    artifacts: Any,  # noqa: ANN401
    added: Any,  # noqa: ANN401
    skipped: Any,  # noqa: ANN401
    arch: str,
) -> None:
    config = Section("config.yaml", "", {"default_artifacts": defaults})
    own = {"artifacts": artifacts, "additional_artifacts": added, "skip_artifacts": skipped}
    found = resolve_artifacts(config, Section("config.yaml", "streams.a", own), arch)
    assert set(found) == pipeline_rule(defaults, artifacts, added, skipped, arch)
    assert len(found) == len(set(found))


KEYS = st.sampled_from([
    *("streams", "rhel-9.6", "artifacts", "all", "x86_64", "bootimg", "purity", "level", "allow", "s3"),
    *("registry_repos", "oscontainer", "repo", "tags", "clouds", "aws", "layer", "type", "additional_arches"),
    *("skip_disk_images", "default_artifacts", "additional_artifacts", "hotfix", "name", "bucket"),
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def read_or_refuse(data: bytes, names: Iterable[str] = ("rhel-9.6",)) -> None:
    try:
        config = parse_config(data, "config.yaml")
        for name in names:
            found = read_stream_config(config, name)
            assert all(each.startswith("config.yaml: ") for each in found.faults())
            _ = (found.uploads, found.type)
    except BootimgError as error:
        assert error.id in ("streams-file-malformed", "stream-unknown")
        assert error.exit_code is ExitCode.USAGE


@given(st.dictionaries(KEYS, VALUES, max_size=6), VALUES)
def test_any_tree_is_read_or_refused(tree: Mapping[str, Any], own: Any) -> None:  # noqa: ANN401
    read_or_refuse(yaml.safe_dump({**tree, "streams": {"rhel-9.6": own}}).encode())
    read_or_refuse(json.dumps(tree, default=str).encode())


@given(st.binary(max_size=200) | st.text(alphabet="ab:{}[]&*!<-'\"|>%\n #?,", max_size=80).map(str.encode))
@example(b"a: !!timestamp x")
@example(b"%YAML 99999999999999999999.1\n---\na: b")
@example(b"a: \xff")
@example(b'"\\uD800": a')
@example(b"? {a: b}\n: c")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


LINES = RHCOS.read_bytes().splitlines(keepends=True)


@given(
    st.integers(0, len(LINES) - 1),
    st.sampled_from([b"", b"  x\n", b"- a\n", b"a: &a {<<: *a}\n", b"  - {}\n"]),
)
def test_a_damaged_line_is_read_or_refused(index: int, line: bytes) -> None:
    damaged = b"".join([*LINES[:index], line, *LINES[index + 1 :]])
    read_or_refuse(damaged, ("rhel-9.6", "c9s", "4.19-9.6"))

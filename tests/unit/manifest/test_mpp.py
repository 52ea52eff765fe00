"""The mpp dialect: every directive, and what is wrong with a manifest said with file and place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.mpp import Renderer

IMAGE = {
    "id": "image",
    "size": {"mpp-format-string": "{size_mb * 1024 * 1024}"},
    "table": {
        "uuid": "00000000-0000-4000-a000-000000000001",
        "label": "gpt",
        "partitions": [{"name": "boot", "type": "B", "size": 2048}, {"name": "root", "type": "R"}],
    },
}


def manifest(options: Any, **top: Any) -> str:  # noqa: ANN401
    stages = [{"type": "org.osbuild.noop", "options": options}]
    document = {"version": "2", "pipelines": [{"name": "a", "stages": stages}], **top}
    return yaml.safe_dump(document, sort_keys=False)


def render(folder: Path, text: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401
    (folder / "main.mpp.yaml").write_text(text)
    return Renderer(folder, variables).render("main.mpp.yaml")


def options(folder: Path, value: Any, **variables: Any) -> Any:  # noqa: ANN401
    """What a node of a stage's options becomes."""
    document = render(folder, manifest({"value": value}), **variables)
    return document["pipelines"][0]["stages"][0]["options"]


def refused(folder: Path, text: str, **variables: Any) -> BootimgError:  # noqa: ANN401
    with pytest.raises(BootimgError) as caught:
        render(folder, text, **variables)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"mpp-format-int": "{size * 1024 / 512}"}, 20),
        ({"mpp-format-int": "7{size}"}, 710),
        ({"mpp-format-string": "{name}-{size}.{arch}"}, "rhcos-10.x86_64"),
        ({"mpp-format-string": "{name.upper()} {{x}}"}, "RHCOS {x}"),
        ({"mpp-format-string": "$name stays"}, "$name stays"),
        ({"mpp-format-json": '{{"a": [{size}, "{name}"]}}'}, {"a": [10, "rhcos"]}),
        ({"mpp-eval": "['rw'] + ([] if arch == 's390x' else ['$firstboot'])"}, ["rw", "$firstboot"]),
        ({"mpp-if": "arch in ['x86_64', 'aarch64']", "then": 1, "else": 2}, 1),
        ({"mpp-if": "size > 10", "then": 1, "else": 2}, 2),
        ({"mpp-if": "False", "else": {"mpp-if": "True", "then": {"mpp-format-int": "{size}"}}}, 10),
        (["a", {"mpp-if": "False", "then": "b"}, {"mpp-if": "True", "then": "c"}], ["a", "c"]),
        ({"x": {"mpp-if": "False", "then": 1}, "y": 2}, {"y": 2}),
    ],
)
def test_directives(tmp_path: Path, node: Any, expected: Any) -> None:  # noqa: ANN401
    found = options(tmp_path, node, size=10, name="rhcos", arch="x86_64")
    assert found == {"value": expected}
    assert type(found["value"]) is type(expected)


def test_missing_branch_drops_the_node(tmp_path: Path) -> None:
    assert options(tmp_path, {"mpp-if": "False", "then": {"a": 1}}) == {}
    assert options(tmp_path, {"mpp-if": "True", "then": {"mpp-if": "False", "then": 1}}) == {}


def test_variables_see_those_before_them_and_given_ones_win(tmp_path: Path) -> None:
    top = {
        "mpp-vars": {
            "arch": "x86_64",
            "size": 1,
            "ref": "fedora/$arch/os",
            "double": {"mpp-format-int": "{size * 2}"},
        }
    }
    text = manifest({"mpp-format-string": "{ref} {double}"}, **top)
    for given, expected in [({}, "fedora/x86_64/os 2"), ({"arch": "s390x", "size": 4}, "fedora/s390x/os 8")]:
        document = render(tmp_path, text, **given)
        assert document["pipelines"][0]["stages"][0]["options"] == expected
        assert "mpp-vars" not in document


def test_variable_that_is_never_evaluated_need_not_be_known(tmp_path: Path) -> None:
    assert options(tmp_path, {"mpp-if": "True", "then": 1, "else": {"mpp-eval": "nobody"}}) == {"value": 1}


def test_images_are_laid_out_for_expressions(tmp_path: Path) -> None:
    node = {
        "start": {"mpp-format-int": "{image.layout['root'].start}"},
        "number": {"mpp-format-int": "{image.layout['root'].partnum}"},
        "size": {"mpp-format-string": "{image.size}"},
        "table": {"mpp-format-json": "{image.layout}"},
    }
    document = render(tmp_path, manifest(node, **{"mpp-define-images": [IMAGE]}), size_mb=10)
    assert document["pipelines"][0]["stages"][0]["options"] == {
        "start": 4096,
        "number": 2,
        "size": str(10 << 20),
        "table": {
            "label": "gpt",
            "uuid": "00000000-0000-4000-a000-000000000001",
            "partitions": [
                {"start": 2048, "partnum": 1, "size": 2048, "type": "B", "name": "boot"},
                {"start": 4096, "partnum": 2, "size": 14336, "type": "R", "name": "root"},
            ],
        },
    }
    assert "mpp-define-images" not in document


def test_imports_take_all_pipelines_or_those_named_with_their_variables(tmp_path: Path) -> None:
    stage = {"type": "org.osbuild.noop", "options": {"mpp-format-string": "{osname} {own}"}}
    imported = [{"name": name, "stages": [stage]} for name in ("one", "two")]
    (tmp_path / "other.ipp.yaml").write_text(
        yaml.safe_dump({"version": "2", "mpp-vars": {"own": 5}, "pipelines": imported})
    )
    order = {"mpp-import-pipelines": {"path": "$file"}}
    named = {"mpp-import-pipelines": {"path": "other.ipp.yaml", "ids": ["two"]}}
    text = yaml.safe_dump({"version": "2", "pipelines": [order, {"name": "x", "stages": []}, named]})
    document = render(tmp_path, text, file="other.ipp.yaml", osname="rhcos")
    assert [each["name"] for each in document["pipelines"]] == ["one", "two", "x", "two"]
    assert document["pipelines"][0]["stages"][0]["options"] == "rhcos 5"


def embedding(url: str) -> str:
    stage = {
        "type": "org.osbuild.copy",
        "inputs": {
            "file": {
                "type": "org.osbuild.files",
                "origin": "org.osbuild.source",
                "mpp-embed": {"id": "it", "url": url},
            }
        },
        "options": {"mpp-format-string": "{embedded['it']}"},
    }
    return yaml.safe_dump({"version": "2", "pipelines": [{"name": "a", "stages": [stage]}]})


def test_embedded_file_is_a_source_by_its_checksum(tmp_path: Path) -> None:
    data = tmp_path / "a layer"
    data.write_bytes(b"content")
    checksum = f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    url = f"file://{tmp_path}/a%20layer"
    document = render(tmp_path, embedding(url))
    assert document["sources"] == {"org.osbuild.curl": {"items": {checksum: url}}}
    stage = document["pipelines"][0]["stages"][0]
    assert stage["inputs"]["file"]["references"] == {checksum: {}}
    assert stage["options"] == checksum


def test_images_of_an_imported_file_are_refused(tmp_path: Path) -> None:
    image = {"id": "image", "size": "10", "table": {"label": "gpt", "uuid": "x", "partitions": []}}
    imported = {"version": "2", "mpp-define-images": [image], "pipelines": []}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(imported))
    error = refused(tmp_path, "version: '2'\npipelines: [{mpp-import-pipelines: {path: other.yaml}}]\n")
    assert (error.id, error.context[0]) == ("manifest-malformed", "other.yaml")


def test_known_digest_spares_reading_the_file(tmp_path: Path) -> None:
    (tmp_path / "main.mpp.yaml").write_text(embedding("file:///nowhere"))
    document = Renderer(tmp_path, {}, {"file:///nowhere": "ab" * 32}).render("main.mpp.yaml")
    assert list(document["sources"]["org.osbuild.curl"]["items"]) == [f"sha256:{'ab' * 32}"]


def test_images_to_fetch_become_a_source(tmp_path: Path) -> None:
    image = {"source": "$name", "name": "$name", "digest": "sha256:aa", "image-id": "sha256:bb"}
    inputs = {"images": {"type": "org.osbuild.containers", "mpp-resolve-images": {"images": [image]}}}
    stage = {"type": "org.osbuild.container-deploy", "inputs": inputs}
    text = yaml.safe_dump({"version": "2", "pipelines": [{"name": "a", "stages": [stage]}]})
    document = render(tmp_path, text, name="quay.io/x/y")
    found = document["pipelines"][0]["stages"][0]["inputs"]["images"]["references"]
    assert found == {"sha256:bb": {"name": "quay.io/x/y"}}
    items = document["sources"]["org.osbuild.skopeo"]["items"]
    assert items == {"sha256:bb": {"image": {"name": "quay.io/x/y", "digest": "sha256:aa"}}}


@pytest.mark.parametrize(
    "expression",
    [
        "nobody",
        "1 +",
        "1 / 0",
        "{}['key']",
        "image.nothing",
        "open('/etc/passwd').read()",
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "'{0.__class__}'.format(1)",
        "9 ** 9 ** 9",
        "'x' * 1000000000",
        "[x for x in [1] * 100000000]",
    ],
)
def test_bad_and_hostile_expressions_are_refused_with_their_place(tmp_path: Path, expression: str) -> None:
    for directive in ("mpp-if", "mpp-eval"):
        node = {"a": [{"b": {directive: expression, **({"then": 1} if directive == "mpp-if" else {})}}]}
        error = refused(tmp_path, manifest(node), image=1)
        assert error.id == "manifest-expression-failed"
        assert error.context[0] == "main.mpp.yaml: pipelines[0].stages[0].options.a[0].b"
        assert error.context[1] == expression


def test_place_of_an_error_is_in_the_imported_file(tmp_path: Path) -> None:
    (tmp_path / "other.ipp.yaml").write_text(manifest({"mpp-eval": "nobody"}))
    error = refused(
        tmp_path,
        yaml.safe_dump({"version": "2", "pipelines": [{"mpp-import-pipelines": {"path": "other.ipp.yaml"}}]}),
    )
    assert error.context[0] == "other.ipp.yaml: pipelines[0].stages[0].options"


@pytest.mark.parametrize("text", ["{", "}", "a } b", "{}", "{a", "a}{1}"])
def test_stray_braces_are_refused(tmp_path: Path, text: str) -> None:
    error = refused(tmp_path, manifest({"mpp-format-string": text}), a=1)
    assert error.id == "manifest-expression-failed"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "main.mpp.yaml"),
        ("[]", "main.mpp.yaml"),
        ("version: '2'\npipelines: []\npipelines: []\n", "main.mpp.yaml"),
        ("version: '2'\npipelines: []\nsources: {}\n", "main.mpp.yaml"),
        ("version: '1'\npipelines: []\n", "main.mpp.yaml"),
        ("version: '2'\npipelines: 3\n", "main.mpp.yaml"),
        (manifest({"mpp-format-int": "12a"}), "options"),
        (manifest({"mpp-format-int": "{1.5}"}), "options"),
        (manifest({"mpp-format-json": "{name}"}), "options"),
        (manifest({"mpp-depsolve": {}}), "options"),
        (manifest({"mpp-eval": "1", "beside": 2}), "options"),
        (manifest({"mpp-if": "True", "then": 1, "otherwise": 2}), "options"),
        (manifest({}, **{"mpp-define-images": [{"id": "image", "size": "1"}]}), "mpp-define-images[0]"),
        (embedding("https://example.com/x"), "mpp-embed"),
        (embedding("file:///nowhere/at/all"), "mpp-embed"),
        ("version: '2'\npipelines: [{mpp-import-pipelines: {path: missing.yaml}}]\n", "missing.yaml"),
        ("version: '2'\npipelines: [{mpp-import-pipelines: {}}]\n", "main.mpp.yaml: pipelines[0]"),
    ],
)
def test_malformed_manifests_are_refused_with_their_place(tmp_path: Path, text: str, place: str) -> None:
    error = refused(tmp_path, text, name="rhcos")
    assert error.id == "manifest-malformed"
    assert place in error.context[0]

"""Untrusted JSON, YAML and TOML: the limits, the kinds of values, and the path in every error."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.untrusted.files import read_start
from bootimg.untrusted.jsonfile import find_object, parse_json, parse_object
from bootimg.untrusted.node import MOST, Fields, Node, StrictFields
from bootimg.untrusted.tomlfile import LIMIT as TOML_LIMIT
from bootimg.untrusted.tomlfile import parse_toml
from bootimg.untrusted.tree import DEPTH, LIMIT, VALUES, Malformed
from bootimg.untrusted.yamlfile import LIMIT as YAML_LIMIT
from bootimg.untrusted.yamlfile import parse_yaml


def refuse(why: str) -> BootimgError:
    return BootimgError("some-file-malformed", why)


def refused(parse: Callable[[], object], *words: str) -> None:
    with pytest.raises(BootimgError) as caught:
        parse()
    assert caught.value.id == "some-file-malformed"
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "it is not JSON: "),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e400}', "1e400 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "it is not JSON: "),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' stands twice"),
        (b'{"a\\ud800": 1, "a\\ud801": 2}', "stands twice"),
        (b'{"a": "\xff"}', "it is not JSON: "),
        ('{"a": 1}'.encode("utf-16"), "it is not JSON: "),
        (b"\xef\xbb\xbf{}", "it is not JSON: "),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"[" * DEPTH + b"]" * DEPTH + b"}", "it is nested too deeply"),
        (b"[]", "it is not an object but a list"),
        (b"null", "it is not an object but None"),
        (b"", "it is not JSON: "),
    ],
    ids=range(15),
)
def test_what_is_not_json_is_refused(data: bytes, why: str) -> None:
    refused(lambda: parse_object(data, refuse), why)
    assert find_object(data) is None


def test_json_of_very_many_values_is_refused_before_it_takes_memory() -> None:
    for data in (b"[]," * VALUES, b"0," * VALUES, b'{"":' * VALUES):
        with pytest.raises(Malformed, match=f"more than {VALUES} values"):
            parse_json(b"[" + data)
    assert parse_json(b"[" + b"0," * 1000 + b"0]").value == [0] * 1001


def test_json_of_the_deepest_kind_and_of_every_character_is_read() -> None:
    deepest = b"[" * DEPTH + b"]" * DEPTH
    assert json.dumps(parse_json(deepest).value).encode() == deepest
    text = '{"a": ["\\ud800x", "\\ud83d\\ude00", "\u00e9"]}'
    assert parse_object(text.encode()).each("a", str) == ("\ufffdx", "\U0001f600", "\u00e9")


def test_a_file_is_read_as_far_as_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b" " * 98 + b"{}")
    assert parse_object(read_start(path, 100), refuse, limit=100).values == {}
    refused(lambda: parse_object(read_start(path, 99), refuse, limit=99), "it has more than 99 bytes")
    refused(lambda: parse_object(b" " * (LIMIT + 1), refuse), str(LIMIT))
    refused(lambda: parse_yaml(b" " * (YAML_LIMIT + 1), refuse), str(YAML_LIMIT))
    refused(lambda: parse_toml(b" " * (TOML_LIMIT + 1), refuse), str(TOML_LIMIT))


# Nine lists, each of ten times the one before.
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 10)}]\n" for each in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "it is not YAML: "),
        ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
        ("1: a\n'1': b", "stands twice"),
        ("[a, b]", "it is not an object"),
        ("", "it is not an object"),
        ("[x]: a", "line 1 is a key and not a text"),
        ("a:\n  b: !!python/name:os.system", "line 2 has the tag"),
        ("a: !!binary aGk=", "line 1 has the tag"),
        ("a: !!bool perhaps", "is not a flag: 'perhaps'"),
        ("a: !!int x", "it is not YAML: "),
        ("a: !!int ''", "it is not YAML: "),
        ("<<: [a]", "line 1 is merged and is not an object"),
        (BOMB, "values, aliases counted in full"),
        ("a: &a [*a]", "it is nested too deeply"),
        ("a: " + "[" * (DEPTH + 1) + "]" * (DEPTH + 1), "it is nested too deeply"),
        ("a: " + "[" * 20_000, "it is nested too deeply"),
        ('a: "\\UFFFFFFFF"', "it is not YAML: "),
    ],
    ids=range(17),
)  # fmt: skip
def test_what_is_not_yaml_is_refused(text: str, why: str) -> None:
    begin = time.process_time()
    refused(lambda: parse_yaml(text.encode(), refuse, numbers=True), why)
    assert time.process_time() - begin < 20


def test_plain_words_of_yaml_stay_text_but_for_flags_nulls_and_wanted_numbers() -> None:
    text = b"{a: 4.20, b: 0131, c: off, d: ~, e: 2026-01-01, f: 0x10, 7: x, g: .inf}"
    values = {"a": "4.20", "b": "0131", "c": False, "d": None, "e": "2026-01-01", "f": "0x10", "7": "x"}
    assert parse_yaml(text).values == {**values, "g": ".inf"}
    assert parse_yaml(text, numbers=True).values == {**values, "b": 0o131, "f": 16, "g": ".inf"}


def test_merge_keys_and_repeated_keys_of_yaml() -> None:
    text = b"x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 5}\n"
    assert parse_yaml(text).nested("z").values == {"a": "5", "b": "2", "c": "4"}
    assert parse_yaml(b"{a: 1, a: 2}", repeats=True).values == {"a": "2"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a = ", "it is not TOML: "),
        (b"a = 1\na = 2", "it is not TOML: "),
        (b"a = '\xff'", "it is not TOML: "),
        (b"a = " + b"[" * 5000, "it is nested too deeply"),
        (b".".join([b"a"] * 200) + b" = 1", "it is nested too deeply"),
    ],
    ids=range(5),
)
def test_what_is_not_toml_is_refused(data: bytes, why: str) -> None:
    refused(lambda: parse_toml(data, refuse), why)


TREE = {"text": "t", "number": 7, "flag": True, "list": ["a", 1], "object": {"deep": [{"key": False}]}}


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda it: it.take("text", int), "text is not a whole number but 't'"),
        (lambda it: it.take("flag", int), "flag is not a whole number but True"),
        (lambda it: it.take("number", bool), "number is not true or false but 7"),
        (lambda it: it.take("list", dict), "list is not an object but a list"),
        (lambda it: it.each("list", str), "list[1] is not a text but 1"),
        (lambda it: it.each("text", str), "text is not a list but 't'"),
        (lambda it: it.members("list"), "list is not an object"),
        (lambda it: it.objects("list"), "list[0] is not an object but 'a'"),
        (lambda it: it.number("number", 8), f"number is 7, not a number from 8 to {MOST}"),
        (lambda it: it.number("number", 0, 6), "number is 7, not a number from 0 to 6"),
        (lambda it: it.number("flag"), "flag is not a whole number"),
        (lambda it: it.required("absent", str), "absent is missing"),
        (lambda it: it.nested("object").required("absent", str), "object.absent is missing"),
        (lambda it: it.nested("object").objects("deep")[0].take("key", str), "object.deep[0].key is not"),
        (lambda it: it.expect("number", 8, "seven"), "number is 7, not 8 or 'seven'"),
        (lambda it: it.expect("flag", 1), "flag is True, not 1"),
        (lambda it: it.allow(("text", "number")), "flag is unknown; what may stand there is text, number"),
        (lambda it: it.finish(), "text is unknown; its value is 't'"),
    ],
    ids=range(18),
)  # fmt: skip
def test_the_error_names_the_path_and_what_is_wrong(read: Callable[[Fields], object], why: str) -> None:
    refused(lambda: read(Node(TREE, refuse).fields()), why)


def test_values_of_the_right_kind_are_read_and_null_is_absent() -> None:
    fields = Node({**TREE, "nothing": None}, refuse).fields()
    assert (fields.take("text", str), fields.number("number"), fields.take("flag", bool)) == ("t", 7, True)
    assert fields.take("nothing", str) is None
    assert fields.number("nothing") is None
    assert (fields.each("nothing", str), fields.members("nothing"), fields.objects("absent")) == ((), {}, [])
    assert fields.nested("nothing").values == {}
    assert [node.path for node in fields.at("list").items()] == ["list[0]", "list[1]"]
    assert list(fields) == ["object"]
    fields.nested("object")
    fields.finish()


def test_null_is_a_value_where_the_reader_is_strict() -> None:
    fields = StrictFields(Node({"nothing": None}, refuse))
    refused(lambda: fields.take("nothing", str), "nothing is not a text but None")
    refused(lambda: fields.nested("nothing"), "nothing is not an object but None")
    assert fields.nested("absent").take("inner", str) is None
    assert isinstance(fields.nested("absent"), StrictFields)


def test_a_message_is_short_and_has_no_control_characters_whatever_the_file_has() -> None:
    key = "\x1b[31m" + "k" * 5000
    with pytest.raises(BootimgError) as caught:
        parse_object(json.dumps({key: "v" * 5000}).encode(), refuse).take(key, int)
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


def test_a_reader_that_gives_no_error_of_its_own_gets_malformed() -> None:
    with pytest.raises(Malformed, match=re.escape("a[0] is not a text but 1")):
        parse_object(b'{"a": [1]}').each("a", str)


def test_nothing_else_parses_what_others_wrote() -> None:
    """These modules read what bootimg itself has written, what ships with it, or what its own helpers say."""
    own = {
        *("appliance/channel.py", "appliance/worker.py", "cloud/calls.py", "cloud/registries/listing.py"),
        "layer/fetching/imageproxy.py",
        *("layer/importing/importer.py", "layer/importing/selabels.py", "layer/ostree/checksums.py"),
        *("layer/ostree/libostree.py", "layer/ostree/ostree_worker.py", "layer/tar/index.py"),
        *(
            "live/iso/infofiles.py",
            "manifest/mpp.py",
            "orchestrator/artifacts/origin.py",
            "orchestrator/basedisk.py",
            "orchestrator/timings.py",
            "osbuild/program.py",
        ),
        *("vm/imagetool.py", "vm/probe.py"),
    }
    root = Path(__file__).parents[2] / "bootimg"
    parsers = re.compile(r"json\.loads?\(|tomllib|yaml\.(load|safe_load|compose)\(")
    found = {str(path.relative_to(root)) for path in root.rglob("*.py") if parsers.search(path.read_text())}
    assert {name for name in found if not name.startswith("untrusted/")} == own

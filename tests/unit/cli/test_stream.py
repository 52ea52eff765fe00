"""`bootimg stream …`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootimg.__main__ import main
from bootimg.builds.record import Record, change_record
from bootimg.errors import ExitCode
from tests.support.builds import streams
from tests.unit.streams.test_metadata import GOLDEN, NEWER

THEN = "1777416000"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of one build, at a fixed time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", THEN)
    return streams.write_builds(tmp_path / streams.STREAM / "builds")


def run(*words: object) -> int:
    return int(main(["stream", *map(str, words)]))


def printed(capture: Capture, words: Sequence[object], code: int = ExitCode.OK) -> str:
    assert run(*words) == code, capture.readouterr().err
    return capture.readouterr().out


def document(capture: Capture, *words: object, code: int = ExitCode.OK) -> dict[str, Any]:
    return dict(json.loads(printed(capture, [*words, "--json"], code)))


def without_generator(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if '"generator"' not in line)


def test_generate_prints_the_golden_stream(builds: Path, capsys: Capture) -> None:
    out = printed(capsys, ["generate", "-o", builds, "--no-signatures"])
    assert without_generator(out) == without_generator(GOLDEN.read_text())


def test_generate_signs_unless_told_otherwise(builds: Path, capsys: Capture) -> None:
    out = json.loads(printed(capsys, ["generate", "-o", builds, f"x86_64={streams.VERSION}"]))
    disk = out["architectures"]["x86_64"]["artifacts"]["qemu"]["formats"]["qcow2.gz"]["disk"]
    assert disk["signature"] == disk["location"] + ".sig"
    assert list(out["architectures"]) == ["x86_64"]


def test_generate_writes_a_release(builds: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "release.json"
    said = document(capsys, "generate", "-o", builds, "--format", "release", "--output", file)
    release = json.loads(file.read_bytes())
    assert said == {"path": str(file), "format": "release", "size": file.stat().st_size}
    assert (release["release"], release["stream"]) == (streams.VERSION, streams.STREAM)
    assert release["metadata"] == {"last-modified": "2026-04-28T22:40:00Z"}
    assert release["architectures"]["x86_64"]["media"]["gcp"]["image"]["project"] == "rhcos-cloud"


def test_generate_makes_the_config_map_of_files(tmp_path: Path, capsys: Capture) -> None:
    nine, ten, sold = (tmp_path / name for name in ("coreos-rhel-9.json", "coreos-rhel-10.json", "sold.json"))
    for file in (nine, ten):
        file.write_bytes(GOLDEN.read_bytes())
    sold.write_text(json.dumps(streams.MARKETPLACE))
    words = ["--from", nine, "--from", ten, "--marketplace", f"rhel-10={sold}"]
    data = yaml.safe_load(printed(capsys, ["generate", *words, "--format", "configmap"]))["data"]
    found = json.loads(data["streams"])
    assert list(found) == ["rhel-10", "rhel-9"]
    assert "marketplace" in found["rhel-10"]["architectures"]["x86_64"]["rhel-coreos-extensions"]
    assert "marketplace" not in found["rhel-9"]["architectures"]["x86_64"]["rhel-coreos-extensions"]
    assert data["stream"] + "\n" == GOLDEN.read_text()


def test_generate_makes_os_images(capsys: Capture) -> None:
    words = ["generate", "--from", GOLDEN, "--format", "assisted"]
    records = json.loads(printed(capsys, [*words, "--openshift-version", "4.22"]))
    assert [each["openshift_version"] for each in records] == ["4.22"] * 4
    assert run(*words) == ExitCode.USAGE
    assert "--openshift-version" in capsys.readouterr().err


def test_plumes_words_bump_an_installers_file(builds: Path, tmp_path: Path, capsys: Capture) -> None:
    for arch in streams.IMAGES:
        folder = builds / NEWER / arch
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps(streams.meta(arch, NEWER)))
    target = tmp_path / "rhcos.json"
    target.write_text(GOLDEN.read_text().replace('"stream": "rhel-9.8"', '"stream": "rhcos-4.21"'))
    with streams.served(tmp_path) as url:
        words = ["bump", "--target", target, "--distro", "rhcos", "--no-signatures", "--name", streams.STREAM,
                 "--url", url, *(f"{arch}={NEWER}" for arch in streams.IMAGES)]  # fmt: skip
        tried = document(capsys, *words, "--dry-run")
        assert '"rhcos-4.21"' in target.read_text()
        done = document(capsys, *words)
        again = document(capsys, *words)
    assert (tried["changed"], done["changed"], again["changed"]) == (True, True, False)
    assert done["stream"] == {"old": "rhcos-4.21", "new": streams.STREAM}
    assert (tried["changes"], again["changes"]) == (done["changes"], [])
    text = target.read_text()
    assert streams.VERSION not in text
    location = f"{url}/{streams.STREAM}/builds/{NEWER}/s390x/rhcos-{NEWER}-qemu.s390x.qcow2.gz"
    assert f'"{location}"' in text


def test_bump_warns_of_what_gets_lost(builds: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "rhcos.json"
    target.write_bytes(GOLDEN.read_bytes())
    meta = builds / streams.VERSION / "x86_64" / "meta.json"
    tree = json.loads(meta.read_bytes())
    tree["amis"] = tree["amis"][:1]
    meta.write_text(json.dumps(tree))
    assert run("bump", "--target", target, "-o", builds, "--no-signatures") == ExitCode.OK
    assert "x86_64 images aws us-gov-west-1" in capsys.readouterr().err


def test_lint_ends_with_1_and_every_finding(tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(GOLDEN.read_text().replace('"stream": "rhel-9.8"', '"stream": "rhcos-4.21"'))
    found = document(capsys, "lint", bad, "--previous", GOLDEN, "-p", "vultr", code=ExitCode.FAILED)
    assert found["good"] is False
    assert {each["rule"] for each in found["findings"]} == {
        "stream-name",
        "missing-platform",
        "signature-missing",
    }
    good = document(capsys, "lint", GOLDEN, "--name", "rhel-9.8", "--published", streams.BASE)
    assert good["good"] is True
    assert run("lint", GOLDEN, "-p", "nonsense") == ExitCode.USAGE


def test_diff_tells_and_may_fail(tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.json"
    other.write_text(GOLDEN.read_text().replace("ami-", "ami-1"))
    assert printed(capsys, ["diff", GOLDEN, GOLDEN, "--exit-code"]) == "no difference\n"
    out = printed(capsys, ["diff", GOLDEN, other, "--exit-code"], ExitCode.FAILED)
    assert out.splitlines()[0].startswith("aarch64    images aws: changed 9.8.20260428-0 (eu-central-1,")
    assert document(capsys, "diff", GOLDEN, other)["different"] is True


def test_merge_puts_architectures_together(builds: Path, tmp_path: Path, capsys: Capture) -> None:
    parts = []
    for arch in streams.IMAGES:
        parts.append(tmp_path / f"{arch}.json")
        words = [
            "generate",
            "-o",
            builds,
            "--no-signatures",
            f"{arch}={streams.VERSION}",
            "--output",
            parts[-1],
        ]
        assert run(*words) == ExitCode.OK
    capsys.readouterr()
    assert without_generator(printed(capsys, ["merge", *parts])) == without_generator(GOLDEN.read_text())
    sold = tmp_path / "sold.json"
    sold.write_text(json.dumps(streams.MARKETPLACE))
    assert "no-purchase-plan" in printed(capsys, ["merge", *parts, "--marketplace", sold])


@pytest.mark.parametrize(
    ("words", "id"),
    [
        (["diff", "missing.json", "missing.json"], "stream-unreadable"),
        (["lint", "."], "command-line-invalid"),
        (["bump", "--target", "missing.json", "x86_64=1", "--url", "http://127.0.0.1:9", "--name", "x"],
         "stream-unreadable"),
        (["generate", "x86_64=1", "--url", "file:///", "--name", "x"], "stream-url-invalid"),
        (["generate", "x86_64=1", "--url", "http://127.0.0.1:9"], "stream-name-missing"),
        (["generate", "--from", str(GOLDEN), "--from", f"b={GOLDEN}"], "stream-argument-invalid"),
        (["generate", "--from", str(GOLDEN), "--from", f"b={GOLDEN}", "--marketplace", f"c={GOLDEN}"],
         "stream-argument-invalid"),
        (["generate", "-o", "nowhere"], "build-not-found"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused(
    words: list[str],
    id: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == ExitCode.USAGE
    assert f"error: {id}" in capsys.readouterr().err


def test_asking_for_metadata_of_a_build_without_disk_images_names_the_knob(
    tmp_path: Path, capsys: Capture
) -> None:
    builds = streams.write_builds(tmp_path / streams.STREAM / "builds")
    words = [f"{arch}={streams.VERSION}" for arch in streams.IMAGES]
    with streams.served(tmp_path) as url:
        remote = [*words, "--url", url, "--name", streams.STREAM]
        # No record beside meta.json: coreos-assembler's build.
        assert run("generate", *remote) == ExitCode.OK
        capsys.readouterr()
        change_record(builds / streams.VERSION / "s390x", Record(skip_reason="4.19-9.6 has OCP content"))
        _refused_for_the_knob(capsys, "-o", builds)
        _refused_for_the_knob(capsys, *remote)


def _refused_for_the_knob(capsys: Capture, *words: object) -> None:
    for form in ("stream", "release"):
        assert run("generate", *words, "--format", form) == ExitCode.USAGE
        err = capsys.readouterr().err
        assert "error: stream-disk-images-skipped" in err
        assert "skip_disk_images" in err
        assert "4.19-9.6 has OCP content" in err

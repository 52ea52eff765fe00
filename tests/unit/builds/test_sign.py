"""`bootimg sign`, and what `check_signatures` says of the result; with a throw-away key of gpg's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.builds.find import find_build
from bootimg.builds.signing.gpg import Keys
from bootimg.builds.signing.signatures import SignatureFinding, SignatureState, check_signatures
from bootimg.cli.main import bootimg
from bootimg.errors import BootimgError, ExitCode
from tests.unit.builds.test_meta import X86, add_sbom, make_build

KEY, OTHER = "release@example.com", "other@example.com"
QEMU = "rhcos-1-qemu.x86_64.qcow2"
pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


def gpg(home: Path, *words: str) -> bytes:
    done = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--yes", *words], capture_output=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of gpg's with two keys that have no passphrase."""
    folder = tmp_path_factory.mktemp("g", numbered=True)
    folder.chmod(0o700)
    for name in (KEY, OTHER):
        gpg(folder, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
    yield folder
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)


@pytest.fixture
def builds(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GNUPGHOME", str(home))
    make_build(tmp_path, "1")
    return tmp_path


def sign(builds: Path, *words: str, code: int = ExitCode.OK) -> list[dict[str, Any]]:
    done = CliRunner().invoke(bootimg, ["sign", "-o", str(builds), "--json", *words])
    if done.exception is not None and code == ExitCode.OK:
        raise done.exception
    assert done.exit_code == code, done.output
    return list(json.loads(done.stdout)["signatures"]) if code == ExitCode.OK else []


def failing(builds: Path, *words: str) -> BootimgError:
    with pytest.raises(BootimgError) as caught:
        sign(builds, *words)
    return caught.value


def signatures(builds: Path) -> set[str]:
    return {each.name for each in builds.rglob("*.sig")}


def findings(builds: Path, *keys: Path, keyrings: tuple[Path, ...] = ()) -> dict[str, SignatureFinding]:
    found = check_signatures(find_build(builds, "1", X86), Keys(keys, keyrings))
    return {each.key: each for each in found}


def keyring(home: Path, path: Path, key: str) -> Path:
    """A keyring of gpg's with the public part of one key of another."""
    public = path.with_suffix(".gpg")
    public.write_bytes(gpg(home, "--export", key))
    # A socket's path has little room, and the tests' folders have long names.
    with TemporaryDirectory(prefix="g") as empty:
        words = ("--no-autostart", "--no-default-keyring", "--keyring", str(path), "--import", str(public))
        gpg(Path(empty), *words)
    return path


def test_every_artifact_gets_a_signature_that_gpg_takes(builds: Path, home: Path) -> None:
    assert [each["made"] for each in sign(builds, "latest", "--key", KEY)] == [True] * 3
    build = find_build(builds, "1", X86)
    for key in build.images:
        file = build.artifact(key)
        subprocess.run(
            ["gpg", "--homedir", home, "--verify", f"{file}.sig", file], check=True, capture_output=True
        )
        assert Path(f"{file}.sig").stat().st_mode & 0o222 == 0
    assert {each.state for each in findings(builds).values()} == {SignatureState.GOOD}
    assert not (build.path / ".scratch").exists()


def test_the_sbom_is_signed_with_the_artifacts(builds: Path) -> None:
    file = add_sbom(builds, "1")
    assert [each["key"] for each in sign(builds, "--key", KEY)] == ["ostree", "oci-manifest", "qemu", "sbom"]
    assert findings(builds)["sbom"].state is SignatureState.GOOD
    add_sbom(builds, "1", b"another")
    assert not Path(f"{file}.sig").exists()
    assert findings(builds)["sbom"].state is SignatureState.MISSING
    assert [each["key"] for each in sign(builds, "--key", KEY, "--artifact", "sbom")] == ["sbom"]
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    assert findings(builds)["sbom"].state is SignatureState.BAD
    assert failing(builds, "--key", KEY, "--force").id == "artifact-damaged"
    file.unlink()
    assert failing(builds, "--key", KEY).id == "artifact-missing"


def test_a_build_without_an_sbom_has_none_to_sign(builds: Path) -> None:
    assert failing(builds, "--key", KEY, "--artifact", "sbom").id == "artifact-missing"


def test_a_second_run_makes_nothing_and_force_makes_all(builds: Path) -> None:
    sign(builds, "--key", KEY)
    before = {path: path.stat().st_ino for path in builds.rglob("*.sig")}
    assert [each["made"] for each in sign(builds, "--key", KEY)] == [False] * 3
    assert {path: path.stat().st_ino for path in builds.rglob("*.sig")} == before
    assert [each["made"] for each in sign(builds, "--key", KEY, "--force")] == [True] * 3


def test_another_keys_signature_is_replaced_and_only_what_is_named_is_signed(builds: Path) -> None:
    (one,) = sign(builds, "--key", OTHER, "--artifact", "qemu")
    assert (one["key"], one["made"]) == ("qemu", True)
    assert signatures(builds) == {f"{QEMU}.sig"}
    assert [each["made"] for each in sign(builds, "--key", KEY, "--artifact", "qemu")] == [True]
    found = findings(builds)
    assert found["ostree"].state is SignatureState.MISSING
    assert found["qemu"].state is SignatureState.GOOD
    assert failing(builds, "--key", KEY, "--artifact", "aws").id == "artifact-missing"


def test_a_file_that_changed_has_a_bad_signature_and_is_not_signed(builds: Path) -> None:
    sign(builds, "--key", KEY)
    file = find_build(builds, "1", X86).artifact("qemu")
    file.chmod(0o644)
    file.write_bytes(b"CONTENT of qemu")
    found = findings(builds)["qemu"]
    assert found.state is SignatureState.BAD
    assert "BAD signature" in found.reason
    before = {path: path.read_bytes() for path in builds.rglob("*.sig")}
    assert failing(builds, "--key", KEY, "--force").id == "artifact-damaged"
    assert {path: path.read_bytes() for path in builds.rglob("*.sig")} == before


@pytest.mark.parametrize("text", [b"", b"no signature", b"\x88\x75" + bytes(50)])
def test_what_is_no_signature_is_bad_and_made_anew(builds: Path, text: bytes) -> None:
    (builds / "1" / "x86_64" / f"{QEMU}.sig").write_bytes(text)
    assert findings(builds)["qemu"].state is SignatureState.BAD
    sign(builds, "--key", KEY)
    assert findings(builds)["qemu"].state is SignatureState.GOOD


def test_keys_in_files_count_alone(builds: Path, home: Path, tmp_path: Path) -> None:
    sign(builds, "--key", KEY)
    right, wrong, none = tmp_path / "right.gpg", tmp_path / "wrong.asc", tmp_path / "none"
    right.write_bytes(gpg(home, "--export", KEY))
    wrong.write_bytes(gpg(home, "--armor", "--export", OTHER))
    none.write_bytes(b"nothing")
    found = findings(builds, right)
    assert {each.state for each in found.values()} == {SignatureState.GOOD}
    fingerprint = (
        gpg(home, "--with-colons", "--list-keys", KEY).decode().split("fpr:")[1].strip(":\n").split(":")[0]
    )
    assert found["qemu"].fingerprints == (fingerprint,)
    assert {each.state for each in findings(builds, wrong).values()} == {SignatureState.BAD}
    assert {each.state for each in findings(builds, wrong, right).values()} == {SignatureState.GOOD}
    with pytest.raises(BootimgError) as caught:
        findings(builds, none)
    assert caught.value.id == "sign-key-unknown"


def test_a_named_keyring_counts_alone(
    builds: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = (keyring(home, tmp_path / f"{name}.kbx", name) for name in (KEY, OTHER))
    sign(builds, "--key", KEY)
    assert {each.state for each in findings(builds, keyrings=(right,)).values()} == {SignatureState.GOOD}
    # Both keys are in the user's keyring, which trusts them.
    assert {each.state for each in findings(builds).values()} == {SignatureState.GOOD}
    assert {each.state for each in findings(builds, keyrings=(wrong,)).values()} == {SignatureState.BAD}
    assert {each.state for each in findings(builds, keyrings=(wrong, right)).values()} == {
        SignatureState.GOOD
    }
    monkeypatch.chdir(tmp_path)
    assert {each.state for each in findings(builds, keyrings=(Path(right.name),)).values()} == {
        SignatureState.GOOD
    }


def test_an_exported_keyring_of_an_old_gpg_counts_and_what_has_no_key_is_refused(
    builds: Path, home: Path, tmp_path: Path
) -> None:
    sign(builds, "--key", KEY)
    old, armored, empty = tmp_path / "old.gpg", tmp_path / "armored.asc", tmp_path / "empty"
    old.write_bytes(gpg(home, "--export", KEY))
    armored.write_bytes(gpg(home, "--armor", "--export", KEY))
    empty.touch()
    assert {each.state for each in findings(builds, keyrings=(old,)).values()} == {SignatureState.GOOD}
    for path in (armored, empty):
        before = path.read_bytes()
        with pytest.raises(BootimgError) as caught:
            findings(builds, keyrings=(path,))
        assert caught.value.id == "sign-key-unknown"
        assert path.read_bytes() == before


def test_sign_takes_its_key_from_the_named_keyring(builds: Path, home: Path, tmp_path: Path) -> None:
    ring = keyring(home, tmp_path / "release.kbx", KEY)
    assert failing(builds, "--key", OTHER, "--keyring", str(ring)).id == "sign-key-unknown"
    assert [each["made"] for each in sign(builds, "--key", KEY, "--keyring", str(ring))] == [True] * 3
    assert [each["made"] for each in sign(builds, "--key", KEY, "--keyring", str(ring))] == [False] * 3
    assert {each.state for each in findings(builds, keyrings=(ring,)).values()} == {SignatureState.GOOD}


def test_sign_and_verify_say_whose_keys_count(builds: Path, home: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(bootimg, ["sign", "-o", str(builds), "--key", KEY])
    assert f"of the user's keyring in {home}" in done.stderr
    ring = keyring(home, tmp_path / "release.kbx", KEY)
    said = CliRunner().invoke(bootimg, ["verify", "1", "-o", str(builds)]).stdout
    assert f"signatures were checked with the keys in the user's keyring in {home}" in said
    words = ["verify", "1", "-o", str(builds), "--json", "--keyring", str(ring)]
    assert json.loads(CliRunner().invoke(bootimg, words).stdout)["trusted-keys"] == str(ring)
    again = CliRunner().invoke(bootimg, words, env={"BOOTIMG_KEYRING": str(ring)}).stdout
    assert json.loads(again)["trusted-keys"] == str(ring)


def test_a_key_that_gpg_does_not_have(builds: Path) -> None:
    assert failing(builds, "--key", "nobody@example.com").id == "sign-key-unknown"
    assert signatures(builds) == set()


def test_someone_must_sign(builds: Path) -> None:
    for words in ([], ["--key", KEY, "--command", "x"], ["--command", "'"], ["--command", " "]):
        sign(builds, *words, code=ExitCode.USAGE)


# The command of a team's


def signer(tmp_path: Path, body: str) -> str:
    program = tmp_path / "a signer.py"
    program.write_text(f"import os, sys\nfile = sys.argv[-1]\n{body}\n")
    return f"{sys.executable} '{program}' --prod"


def test_a_teams_command_gets_each_file_and_the_environment(
    builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "t0ken")
    said = "[os.environ['TEAM_TOKEN'], *sys.argv[1:-1], open(file).read()]"
    body = f"open(file + '.sig', 'w').write(' '.join({said}))"
    made = sign(builds, "--command", signer(tmp_path, body))
    assert [each["made"] for each in made] == [True] * 3
    assert (builds / "1/x86_64" / f"{QEMU}.sig").read_text() == "t0ken --prod content of qemu"
    assert [each["made"] for each in sign(builds, "--command", signer(tmp_path, body))] == [False] * 3
    os.utime(builds / "1/x86_64" / f"{QEMU}.sig", (1, 1))
    again = sign(builds, "--command", signer(tmp_path, body))
    assert {each["key"] for each in again if each["made"]} == {"qemu"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("sys.exit('no' if 'qemu' in file else open(file + '.sig', 'w').write('s') and 0)", "program-failed"),
        ("'qemu' in file or open(file + '.sig', 'w').write('s')", "sign-failed"),
        ("open(file + '.sig', 'w').write('' if 'qemu' in file else 's')", "sign-failed"),
        ("open(file + '.sig', 'w').write('s' * (2000000 if 'qemu' in file else 1))", "sign-failed"),
        ("os.symlink('/etc/hostname', file + '.sig')", "sign-failed"),
    ],
    ids=["says no", "writes none", "empty", "huge", "link"],
)
def test_all_signatures_or_none(builds: Path, tmp_path: Path, body: str, error: str) -> None:
    assert failing(builds, "--command", signer(tmp_path, body)).id == error
    assert signatures(builds) == set()
    assert not (builds / "1/x86_64/.scratch").exists()


def test_a_command_that_is_not_there(builds: Path) -> None:
    assert failing(builds, "--command", "/no/such/program").id == "program-missing"


def test_a_damaged_file_is_seen_before_any_signature_is_made(builds: Path, tmp_path: Path) -> None:
    file = find_build(builds, "1", X86).artifact("qemu")
    file.chmod(0o644)
    file.write_bytes(b"CONTENT of qemu")
    called = tmp_path / "called"
    body = f"open({str(called)!r}, 'w'); open(file + '.sig', 'w').write('s')"
    assert failing(builds, "--command", signer(tmp_path, body)).id == "artifact-damaged"
    assert not called.exists()


def verified(builds: Path, *words: str | Path) -> set[tuple[str, str]]:
    """The findings of `bootimg verify` about signatures: rule and file."""
    done = CliRunner().invoke(bootimg, ["verify", "1", "-o", str(builds), "--json", *map(str, words)])
    found = json.loads(done.stdout)["findings"]
    return {(each["rule"], each["where"]) for each in found if each["rule"].startswith("signature")}


def test_verify_looks_at_the_signatures_that_are_there(builds: Path, home: Path, tmp_path: Path) -> None:
    assert verified(builds) == set()
    assert {rule for rule, _ in verified(builds, "--signed")} == {"signature-gone"}
    sign(builds, "--key", KEY, "--artifact", "qemu")
    build = find_build(builds, "1", X86)
    others = {build.artifact(key).name for key in build.images} - {QEMU}
    assert verified(builds) == {("signature-gone", name) for name in others}
    sign(builds, "--key", KEY)
    assert verified(builds, "--signed") == set()
    key = tmp_path / "other.gpg"
    key.write_bytes(gpg(home, "--export", OTHER))
    assert {rule for rule, _ in verified(builds, "--key", key)} == {"signature-bad"}
    with build.artifact("qemu").open("ab") as file:
        file.write(b"x")
    assert verified(builds) == {("signature-bad", QEMU)}

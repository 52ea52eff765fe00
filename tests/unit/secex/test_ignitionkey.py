"""The key pair for Ignition configs: gpg itself encrypts and decrypts with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg import process
from bootimg.errors import BootimgError
from bootimg.secex import ignitionkey
from bootimg.secex.ignitionkey import make_key_pair, require_memory_folder

# Too long to be in encrypted bytes by chance.
CONFIG = b'{"ignition": {"version": "3.4.0"}}'


@pytest.fixture
def home(tmp_path: Path) -> list[process.Argument]:
    """gpg with a key ring of its own; its agent ends with the folder."""
    if process.find("gpg") is None:
        pytest.skip("gpg is not installed")
    (tmp_path / "home").mkdir(mode=0o700)
    return ["gpg", "--homedir", tmp_path / "home", "--batch", "--trust-model", "always"]


def test_what_the_public_key_encrypts_the_private_one_decrypts(
    home: list[process.Argument], tmp_path: Path
) -> None:
    before = sorted(require_memory_folder().iterdir())
    pair = make_key_pair("Secure Execution (secex) 9.6")
    assert sorted(require_memory_folder().iterdir()) == before
    (tmp_path / "public").write_bytes(pair.public)
    (tmp_path / "config").write_bytes(CONFIG)
    words: list[process.Argument] = [
        "--recipient-file",
        tmp_path / "public",
        "--output",
        tmp_path / "encrypted",
        "--encrypt",
    ]
    process.run([*home, *words, tmp_path / "config"])
    assert CONFIG not in (tmp_path / "encrypted").read_bytes()
    process.run([*home, "--import"], input=pair.private)
    assert process.run([*home, "--decrypt", tmp_path / "encrypted"]).stdout == CONFIG
    shown = process.run([*home, "--list-keys", "--with-colons"]).stdout.decode().split("\n")
    key = next(line for line in shown if line.startswith("pub:")).split(":")
    # 4096 bits of RSA, for encryption (and, as every primary key, for certification).
    assert (key[2], key[3], set(key[11].lower())) == ("4096", "1", {"e", "c"})
    assert any("Secure Execution (secex) 9.6" in line for line in shown)
    assert repr(pair.private) not in repr(pair)


def test_without_a_folder_in_memory_there_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("tmpfs /dev/shm tmpfs rw 0 0\n/dev/vda1 /dev/shm ext4 rw 0 0\n")
    monkeypatch.setattr(ignitionkey, "_MOUNTS", mounts)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(BootimgError, match="private key") as caught:
        make_key_pair("name")
    assert caught.value.id == "memory-folder-missing"

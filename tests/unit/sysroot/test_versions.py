"""What differs by ostree's version."""

from __future__ import annotations

import pytest

from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.versions import OstreeRules, rules_of

FEATURES = b"inode64 initial-var libcurl libsoup3 gpgme"


def program(*strings: bytes) -> bytes:
    return b"\x7fELF\0" + b"\0".join(strings) + b"\0 more"


def test_version_and_features_are_read_from_the_program() -> None:
    assert rules_of(program(b"2025.2", FEATURES)) == OstreeRules((2025, 2), False)
    assert rules_of(program(FEATURES + b" composefs ex-fsverity", b"2024.10")) == OstreeRules(
        (2024, 10), True
    )


@pytest.mark.parametrize(
    ("strings", "reason"),
    [
        ((FEATURES,), "version of the layer's ostree is not found"),
        ((b"2025.2", b"2024.1", FEATURES), "version of the layer's ostree is not found"),
        ((b"2025.2",), "features of the layer's ostree are not found"),
        ((b"2020.8", FEATURES), "2020.8 is older"),
        ((), "version"),
    ],
)
def test_a_program_that_is_not_understood_is_left_to_the_appliance(
    strings: tuple[bytes, ...], reason: str
) -> None:
    with pytest.raises(NativeUnsupportedError, match=reason):
        rules_of(program(*strings))


@pytest.mark.parametrize(
    ("version", "written"),
    # For composefs.enabled = yes, not said, no.
    [
        ((2024, 2), (False, False, False)),
        ((2024, 3), (True, False, False)),
        ((2024, 9), (True, False, False)),
        ((2024, 10), (True, True, False)),
        ((2025, 1), (True, True, True)),
        ((2026, 4), (True, True, True)),
    ],
)
def test_when_a_composefs_image_is_written(version: tuple[int, int], written: tuple[bool, ...]) -> None:
    rules = OstreeRules(version, True)
    assert tuple(rules.writes_composefs(state) for state in ("yes", "", "no")) == written
    without = OstreeRules(version, False)
    assert not any(without.writes_composefs(state) for state in ("yes", "", "no"))


def test_what_changed_when() -> None:
    def at(version: tuple[int, int]) -> tuple[bool, ...]:
        rules = OstreeRules(version, False)
        return rules.backing, rules.var_of_commit, rules.osname_in_entry, rules.bootprefix

    assert at((2022, 7)) == (False, False, True, False)
    assert at((2024, 1)) == (True, False, True, True)
    assert at((2024, 4)) == (True, True, True, True)
    assert at((2024, 5)) == (True, True, False, True)

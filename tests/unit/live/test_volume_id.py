"""Volume ids of live ISOs."""

import pytest

from bootimg.errors import BootimgError
from bootimg.live.iso.volumeid import volume_id


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [
        ("rhcos", "9.6.20261101-0", "rhcos-9.6.20261101-0"),
        ("fedora-coreos", "43.20261110.dev.0", "fedora-coreos-43.20261110.dev.0"),
        ("fedora-coreos", "43.20261110.dev.1000", "fedora-coreos-43.20261110.dev.10"),
    ],
)
def test_it_is_the_name_and_the_version_cut_to_32(name: str, version: str, wanted: str) -> None:
    assert volume_id(name, version) == wanted


def test_a_cut_id_that_another_version_has_too_is_refused() -> None:
    assert volume_id("fedora-coreos", "43.20261110.dev.1000", ["43.20261110.dev.1000", "43.20261110.dev.20"])
    with pytest.raises(BootimgError) as caught:
        volume_id("fedora-coreos", "43.20261110.dev.1000", ["43.20261110.dev.1001"])
    assert caught.value.id == "volume-id-invalid"
    assert "43.20261110.dev.1001" in caught.value.message


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("x" * 31, "1"),
        ("x" * 40, "1"),
        ("rh cos", "1"),
        ("rhcos", "1\n"),
        ('rhcos"', "1"),
        ("", "1"),
        ("ü", "1"),
    ],
)
def test_what_gives_no_id_is_refused(name: str, version: str) -> None:
    with pytest.raises(BootimgError) as caught:
        volume_id(name, version)
    assert caught.value.id == "volume-id-invalid"

"""The names that Azure allows, the ranges of a page blob, and how its answers are understood."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core import exceptions
from bootimg_uploaders.azure.faults import converted, without_signatures
from bootimg_uploaders.azure.naming import blob_name, definition_name, region_name, version_name
from bootimg_uploaders.azure.pages import joined, page_parts

from bootimg.cloud.retry import TransientError
from bootimg.cloud.settings import Settings
from bootimg.disk.extents import FileSource
from bootimg.errors import BootimgError
from bootimg.sizes import KIB, MIB
from tests.support.disks import DISKS, make_disk, run


@dataclass
class Named:
    """What the names are made of."""

    build: str
    settings: Settings
    name: str = "rhcos"
    arch: str = "x86_64"


def named(build: str = "1", **settings: Any) -> Any:  # noqa: ANN401
    return Named(build, Settings("clouds.azure", settings))


@pytest.mark.parametrize(
    ("build", "version"),
    [("9.6.20261101-0", "9.6.2026110100"), ("9.6.20261101-12", "9.6.2026110112"), ("4.19.1", "4.19.1"),
     ("44.20261101.3.1", "44.20261101.301"), ("418.94.202501221327-0", None), ("9.6.20261101-100", None),
     ("rawhide", None), ("1.2", None), ("1.2.3.4.5", None), ("1.2.2147483648", None)],
)  # fmt: skip
def test_versions_are_three_numbers(build: str, version: str | None) -> None:
    if version is None:
        with pytest.raises(BootimgError) as error:
            version_name(named(build))
        assert error.value.id == "cloud-name-invalid"
        version, build = "1.2.3", "x"
        assert version_name(named(build, image_version=version)) == version
    else:
        assert version_name(named(build)) == version


@pytest.mark.parametrize("wanted", ["1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.-3"])
def test_a_version_of_the_settings_is_taken_as_it_is_or_refused(wanted: str) -> None:
    with pytest.raises(BootimgError) as error:
        version_name(named(image_version=wanted))
    assert error.value.id == "cloud-name-invalid"


@pytest.mark.parametrize("name", ["x" * 1021 + ".vhd", "disk.vhd.gz", "disk"])
def test_a_blob_s_name_that_azure_does_not_allow(name: str) -> None:
    task: Any = SimpleNamespace(content=SimpleNamespace(name=name))
    with pytest.raises(BootimgError) as error:
        blob_name(task)
    assert error.value.id == "cloud-name-invalid"
    task.content.name = "x" * 1020 + ".vhd"
    assert blob_name(task) == task.content.name


def test_definitions_may_have_a_name_for_each_architecture() -> None:
    assert definition_name(named()) == "rhcos-x86_64"
    assert definition_name(named(image_definition="fcos")) == "fcos"
    assert definition_name(named(image_definition={"x86_64": "a", "aarch64": "b"})) == "a"
    for wrong in (7, {"x86_64": 7}, "-x", "x" * 81, "a/b"):
        with pytest.raises(BootimgError):
            definition_name(named(image_definition=wrong))
    assert region_name("East US 2") == "eastus2"


@pytest.mark.parametrize("name", DISKS)
def test_parts_are_whole_pages_with_all_the_data(name: str, tmp_path: Path) -> None:
    size, data = DISKS[name]
    size = -(-size // 512) * 512
    raw = make_disk(tmp_path / "disk", size, data)
    with FileSource(raw) as source:
        parts = page_parts(source)
        found = bytearray(size)
        for part in parts:
            assert part.offset % 512 == part.length % 512 == 0
            assert 0 < part.length <= 4 * MIB
            found[part.offset : part.offset + part.length] = source.read(part.offset, part.length)
    assert found == raw.read_bytes()
    assert sum(part.length for part in parts) <= sum(length + 128 * KIB for _, length in data)
    assert len({part.number for part in parts}) == len(parts)


def test_of_a_file_system_little_more_than_its_data_is_sent(tmp_path: Path) -> None:
    """The goal is 1.03 bytes for each allocated byte; pieces have 64 KiB, and files need not."""
    folder, disk = tmp_path / "files", tmp_path / "disk"
    sizes = (int(1.6 ** (number % 30)) + number for number in range(500))
    for number, size in enumerate(sizes):
        (folder / f"{number % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 7}" / str(number)).write_bytes(os.urandom(size))
    run("mke2fs", "-q", "-t", "ext4", "-d", folder, disk, "256M")
    with FileSource(disk) as source:
        allocated = sum(each.length for each in source.extents() if each.data)
        sent = sum(part.length for part in page_parts(source))
    assert allocated > 16 * MIB
    assert sent <= 1.03 * allocated


def test_ranges_that_touch_are_joined() -> None:
    assert joined([(10, 20), (0, 10), (30, 40), (35, 50)]) == [(0, 20), (30, 50)]
    assert joined([]) == []


def answer(status: int, code: str, kind: Any = exceptions.HttpResponseError) -> Any:  # noqa: ANN401
    error = kind(message="sig=SECRET%3D&x AccountKey=SECRET; Bearer SECRET")
    error.status_code, error.error_code = status, code
    error.response = SimpleNamespace(headers={"Retry-After": "3"}, status_code=status)
    return error


@pytest.mark.parametrize(
    ("error", "found"),
    [(answer(503, "ServerBusy"), "transient"), (answer(429, ""), "transient"),
     (answer(409, "Conflict"), "AzureError"), (answer(400, "Md5Mismatch"), "transient"),
     (answer(401, "", exceptions.ClientAuthenticationError), "cloud-credentials-refused"),
     (answer(403, "AuthenticationFailed"), "cloud-credentials-refused"),
     (answer(403, "AuthorizationFailure"), "cloud-permission-missing"),
     (answer(404, "ContainerNotFound"), "cloud-bucket-missing"),
     (answer(404, "BlobNotFound"), "AzureError"), (answer(400, "Strange"), "AzureError"),
     (exceptions.ServiceRequestError("sig=SECRET"), "transient"),
     (exceptions.IncompleteReadError("x"), "transient"), (exceptions.AzureError("MD5 mismatch"), "transient"),
     (exceptions.ClientAuthenticationError("sig=SECRET"), "cloud-credentials-missing")],
)  # fmt: skip
def test_errors_of_the_sdk(error: Exception, found: str) -> None:
    with pytest.raises(Exception) as raised, converted("blob:Call", scrub=without_signatures):
        raise error
    value = raised.value
    if found == "transient":
        assert isinstance(value, TransientError)
        assert value.after == (3 if getattr(error, "response", None) else 0)
    elif found == "AzureError":
        assert type(value).__name__ == found
    else:
        assert isinstance(value, BootimgError)
        assert value.id == found
        assert "SECRET" not in " ".join([*value.context, value.message])
    assert "SECRET" not in str(value)

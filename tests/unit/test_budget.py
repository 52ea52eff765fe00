"""The budget of an image: what it counts, where it refuses, and how its limits are raised."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bootimg.errors import BootimgError, ExitCode
from bootimg.sizes import GIB, MIB
from bootimg.untrusted.budget import Budget
from bootimg.untrusted.files import open_regular, read_start
from bootimg.untrusted.limits import DEFAULT, Limit, Limits, shown

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
LOW = Limits(layers=2, members=2, unpacked=2, ratio=2, names=2, metadata=2, link_steps=2, cpu=0)
CHARGES: dict[Limit, Callable[[Budget], None]] = {
    Limit.LAYERS: lambda budget: budget.layer("here"),
    Limit.MEMBERS: lambda budget: budget.member("here"),
    Limit.UNPACKED: lambda budget: budget.unpack(1, "here"),
    Limit.NAMES: lambda budget: budget.name(0, "here"),
    Limit.METADATA: lambda budget: budget.hold(1, "here"),
    Limit.LINK_STEPS: lambda budget: budget.steps(1, "here"),
}


def refusal(work: Callable[[], object]) -> BootimgError:
    with pytest.raises(BootimgError) as error:
        work()
    return error.value


@pytest.mark.parametrize("limit", CHARGES)
def test_what_is_beyond_a_limit_is_refused_and_says_how_to_raise_it(limit: Limit) -> None:
    budget = Budget(LOW)
    CHARGES[limit](budget)
    CHARGES[limit](budget)
    error = refusal(lambda: CHARGES[limit](budget))
    assert (error.id, error.context) == ("image-over-budget", ("met at here",))
    assert f"the limit `{limit}`" in error.message
    assert error.hint
    option = error.hint.rpartition(" ")[2]
    assert LOW.with_texts([option]).of(limit) > LOW.of(limit)


def test_the_ratio_counts_beyond_a_free_amount() -> None:
    budget = Budget(Limits(ratio=10))
    budget.pack(50, "a")
    budget.unpack(GIB, "a")
    assert "`ratio`" in refusal(lambda: budget.unpack(1, "a")).message
    budget = Budget(Limits(ratio=10))
    budget.pack(GIB // 2, "a")
    budget.pack(GIB // 2, "b")
    budget.unpack(10 * GIB, "b")
    assert "`ratio`" in refusal(lambda: budget.unpack(1, "b")).message


def test_zeros_that_become_holes_have_a_wider_ratio_and_take_no_room() -> None:
    budget = Budget(Limits(ratio=10, unpacked=GIB))
    budget.pack(GIB, "a")
    budget.hole(40 * GIB, "a")
    budget.unpack(GIB, "a")
    assert "`ratio`" in refusal(lambda: budget.hole(1, "a")).message


def test_blobs_that_are_larger_than_what_they_may_unpack_to_are_refused() -> None:
    assert refusal(lambda: Budget(Limits(unpacked=10)).pack(11, "a")).id == "image-over-budget"


def test_cpu_time_counts_only_while_the_image_is_worked_on() -> None:
    budget = Budget(Limits(cpu=0))
    budget.tick("here", 10_000)
    with budget.working(), budget.working():
        error = refusal(lambda: budget.tick("here", 10_000))
    assert "`cpu`" in error.message
    assert 0 < budget.seconds < 60


def test_a_fork_has_used_as_much_and_another_start_nothing() -> None:
    budget = Budget(Limits(names=3))
    budget.name(5, "a")
    fork = budget.fork()
    fork.name(1, "b")
    fork.name(1, "c")
    assert refusal(lambda: fork.name(1, "d")).id == "image-over-budget"
    assert (budget.used[Limit.NAMES], budget.used[Limit.METADATA]) == (1, 5)
    assert budget.again().used[Limit.NAMES] == 0
    assert budget.again().limits.names == 3


def test_limits_are_written_as_people_write_them() -> None:
    found = DEFAULT.with_texts(["names=7", "unpacked=100G", "cpu=5m", "link-steps=9", "names=8"])
    assert (found.names, found.unpacked, found.cpu, found.link_steps) == (8, 100 * GIB, 300, 9)
    assert found.metadata == DEFAULT.metadata


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("files=7", "limit-malformed"),
        ("names", "limit-malformed"),
        ("names=-1", "limit-malformed"),
        ("names=1_0", "limit-malformed"),
        ("layers=\u0665", "limit-malformed"),
        ("names=" + "9" * 5000, "limit-malformed"),
        ("unpacked=much", "size-malformed"),
        ("cpu=60", "duration-malformed"),
    ],
)
def test_a_malformed_limit_is_a_usage_error(text: str, id: str) -> None:
    error = refusal(lambda: DEFAULT.with_texts([text]))
    assert (error.id, error.exit_code) == (id, ExitCode.USAGE)


def test_the_table_of_limits_has_each_with_its_default() -> None:
    rows = {line.split("`")[1]: line for line in SECURITY.read_text().splitlines() if line.startswith("| `")}
    for limit in Limit:
        assert f"| {shown(limit, DEFAULT.of(limit))} |" in rows[limit.value]


def test_the_defaults_leave_room_above_the_largest_images() -> None:
    """A file of ostree's layers has three members, an object and a path; a node image has 6 GiB."""
    assert DEFAULT.names >= 4 * 5 * 60_000
    # Measured on such layers, and a fifth of the directories stand twice in a commit.
    assert DEFAULT.metadata >= 4 * (60_000 * 740 + 12_000 * 1024)
    assert DEFAULT.unpacked >= 4 * 6 * GIB
    assert DEFAULT.layers >= 4 * 125
    assert DEFAULT.metadata <= 256 * MIB


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_only_regular_files_are_opened(kind: str, tmp_path: Path) -> None:
    import os
    import socket

    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    error = refusal(lambda: open_regular(path))
    assert error.id == "file-not-regular"
    assert kind in error.message


def test_a_regular_file_is_read_to_one_byte_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_start(tmp_path / "x", 3) == b"1234"
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "y")

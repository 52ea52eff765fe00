"""One cluster for all tests of the tier, and the table that is printed after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, running_cluster, why_not
from tests.cluster.layers import push_small_layers
from tests.cluster.machine.containers import Usage, watched
from tests.cluster.measured import Measured
from tests.cluster.publishing import Published

_MEASURED = pytest.StashKey[Measured]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASURED] = Measured()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for each in items:
        if each.path.is_relative_to(here):
            each.add_marker(pytest.mark.cluster)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := [*config.stash[_MEASURED].lines()]:
        terminalreporter.section("times, processors and memory of the stages")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def layers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The small layers' name in the cluster's registry."""
    return push_small_layers(cluster.space, tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="session")
def published(
    cluster: Cluster,
    layers: str,
    measured: Measured,
    usage: Usage,
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """What an undisturbed run of the whole pipeline has published, fetched again."""
    folder = tmp_path_factory.mktemp("published")
    found = Published.of_team(cluster, "undisturbed", "us-east-1", layers, folder)
    run = found.start()
    run.wait()
    measured.add("whole pipeline", run, usage)
    found.fetch()
    return replace(found, run=run)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Measured:
    return pytestconfig.stash[_MEASURED]


@pytest.fixture(scope="session")
def usage(cluster: Cluster) -> Iterator[Usage]:
    with watched() as found:
        yield found

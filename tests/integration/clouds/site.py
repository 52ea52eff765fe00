"""Runs the verbs of a cloud on a build in a folder, and reads what they leave."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bootimg.cache import Cache
from bootimg.cloud.lifecycle import Report
from bootimg.cloud.verbs import Verb
from bootimg.errors import ExitCode
from bootimg.events import Events
from bootimg.orchestrator.uploading.request import CloudRequest
from bootimg.orchestrator.uploading.run import run_cloud_verb
from tests.integration.clouds.commands import failing, invoke
from tests.support.builds.filebuilds import make_file_build
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.clouds.faultproxy import Proxy


def retire(builds: Path, platform: str, request: Mapping[str, Any]) -> Report:
    """Retire the images of a platform."""
    wanted = CloudRequest(verb=Verb.RETIRE, builds=builds, platforms=(platform,), **request)
    (report,) = run_cloud_verb(wanted, Cache(builds.parent / "cache"), Events())
    return report


@dataclass(kw_only=True)
class CloudSite(ABC):
    """The proxy before a cloud, and a folder with builds."""

    proxy: Proxy
    builds: Path
    platform: str

    @property
    def path(self) -> Path:
        """The folder of the build."""
        return next(self.builds.glob(f"{BUILD}/*/meta.json")).parent

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The words that every command has."""

    def build(self) -> Self:
        """Make the build."""
        make_file_build(self.builds, self.platform)
        return self

    def run(self, verb: str, *words: object, code: int = ExitCode.OK) -> dict[str, Any]:
        """What a verb says of each place."""
        done = invoke(verb, self.builds, *self.words, *words)
        assert done.exit_code == code, done.output
        (found,) = json.loads(done.stdout)["uploads"]
        self.calls = [(each["operation"], each["times"]) for each in found["calls"]]
        return {each["place"]: each for each in found["places"]}

    def error(self, verb: str, *words: object) -> Any:  # noqa: ANN401
        """The error of a verb in its one place."""
        done = invoke(verb, self.builds, *self.words, *words)
        (found,) = json.loads(done.stdout)["uploads"][0]["places"]
        assert done.exit_code == found["error"]["exit-code"]
        return found["error"]

    def refusal(self, verb: str, *words: object) -> Any:  # noqa: ANN401
        """The error that a verb raises before it begins."""
        return failing(verb, self.builds, *self.words, *words)

    def retired(self, **request: Any) -> dict[str, str]:  # noqa: ANN401
        """Retire the images, and return the state of each place."""
        report = retire(self.builds, self.platform, request)
        return {each.place: each.error.id if each.error else each.state for each in report.results}

    def entries(self) -> list[dict[str, str]]:
        """The entries in meta.json."""
        found: list[dict[str, str]] = self.meta().get(self.platform, [])
        return found

    def meta(self) -> dict[str, Any]:
        """The build's meta.json."""
        found: dict[str, Any] = json.loads((self.path / "meta.json").read_text())
        return found

    def change_meta(self, **changes: object) -> None:
        """Change the build's meta.json."""
        (self.path / "meta.json").write_text(json.dumps({**self.meta(), **changes}))

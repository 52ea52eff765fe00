"""What `--registry` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bootimg.cli.options.cloudoptions import CloudArguments, show_reports
from bootimg.cli.output.session import App

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.untrusted.limits import Limits


def push(
    app: App, cloud: CloudArguments, targets: Sequence[str], registry: RegistryOptions, limits: Limits
) -> None:
    """Push to registries and print what was done; exits with 4 if it failed somewhere."""
    from bootimg.cloud.verbs import Verb
    from bootimg.orchestrator.uploading.destinations import parse_target
    from bootimg.orchestrator.uploading.pushplans import RegistryRequest
    from bootimg.orchestrator.uploading.registries import push_to_registries
    from bootimg.streams.pipeline.config import read_stream_config, read_streams_file

    stream = read_stream_config(read_streams_file(cloud.streams), cloud.stream) if cloud.stream else None
    words = {
        key: cloud.request[key] for key in ("which", "builds", "arch", "platforms", "retry_for", "dry_run")
    }
    found = [parse_target(each) for each in targets]
    request = RegistryRequest(targets=found, stream=stream, options=registry, limits=limits, **words)
    show_reports(
        app, Verb.UPLOAD, push_to_registries(request, app.cache, app.events), dry_run=request.dry_run
    )

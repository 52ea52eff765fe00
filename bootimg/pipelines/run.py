"""The PipelineRun of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from bootimg.errors import BootimgError, ExitCode
from bootimg.pipelines.shipped import PIPELINE
from bootimg.pipelines.stages import builds_url_of
from bootimg.streams.pipeline.config import StreamConfig

Json = dict[str, Any]
_LABEL_LIMIT = 63
_PREFIX_LIMIT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a stream is run on a cluster.  A name is that of an object in the namespace.

    With `arch_nodes` each architecture is built on a node of its own; `cache_claim` is a
    PersistentVolumeClaim for what is kept between builds.  `run_as` is the user id of the pods, where the
    cluster picks none.  `timeout` is Tekton's for the whole run.
    """

    image: str
    namespace: str | None = None
    layer: str | None = None
    builds_url: str | None = None
    stream_url: str | None = None
    site_url: str | None = None
    published: str | None = None
    endpoint: str | None = None
    tls_verify: bool = True
    gpg_key: str | None = None
    signatures: bool = False
    replicate: bool = False
    config_map: str = "bootimg-config"
    s3_secret: str | None = None
    registry_secret: str | None = None
    sign_secret: str | None = None
    cache_claim: str | None = None
    arch_nodes: bool = False
    service_account: str | None = None
    run_as: int | None = None
    timeout: str = "12h"


def pipeline_run(config: StreamConfig, options: RunOptions) -> Json:
    """The PipelineRun, to be created: each run gets a name of its own.

    Errors: `pipeline-bucket-missing`, `pipeline-cache-shared`.
    """
    if options.arch_nodes and options.cache_claim:
        raise BootimgError(
            "pipeline-cache-shared",
            "one volume cannot be the cache of builds on several nodes",
            context=[f"the claim {options.cache_claim} would keep all of them on one node"],
            hint="leave out --cache-claim, or build all architectures on one node",
            exit_code=ExitCode.USAGE,
        )
    namespace = {"namespace": options.namespace} if options.namespace else {}
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "generateName": f"bootimg-{_name(config.name)}-",
            **namespace,
            "labels": {"app.kubernetes.io/part-of": "bootimg", "bootimg/stream": _label(config.name)},
        },
        "spec": {
            "pipelineRef": {"name": PIPELINE},
            "params": [{"name": name, "value": value} for name, value in _params(config, options)],
            "workspaces": [*_workspaces(options)],
            "taskRunTemplate": _template(options),
            **({"taskRunSpecs": [_ON_ITS_ARCH]} if options.arch_nodes else {}),
            "timeouts": {"pipeline": options.timeout},
        },
    }


_ON_ITS_ARCH = {
    "pipelineTaskName": "build",
    "podTemplate": {"nodeSelector": {"kubernetes.io/arch": "$(params.arch)"}},
}


def as_yaml(run: Json, config: StreamConfig) -> str:
    """The PipelineRun as a file for `kubectl create -f`."""
    lines = [f"# The stream {config.name}: {', '.join(config.arches)}."]
    if config.skip_disk_images:
        lines.append("# It skips disk images: no clouds, no release.json, no stream metadata.")
    return "\n".join([*lines, yaml.safe_dump(run, sort_keys=False, width=110)])


def _params(config: StreamConfig, options: RunOptions) -> Iterator[tuple[str, str]]:
    bucket = config.uploads.bucket
    found = {
        "stream": config.name,
        "image": options.image,
        "layer": options.layer,
        "builds-url": options.builds_url or builds_url_of(config),
        "stream-url": options.stream_url,
        "site-url": options.site_url,
        "published": options.published,
        "s3-endpoint-url": options.endpoint,
        "s3-acl": bucket.acl if bucket else None,
        "gpg-key": options.gpg_key,
    }
    yield from ((name, value) for name, value in found.items() if value)
    # Tekton's parameters are texts, so the flags are words.
    flags = {"tls-verify": options.tls_verify, "signatures": options.signatures or bool(options.gpg_key),
             "replicate": options.replicate}  # fmt: skip
    yield from ((name, "true" if value else "false") for name, value in flags.items())


def _workspaces(options: RunOptions) -> Iterator[Json]:
    yield {"name": "config", "configMap": {"name": options.config_map}}
    secrets = {"s3": options.s3_secret, "registry": options.registry_secret, "sign": options.sign_secret}
    for name, secret in secrets.items():
        if secret:
            yield {"name": name, "secret": {"secretName": secret}}
    if options.cache_claim:
        yield {"name": "cache", "persistentVolumeClaim": {"claimName": options.cache_claim}}


def _template(options: RunOptions) -> Json:
    """What the pods of all tasks have; OpenShift picks user and group itself."""
    security: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if options.run_as is not None:
        security |= {"runAsUser": options.run_as, "runAsGroup": 0, "fsGroup": options.run_as}
    account = {"serviceAccountName": options.service_account} if options.service_account else {}
    return {**account, "podTemplate": {"securityContext": security}}


def _name(stream: str) -> str:
    """The stream in the name of an object, which has no dots in Tekton."""
    return re.sub(r"[^a-z0-9]+", "-", stream.lower()).strip("-")[:_PREFIX_LIMIT].strip("-") or "stream"


def _label(stream: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stream)[:_LABEL_LIMIT].strip("-_.")

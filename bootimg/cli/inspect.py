"""`bootimg inspect`: what a layer, a disk image or a build is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg.arch import Arch
from bootimg.atomic import scratch_folder
from bootimg.cli.app import App
from bootimg.cli.options import arch_option, builds_option, common, registry_options
from bootimg.cli.subject import is_disk, named_build
from bootimg.cli.unpacked import plain_image
from bootimg.printable import printable
from bootimg.sizes import format_size
from bootimg.vm.image import image_format

if TYPE_CHECKING:
    from bootimg.layer.fetch import RegistryOptions

Json = dict[str, Any]


@click.command(
    epilog="""\
\b
Examples:
  bootimg inspect quay.io/fedora/fedora-coreos:stable
  bootimg inspect disk.qcow2
  bootimg inspect latest --json"""
)
@common
@click.argument("what", metavar="IMAGE|FILE|BUILD")
@arch_option
@builds_option
@registry_options
def command(app: App, what: str, arch: Arch, builds: Path, registry: RegistryOptions) -> None:
    """Say what a layer, a disk image or a build is.

    A path that is there is what it is: a build's folder, an image in an archive or a folder, else a disk;
    archives and disks may be compressed.  A word is `latest` or the id of a build if there is one, else an
    image.
    """
    path = Path(what)
    if build := named_build(what, builds, arch):
        from bootimg.build.inspection import inspect_build

        document = inspect_build(build)
    elif is_disk(path):
        document = _disk(app, path)
    else:
        from bootimg.build.inspection import inspect_image
        from bootimg.layer.fetch import fetch

        image = fetch(what, arch=arch, cache=app.cache, events=app.events, registry=registry)
        document = inspect_image(image, app.cache, app.events)
    lines = {"build": build_lines, "disk": disk_lines, "image": image_lines}[document["kind"]]
    app.result(document, "\n".join(map(printable, lines(document))))


def _disk(app: App, path: Path) -> Json:
    from bootimg.disk.inspection import inspect_disk

    # In the cache, for the root filesystem is copied: /tmp may be memory.
    tmp = app.cache.folder("tmp")
    with scratch_folder(tmp, "inspect-") as folder, plain_image(path, app.cache, app.events) as disk:
        document = inspect_disk(disk, image_format(disk), folder)
    size = path.stat().st_size if path.is_file() else document["virtual-size"]
    return {**document, "path": str(path), "size": size}


def build_lines(document: Json) -> Iterator[str]:
    """A build for people."""
    yield f"build      {document['build']}   {document['arch']}   {document['path']}"
    yield f"version    {document['version']}"
    yield f"commit     {document['commit']}"
    sbom = {"sbom": document["sbom"]} if document["sbom"] else {}
    for key, entry in {**document["images"], **sbom}.items():
        size = format_size(entry["size"]) if "size" in entry else ""
        missing = "" if entry["present"] else "   missing"
        yield f" {key:<15} {entry['path']}   {size}   sha256:{entry.get('sha256', '')}{missing}"


def disk_lines(document: Json) -> Iterator[str]:
    """A disk image for people."""
    size, virtual = format_size(document["size"]), format_size(document["virtual-size"])
    sector = document["sector-size"]
    yield f"disk       {document['path']}   {document['format']}   {size}, {virtual} virtual"
    yield f"table      GPT {document['disk-guid']}, sectors of {sector} bytes"
    for each in document["partitions"]:
        found = each["filesystem"]
        kind = f"{found['type']} {found['label'] or ''} {found['uuid'] or ''}".rstrip() if found else "-"
        yield f" {each['number']:>3} {each['name']:<12} {format_size(each['size']):>10}   {kind}"
    yield from _root_lines(document["root"] or {})
    boot = document["boot"]
    if boot is None:
        yield "boot       there is no partition called boot"
        return
    yield f"ignition   {boot['ignition-platform'] or 'no platform'}"
    yield f"first boot {'not yet' if boot['first-boot'] else 'done, or not wanted'}"
    for command in boot["console"] or ():
        yield f"console    {command}"
    for entry in boot["entries"]:
        yield f"entry      {entry['file']}: {entry.get('title', '')}"
        yield f"  linux    {entry.get('linux', '')}"
        yield f"  options  {' '.join(entry['options'])}"


def _root_lines(root: Json) -> Iterator[str]:
    if root.get("problem"):
        yield f"root       {root['problem']['message']}"
    for each in root.get("deployments", ()):
        yield f"deployed   {each['commit']} in {each['stateroot']}"
        yield from (f"  origin   {key}={value}" for key, value in (each["origin"] or {}).items())
    yield from (f"aleph      {key}: {json.dumps(value)}" for key, value in (root.get("aleph") or {}).items())


def image_lines(document: Json) -> Iterator[str]:
    """A layer for people."""
    yield f"image      {document['reference']}"
    yield f"digest     {document['digest']}"
    yield f"version    {document['version'] or 'none'}   {document['osname']}   {document['arch']}"
    yield f"layers     {document['layers']}, {format_size(document['size'])}"
    layer = document["layer"]
    if layer is None:
        yield f"problem    no disk can be made of it: {document['problem']['message']}"
    else:
        commit = f", commit {layer['commit']}" if layer["commit"] else ""
        yield f"form       {layer['form']}{commit}"
        yield f"tree       {layer['files']} files, {format_size(layer['tree-size'])}"
        yield f"kernel     {layer['kernel']}"
        yield f"arguments  {' '.join(layer['kernel-arguments'])}"
        yield f"SELinux    {layer['selinux-policy'] or 'no policy'}"
        yield f"bootupd    {'yes' if layer['bootupd'] else 'no'}"
        yield from (f"image.json {key}: {json.dumps(value)}" for key, value in layer["image-json"].items())
    yield from (f"label      {key}={value}" for key, value in sorted(document["labels"].items()))
    yield from (f"package    {each['nevra']}" for each in document["packages"] or ())

"""`bootimg inspect`: what a layer, a disk image, a live ISO or a build contains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bootimg.arch import Arch
from bootimg.cli.options.common import arch_option, builds_option, common, limit_option, registry_options
from bootimg.cli.output.isolines import build_live_rows, iso_lines
from bootimg.cli.output.session import App
from bootimg.cli.output.table import table
from bootimg.sizes import format_size
from bootimg.untrusted.limits import Limits

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions

Json = dict[str, Any]


@click.command(
    epilog="""\
\b
Examples:
  bootimg inspect quay.io/fedora/fedora-coreos:stable
  bootimg inspect disk.qcow2
  bootimg inspect live.iso
  bootimg inspect latest --json"""
)
@common
@click.argument("what", metavar="IMAGE|FILE|BUILD")
@arch_option
@builds_option
@registry_options
@limit_option
def command(app: App, what: str, arch: Arch, builds: Path, registry: RegistryOptions, limits: Limits) -> None:
    """Show what a layer, a disk image, a live ISO or a build contains.

    An existing path is inspected: a build's folder, an image in an archive or a folder, else a disk or an
    ISO; archives, disks and ISOs may be compressed.  Another argument is `latest` or the id of an existing
    build, else the reference of an image.
    """
    from bootimg.api.looking import inspect

    document = inspect(
        what,
        arch=arch,
        builds=builds,
        registry=registry,
        limits=limits,
        cache=app.idle_cache.root,
        events=app.events,
    )
    kinds = {"build": build_lines, "disk": disk_lines, "image": image_lines, "iso": iso_lines}
    lines = kinds[document["kind"]]
    app.result(document, "\n".join(lines(document, app.width)))


def build_lines(document: Json, width: int | None = None) -> Iterator[str]:
    """The lines that describe a build, for a terminal of this width."""
    yield from table([
        ("build", f"{document['build']}   {document['arch']}   {document['path']}"),
        ("version", str(document["version"])),
        ("commit", str(document["commit"])),
    ], width=width)  # fmt: skip
    rows = [("ARTIFACT", "FILE", "SIZE", "SHA256", "")]
    beside = {key: document[key] for key in ("sbom", "provenance") if document.get(key)}
    for key, entry in {**document["images"], **beside}.items():
        size = format_size(entry["size"]) if "size" in entry else ""
        rows.append(
            (key, entry["path"], size, entry.get("sha256", ""), "" if entry["present"] else "missing")
        )
    yield ""
    yield from table(rows, width=width, header=True, right={2}, cut=3)
    if document["live"]:
        yield ""
        yield from table([*build_live_rows(document["live"])], width=width)


def disk_lines(document: Json, width: int | None = None) -> Iterator[str]:
    """The lines that describe a disk image."""
    size, virtual = format_size(document["size"]), format_size(document["virtual-size"])
    sector = document["sector-size"]
    yield from table([
        ("disk", document["path"]),
        ("format", f"{document['format']}, {size}, {virtual} virtual"),
        ("table", f"GPT {document['disk-guid']}, sectors of {sector} bytes"),
    ], width=width)  # fmt: skip
    yield ""
    rows = [("#", "PARTITION", "SIZE", "TYPE", "LABEL", "UUID"), *map(_partition, document["partitions"])]
    yield from table(rows, width=width, header=True, right={0, 2}, indent=1)
    yield ""
    rows = [*_root(document["root"] or {}), *_boot(document["boot"]), *_zipl(document["zipl"])]
    yield from table(rows, width=width)


def _partition(partition: Json) -> tuple[str, ...]:
    found = partition["filesystem"] or {}
    place = (str(partition["number"]), partition["name"], format_size(partition["size"]))
    kind = found.get("type") or ("boot code" if partition["boot-code"] else "-")
    return (*place, kind, found.get("label") or "", found.get("uuid") or "")


def _root(root: Json) -> Iterator[tuple[str, str]]:
    if root.get("problem"):
        yield "root", root["problem"]["message"]
    for each in root.get("deployments", ()):
        yield "deployed", f"{each['commit']} in {each['stateroot']}"
        yield from (("  origin", f"{key}={value}") for key, value in (each["origin"] or {}).items())
    aleph = root.get("aleph") or {}
    yield from (("aleph", line) for key, value in aleph.items() for line in _flat(key, value))


def _flat(name: str, value: object) -> Iterator[str]:
    """A JSON value as lines; each member of an object gets its own line."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{name} {key}", inner)
    else:
        yield f"{name}: {json.dumps(value)}"


def _boot(boot: Json | None) -> Iterator[tuple[str, str]]:
    if boot is None:
        yield "boot", "no partition is called boot"
        return
    yield "ignition", boot["ignition-platform"] or "no platform"
    yield "first boot", "not yet" if boot["first-boot"] else "done, or not wanted"
    yield from (("console", command) for command in boot["console"] or ())
    for entry in boot["entries"]:
        yield "entry", f"{entry['file']}: {entry.get('title', '')}"
        yield "  linux", entry.get("linux", "")
        yield "  options", " ".join(entry["options"])
        if entry["fault"] is not None:
            yield "  fault", entry["fault"]


def _zipl(zipl: Json | None) -> Iterator[tuple[str, str]]:
    if zipl is None:
        return
    if zipl["problem"]:
        yield "zipl", zipl["problem"]["message"]
        return
    if zipl["secure"]:
        yield "zipl", f"{'starts' if zipl['kernel'] else 'does not start'} the encrypted image"
        return
    wrong = [what for what in ("kernel", "initramfs") if not zipl[what]]
    yield "zipl", f"not with the entry's {' and '.join(wrong)}" if wrong else "starts the entry's files"
    yield "  options", " ".join(zipl["arguments"])


def image_lines(document: Json, width: int | None = None) -> Iterator[str]:
    """The lines that describe a layer."""
    packages = [("package", each["nevra"]) for each in document["packages"] or ()]
    labels = [("label", f"{key}={value}") for key, value in sorted(document["labels"].items())]
    yield from table([*_image(document), *labels, *packages], width=width)


def _image(document: Json) -> Iterator[tuple[str, str]]:
    yield "image", document["reference"]
    yield "digest", document["digest"]
    yield "version", f"{document['version'] or 'none'}   {document['osname']}   {document['arch']}"
    yield "layers", f"{document['layers']}, {format_size(document['size'])}"
    layer = document["layer"]
    if layer is None:
        yield "problem", f"no disk can be made from it: {document['problem']['message']}"
        return
    yield "form", layer["form"] + (f", commit {layer['commit']}" if layer["commit"] else "")
    yield "tree", f"{layer['files']} files, {format_size(layer['tree-size'])}"
    yield "kernel", layer["kernel"]
    yield "arguments", " ".join(layer["kernel-arguments"])
    yield "SELinux", layer["selinux-policy"] or "no policy"
    yield "bootupd", "yes" if layer["bootupd"] else "no"
    yield from (("image.json", f"{key}: {json.dumps(value)}") for key, value in layer["image-json"].items())

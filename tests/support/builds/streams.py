"""A tree of builds as the pipeline publishes it: what RHEL CoreOS 9.8 has for each architecture."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME, STREAM, VERSION = "rhcos", "rhel-9.8", "9.8.20260428-0"
BASE = "https://rhcos.mirror.openshift.com/art/storage/prod/streams"
LIVE = {
    "live-iso": ("live-iso", ".iso"), "live-kernel": ("live-kernel", ""),
    "live-initramfs": ("live-initramfs", ".img"), "live-rootfs": ("live-rootfs", ".img"),
}  # fmt: skip
QCOW2, RAW = "qcow2.gz", "raw.gz"
EVERYWHERE = {"metal": RAW, "metal4k": RAW, "openstack": QCOW2, "qemu": QCOW2}
IMAGES = {
    "x86_64": EVERYWHERE | {"aws": "vmdk.gz", "azure": "vhd.gz", "azurestack": "vhd.gz", "gcp": "tar.gz",
                            "ibmcloud": QCOW2, "kubevirt": "ociarchive", "nutanix": "qcow2",
                            "vmware": "ova"},
    "aarch64": EVERYWHERE | {"aws": "vmdk.gz", "azure": "vhd.gz", "gcp": "tar.gz", "nvidiabluefield": "bfb"},
    "ppc64le": EVERYWHERE | {"powervs": "ova.gz"},
    "s390x": EVERYWHERE | {"ibmcloud": QCOW2, "kubevirt": "ociarchive", "qemu-secex": QCOW2},
}  # fmt: skip
# As the real files have it: a tar.gz counts as what it is, an ova.gz as compressed.
PLAIN = {"tar.gz", "ociarchive", "qcow2", "ova", "bfb"}
REGIONS = ("us-east-1", "us-gov-west-1", "eu-central-1")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def content(path: str) -> bytes:
    """What the file of that name holds where a test downloads it."""
    return f"content of {path}".encode()


def image(path: str, *, compressed: bool) -> dict[str, Any]:
    entry = {"path": path, "sha256": hashlib.sha256(content(path)).hexdigest(), "size": len(content(path))}
    return entry | (
        {"uncompressed-sha256": digest(f"plain {path}"), "uncompressed-size": 9} if compressed else {}
    )


def meta(arch: str, version: str = VERSION, stream: str = STREAM) -> dict[str, Any]:
    """A build's meta.json, uploads included."""
    stem = f"{NAME}-{version}"
    images = {"ostree": image(f"{stem}-ostree.{arch}.ociarchive", compressed=False)}
    for key, suffix in IMAGES[arch].items():
        images[key] = image(f"{stem}-{key}.{arch}.{suffix}", compressed=suffix not in PLAIN)
    for key, (name, suffix) in LIVE.items():
        images[key] = image(f"{stem}-{name}.{arch}{suffix}", compressed=False)
    if arch == "s390x":
        images["ignition-gpg-key"] = image(f"{stem}-ignition-gpg-key.s390x.gpg.pub", compressed=False)
    return {
        "buildid": version, "name": NAME, "ostree-commit": "ab" * 32, "ostree-version": version,
        "ostree-timestamp": "2026-04-28T10:00:00Z", "coreos-assembler.basearch": arch,
        "coreos-assembler.oci-imported": True,
        "coreos-assembler.oci-imported-labels": {"com.coreos.stream": stream}, "images": images,
        **uploads(arch, version, stem),
    }  # fmt: skip


def _amis(version: str, what: str) -> list[dict[str, str]]:
    return [
        {"name": each, "hvm": f"ami-{digest(version + what + each)[:17]}", "snapshot": "snap-1"}
        for each in REGIONS
    ]


def _azure(stem: str, arch: str) -> dict[str, str]:
    blob = f"{stem}-azure.{arch}.vhd"
    return {"image": blob, "url": f"https://rhcos.blob.core.windows.net/imagebucket/{blob}"}


def _gcp(stem: str, arch: str) -> dict[str, str]:
    name = f"{stem}-gcp-{arch}".replace(".", "-").replace("_", "-")
    return {
        "image": name,
        "url": f"https://storage.googleapis.com/rhcos/{name}.tar.gz",
        "project": "rhcos-cloud",
    }


def _kubevirt(version: str) -> dict[str, Any]:
    repo = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
    return {
        "image": repo,
        "digest": f"sha256:{digest(version)}",
        "tags": [f"{version}-kubevirt", "rhel-9.8-coreos-kubevirt"],
    }


def _objects(stem: str) -> list[dict[str, str]]:
    name = f"{stem.replace('.', '-')}-ppc64le-powervs.ova.gz"
    return [
        {"region": region, "object": name, "bucket": f"rhcos-powervs-images-{region}",
         "url": f"https://s3.{region}.example.com/rhcos-powervs-images-{region}/{name}?a=1&b=<2>"}
        for region in ("us-east", "eu-de")
    ]  # fmt: skip


def uploads(arch: str, version: str, stem: str) -> dict[str, Any]:
    """What the uploaders of an architecture's images left."""
    found: dict[str, Any] = {}
    if arch in ("x86_64", "aarch64"):
        found |= {"amis": _amis(version, arch), "azure": _azure(stem, arch), "gcp": _gcp(stem, arch)}
    if arch in ("x86_64", "s390x"):
        found["kubevirt"] = _kubevirt(version)
    if arch == "x86_64":
        found["aws-winli"] = _amis(version, "winli")
    if arch == "ppc64le":
        found["powervs"] = _objects(stem)
    return found


def sold(offer: str, sku: str) -> dict[str, str]:
    return {"publisher": "redhat", "offer": offer, "sku": sku, "version": "4.18.2025031114"}


MARKETPLACE: dict[str, Any] = {
    "x86_64": {
        "azure": {
            "no-purchase-plan": {"hyperVGen1": sold("aro4", "aro_420"), "hyperVGen2": sold("aro4", "420-v2")},
            "ocp": {"hyperVGen2": sold("rh-ocp-worker", "rh-ocp-worker")},
            "oke": {"hyperVGen1": sold("rh-oke-worker", "rh-oke-worker-gen1")},
            "ocp-emea": {"hyperVGen2": sold("rh-ocp-worker", "rh-ocp-worker")},
        }
    },
    "s390x": {},
}


def write_builds(
    builds: Path, version: str = VERSION, *, files: bool = False, changes: Mapping[str, object] | None = None
) -> Path:
    """The build of all architectures below `builds`; with `files` what can be downloaded, and signatures."""
    for arch in IMAGES:
        folder = builds / version / arch
        folder.mkdir(parents=True)
        found = meta(arch, version) | dict(changes or {})
        (folder / "meta.json").write_text(json.dumps(found, indent=4))
        for entry in found["images"].values() if files else ():
            (folder / entry["path"]).write_bytes(content(entry["path"]))
            (folder / f"{entry['path']}.sig").write_bytes(b"a signature")
    listed = {"schema-version": "1.0.0", "builds": [{"id": version, "arches": [*IMAGES]}]}
    (builds / "builds.json").write_text(json.dumps(listed))
    return builds


def every_version(checkout: str, *paths: str) -> Iterator[bytes]:
    """What git has of these files, or of those below these folders, in all branches: each content once."""

    def git(*words: str) -> bytes:
        return subprocess.run(["git", "-C", checkout, *words], check=True, capture_output=True).stdout

    raw = git("log", "--all", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", *paths)
    blobs = {line.split(b"\t")[0].split()[3].decode() for line in raw.splitlines()}
    for blob in sorted(each for each in blobs if each.strip("0")):
        yield git("cat-file", "blob", blob)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP on the loopback interface: its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

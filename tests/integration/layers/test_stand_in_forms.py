"""The forms of the stand-in layer, and the flavour with the real CoreOS tools inside."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.integration.layers.test_stand_in import merged, output
from tests.layer import Flavour, Form, Request, Variant, derived, stand_in, tools, why_not

pytestmark = pytest.mark.real


class Image:
    """An OCI archive, read by its digests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = tarfile.open(path)  # noqa: SIM115
        self.manifest: dict[str, Any] = self._json(self._read_json("index.json")["manifests"][0])
        self.config: dict[str, Any] = self._json(self.manifest["config"])

    def _read(self, name: str) -> bytes:
        member = self._archive.extractfile(name)
        assert member
        return member.read()

    def _read_json(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self._read(name)))

    def _json(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        return self._read_json(f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}")

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.config["config"]["Labels"])

    def layer(self, index: int) -> tarfile.TarFile:
        digest = self.manifest["layers"][index]["digest"].removeprefix("sha256:")
        return tarfile.open(fileobj=io.BytesIO(gzip.decompress(self._read(f"blobs/sha256/{digest}"))))

    @cached_property
    def layers(self) -> list[tarfile.TarFile]:
        return [self.layer(index) for index in range(len(self.manifest["layers"]))]


def image(form: Form, flavour: Flavour = Flavour.DEBIAN) -> Image:
    if reason := why_not(Request(flavour, form)):
        pytest.skip(reason)
    return Image(stand_in(flavour, form))


def names(layer: tarfile.TarFile) -> list[str]:
    return [name.removeprefix("./") for name in layer.getnames()]


@pytest.fixture(scope="module")
def chunked() -> Image:
    return image(Form.CHUNKED)


@pytest.fixture(scope="module")
def encapsulated() -> Image:
    return image(Form.ENCAPSULATED)


@pytest.fixture(scope="module")
def derived_image() -> Image:
    return image(Form.DERIVED)


@pytest.fixture(scope="module")
def pulled(derived_image: Image, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The derived image in a repository."""
    return pull(derived_image.path, tmp_path_factory.mktemp("pulled"), "bare-user")


def pull(archive: Path, folder: Path, mode: str) -> tuple[Path, str]:
    """A repository that the real `ostree container image pull` has filled, and the ref of the image."""
    repo = folder / "repo"
    output("ostree", f"--repo={repo}", "init", f"--mode={mode}")
    program = tools.program(tools.OSTREE_EXT)
    output(
        program,
        "container",
        "image",
        "pull",
        "--quiet",
        repo,
        f"ostree-unverified-image:oci-archive:{archive}",
    )
    [ref] = output("ostree", f"--repo={repo}", "refs", "--list", "ostree/container/image").split()
    return repo, ref


def test_the_chunked_form_has_many_layers_and_nothing_of_ostree(chunked: Image) -> None:
    assert len(chunked.manifest["layers"]) > 40
    assert chunked.labels["containers.bootc"] == "1"
    assert not [name for name in chunked.labels if name.startswith("ostree")]
    assert not chunked.manifest.get("annotations")
    paths = [name for layer in chunked.layers for name in names(layer)]
    assert not [path for path in paths if path.startswith(("sysroot/", "usr/etc"))]
    assert "etc/passwd" in paths


def test_the_chunked_form_has_each_file_once_and_all_of_them(chunked: Image) -> None:
    files = [member.name for layer in chunked.layers for member in layer if not member.isdir()]
    assert len(files) == len(set(files))
    with tarfile.open(stand_in()) as archive:
        plain_blobs = len(archive.getnames())
    assert plain_blobs < 10, "the plain form stays the one with few layers"
    assert {"usr/bin/bash", "usr/lib/os-release", "usr/share/rpm/rpmdb.sqlite", "bin"} <= set(files)
    history = [entry["created_by"] for entry in chunked.config["history"]]
    assert {"systemd", "kernel-core", "initramfs", "unpackaged"} <= set(history)


def test_the_encapsulated_form_is_a_commit_split_by_packages(encapsulated: Image) -> None:
    layers, labels = encapsulated.manifest["layers"], encapsulated.labels
    assert 40 < len(layers) < 100
    commit = labels["ostree.commit"]
    first = {member.name for member in encapsulated.layer(0) if not member.isdir()}
    assert f"sysroot/ostree/repo/objects/{commit[:2]}/{commit[2:]}.commit" in first
    assert all(name.startswith("sysroot/ostree/") for name in first), "only directories of the tree"
    assert labels["ostree.final-diffid"] == encapsulated.config["rootfs"]["diff_ids"][-1]
    assert labels["ostree.bootable"] == "true" and labels["containers.bootc"] == "1"
    components = [layer["annotations"]["ostree.components"] for layer in layers[1:]]
    assert {"systemd", "kernel-core", "initramfs", "unpackaged"} <= set(components)


def test_an_encapsulated_layer_links_files_to_objects(encapsulated: Image) -> None:
    components = [
        layer.get("annotations", {}).get("ostree.components") for layer in encapsulated.manifest["layers"]
    ]
    bash = encapsulated.layer(components.index("bash"))
    member = bash.getmember("usr/bin/bash")
    assert member.islnk() and member.linkname.startswith("sysroot/ostree/repo/objects/")
    assert bash.getmember("etc/bash.bashrc").islnk(), "what the commit has in usr/etc is in etc"


def test_the_next_version_brings_few_layers(encapsulated: Image) -> None:
    changed = Image(stand_in(form=Form.ENCAPSULATED, variant=Variant.CHANGED))
    old = {layer["digest"] for layer in encapsulated.manifest["layers"]}
    commit, *content = [layer for layer in changed.manifest["layers"] if layer["digest"] not in old]
    assert commit == changed.manifest["layers"][0]
    components = {layer["annotations"]["ostree.components"] for layer in content}
    assert components == {"basesystem", "dosfstools", "unpackaged"}, (
        "os-release, the package, the RPM database"
    )


def test_the_derived_form_adds_two_layers_to_the_encapsulated(
    encapsulated: Image, derived_image: Image
) -> None:
    lower = [layer["digest"] for layer in encapsulated.manifest["layers"]]
    assert [layer["digest"] for layer in derived_image.manifest["layers"]][:-2] == lower
    assert derived_image.labels["ostree.commit"] == encapsulated.labels["ostree.commit"]
    listed = names(derived_image.layer(-2))
    assert {"usr/bin/.wh.zstdgrep", "etc/skel/.wh..bash_logout", "usr/share/licenses/.wh.zstd"} <= set(listed)
    assert {*derived.CHANGED, *derived.ADDED, derived.LINK[0], "usr/share/rpm/rpmdb.sqlite"} <= set(listed)
    assert names(derived_image.layer(-1)) == []
    history = derived_image.config["history"]
    assert history[-1]["empty_layer"] and "empty_layer" not in history[-2]
    with_layer = [entry for entry in history if not entry.get("empty_layer")]
    assert len(with_layer) == len(derived_image.manifest["layers"])


def test_ostree_takes_the_derived_image(pulled: tuple[Path, str], encapsulated: Image) -> None:
    repo, ref = pulled
    base = encapsulated.labels["ostree.commit"]

    def listed(commit: str, folder: str) -> set[str]:
        lines = output("ostree", f"--repo={repo}", "ls", commit, folder).splitlines()
        return {line.split()[4].removeprefix("/") for line in lines}

    for path in derived.REMOVED:
        here = path.replace("etc/", "usr/etc/", 1) if path.startswith("etc/") else path
        folder = f"/{here.rpartition('/')[0]}"
        assert here in listed(base, folder) and here not in listed(ref, folder)
    for path, content in derived.ADDED.items():
        here = path.replace("etc/", "usr/etc/", 1) if path.startswith("etc/") else path
        assert output("ostree", f"--repo={repo}", "cat", ref, f"/{here}").encode() == content


def test_the_commit_has_the_labels_of_the_trees_policy(pulled: tuple[Path, str], encapsulated: Image) -> None:
    repo, _ = pulled
    commit = encapsulated.labels["ostree.commit"]
    shown = output("ostree", f"--repo={repo}", "ls", "-X", commit, "/usr/bin/sudo", "/usr/bin/arping")
    assert "system_u:object_r:sudo_exec_t:s0" in shown and "security.capability" in shown
    metadata = output("ostree", f"--repo={repo}", "show", "--raw", commit)
    for key in ("'ostree.bootable': <true>", "'version': <'9.6.20261101-0'>", "'ostree.linux'"):
        assert key in metadata


@pytest.fixture(scope="module")
def coreos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The unpacked tree of the flavour `coreos`."""
    if os.geteuid() != 0:
        pytest.skip("only root can unpack a tree with its owners")
    archive = image(Form.PLAIN, Flavour.COREOS).path
    folder = tmp_path_factory.mktemp("coreos")
    yield merged(archive, folder)
    output("rm", "-rf", folder)


@pytest.mark.parametrize(
    ("argv", "version"),
    [
        (("coreos-installer", "--version"), "0.27.0"),
        (("rdcore", "--version"), "0.27.0"),
        (("bootupctl", "--version"), "0.3.2"),
        (("/usr/lib/dracut/modules.d/30ignition/ignition", "--version"), "2.24.0"),
        (("ostree", "container", "image", "--help"), "deploy"),
        (("skopeo", "--version"), "1."),
        (("grub2-install", "--version"), "2.14"),
    ],
)
def test_the_tools_run_in_the_tree(coreos: Path, argv: tuple[str, ...], version: str) -> None:
    done = subprocess.run(["chroot", coreos, *argv], capture_output=True, check=True)
    assert version in (done.stdout + done.stderr).decode()


def test_bootupd_finds_what_it_installs(coreos: Path) -> None:
    updates = coreos / "usr/lib/bootupd/updates"
    bios, efi = (json.loads((updates / f"{name}.json").read_bytes()) for name in ("BIOS", "EFI"))
    assert bios["version"].startswith("grub2-tools-1:2.14")
    assert "grub2-2.14" in efi["version"] and "shim-" in efi["version"]
    configs = coreos / "usr/lib/bootupd/grub2-static"
    assert "blscfg" in (configs / "configs.d/10_blscfg.cfg").read_text()
    assert "ignition.firstboot" in (configs / "configs.d/05_ignition.cfg").read_text()
    assert (configs / "grub-static-pre.cfg").exists() and (configs / "grub-static-efi.cfg").exists()
    assert (coreos / "usr/bin/bootupctl").readlink() == Path("../libexec/bootupd")


def test_the_coreos_tree_has_no_baggage(coreos: Path) -> None:
    assert not (coreos / "usr/lib/cni").exists()
    assert (coreos / "usr/share/coreos-installer/example-config.yaml").stat().st_size
    rpms = output("rpm", f"--dbpath={coreos}/usr/share/rpm", "-qa", "--qf", "%{NAME}-%{VERSION}\n").split()
    assert {"ignition-2.24.0", "bootupd-0.3.2", "coreos-installer-0.27.0"} <= set(rpms)
    (initramfs,) = (coreos / "usr/lib/modules").glob("*/initramfs.img")
    plain = subprocess.run(["zstd", "-dc", initramfs], check=True, stdout=subprocess.PIPE).stdout
    listed = subprocess.run(["cpio", "--list", "--quiet"], input=plain, check=True, stdout=subprocess.PIPE)
    names_in = set(listed.stdout.decode().splitlines())
    assert {"usr/bin/ignition", "usr/bin/rdcore", "usr/sbin/coreos-boot-edit"} <= names_in

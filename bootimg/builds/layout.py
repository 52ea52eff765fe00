"""The file names of the builds tree; coreos-assembler and its consumers use the same names."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.targets import ARCHIVE, PROVENANCE, SBOM

META = "meta.json"
BUILDS = "builds.json"
LATEST = "latest"
COMMIT_META = "commitmeta.json"
"""coreos-assembler's record of a build's commit."""
PRUNED = ".pruned"
"""The mark in a build's folder, beside its architectures, that the build is being removed."""
UPLOAD = ".bootimg-upload-"
"""How the names of journals and locks of uploads begin."""
SIGNATURE = ".sig"
"""The suffix of a detached signature, after its file's full name."""
BUNDLE = ".sigstore.json"
"""The suffix of a Sigstore bundle, after its file's full name."""
SIGNATURES = (SIGNATURE, BUNDLE)


def build_folder(builds: Path, build_id: str, arch: Arch) -> Path:
    """The folder of one build of one architecture."""
    return builds / build_id / arch.value


def artifact_name(name: str, build_id: str, platform: str, arch: Arch, suffix: str) -> str:
    """The file name of a platform's artifact; `suffix` without its dot, empty for a live kernel."""
    stem = f"{name}-{build_id}-{platform}.{arch.value}"
    return f"{stem}.{suffix}" if suffix else stem


def ociarchive_name(name: str, build_id: str, arch: Arch) -> str:
    """The file name of the layer itself, `images.ostree`."""
    return ARCHIVE.files[0].file_name(name, build_id, arch)


def sbom_name(name: str, build_id: str, arch: Arch) -> str:
    """The file name of the SPDX document of the layer."""
    return SBOM.files[0].file_name(name, build_id, arch)


def provenance_name(name: str, build_id: str, arch: Arch) -> str:
    """The file name of the in-toto statement about a build."""
    return PROVENANCE.file_name(name, build_id, arch)


def oci_manifest_name(name: str, build_id: str, arch: Arch) -> str:
    """The file name of the layer's manifest, `images.oci-manifest`."""
    return ARCHIVE.files[1].file_name(name, build_id, arch)

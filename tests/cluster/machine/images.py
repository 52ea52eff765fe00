"""Container images of single files, as archives that containerd imports: without a registry or an engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Image:
    """An image: `files` are this machine's files by their path in it, `links` the targets of its symlinks."""

    name: str
    files: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Sequence[str] = ("tmp", "etc")
    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def write(self, archive: Path) -> None:
        """The image as a docker-archive."""
        layer = self._layer()
        digest = hashlib.sha256(layer).hexdigest()
        config = json.dumps(self._config(digest)).encode()
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": config_name, "RepoTags": [self.name], "Layers": [f"{digest}.tar"]}]
        with tarfile.open(archive, "w") as output:
            _add(output, config_name, config)
            _add(output, f"{digest}.tar", layer)
            _add(output, "manifest.json", json.dumps(manifest).encode())

    def _config(self, digest: str) -> dict[str, object]:
        env = {"PATH": "/bin:/usr/bin", **self.environment}
        return {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(self.entrypoint),
                "Env": [f"{name}={value}" for name, value in env.items()],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }

    def _layer(self) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as output:
            for name in self._all_folders():
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
                output.addfile(entry)
            for name, source in self.files.items():
                _add(output, name, source.read_bytes())
            for name, target in self.links.items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                output.addfile(entry)
        return data.getvalue()

    def _all_folders(self) -> list[str]:
        names = [*self.folders, *(str(PurePosixPath(each).parent) for each in (*self.files, *self.links))]
        found = {str(each) for name in names for each in (PurePosixPath(name), *PurePosixPath(name).parents)}
        return sorted(found - {"."})


def _add(output: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o755
    output.addfile(entry, io.BytesIO(data))

"""Running skopeo: its version, its options for registries, and what its failures mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootimg import defaults, process
from bootimg.atomic import no_space, scratch_folder
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.fetching.skopeofailure import explain
from bootimg.layer.image.blobs import BlobStore
from bootimg.layer.image.fetched import Image, hex_of

MINIMUM = (1, 6)
"""The first version with `copy --preserve-digests`."""
PACKAGES = "skopeo (apt install skopeo, dnf install skopeo)"


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """How to connect to a registry.  Secrets stay in files and are never arguments."""

    authfile: Path | None = None
    cert_dir: Path | None = None
    tls_verify: bool = defaults.TLS_VERIFY

    def arguments(self, prefix: str = "") -> list[str]:
        """skopeo's options; `prefix` is `src-` for copies."""
        words = []
        if self.authfile:
            words += [f"--{prefix}authfile", str(self.authfile.absolute())]
        if self.cert_dir:
            words += [f"--{prefix}cert-dir", str(self.cert_dir.absolute())]
        if not self.tls_verify:
            words += [f"--{prefix}tls-verify=false"]
        return words


def check_version() -> None:
    """`program-missing` or `program-too-old` unless skopeo can preserve digests."""
    program = process.require("skopeo", packages=PACKAGES)
    text = process.run([program, "--version"]).stdout.decode(errors="replace")
    match = re.search(r"(\d+)\.(\d+)", text)
    if not match or (int(match[1]), int(match[2])) < MINIMUM:
        raise BootimgError(
            "program-too-old",
            f"skopeo {'.'.join(map(str, MINIMUM))} or newer is needed",
            context=[f"{program} says: {text.strip()[:100]}"],
            hint=f"install a newer {PACKAGES}",
            exit_code=ExitCode.ENVIRONMENT,
        )


def skopeo(
    arguments: Sequence[str], reference: str, *, scratch: Path, timeout: float, cwd: Path | None = None
) -> bytes:
    """Run skopeo in the folder `cwd` (`scratch` by default) and return its stdout.

    Its temporary files go below `scratch`.  Local paths in references are relative to `cwd`: skopeo ends the
    path of `oci:` at the first colon, and the path of the cache may have colons.
    """
    env = {"TMPDIR": str(scratch)}
    if authfile := os.environ.get("REGISTRY_AUTH_FILE"):
        env["REGISTRY_AUTH_FILE"] = str(Path(authfile).absolute())
    done = process.run(["skopeo", *arguments], env=env, cwd=cwd or scratch, timeout=timeout, check=False)
    if done.returncode:
        if b"no space left" in done.stderr:
            raise no_space(scratch)
        raise explain(done, reference)
    return done.stdout


def take(folder: Path, image: Image, store: BlobStore) -> None:
    """Move the blobs of a skopeo `dir:` into the store; skopeo has checked their digests."""
    for blob in image.layers:
        path = folder / hex_of(blob.digest)
        if path.exists():
            path.chmod(0o644)
            path.replace(store.path(blob.digest))


@contextmanager
def scratch(cache: Cache) -> Iterator[Path]:
    """A temporary folder on the cache's own filesystem."""
    with scratch_folder(cache.folder("tmp"), "fetch-") as folder:
        yield folder

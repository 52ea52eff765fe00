"""The archive of a copied image: readable by skopeo, and without a word of who copied it and when."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.layer.fetching.imagecopy import copy_archive
from bootimg.layer.fetching.skopeo import RegistryOptions
from tests.support.layers import oci


def test_the_archive_is_the_image_and_nothing_of_this_machine(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.tar(oci.file("a", b"a")), oci.tar(oci.file("b", bytes(3 << 20)))])
    found = []
    for name in ("one", "two"):
        out = tmp_path / name / "out.ociarchive"
        image = copy_archive(
            f"oci:{layout.path}", Arch.X86_64, out, Cache(tmp_path / name / "cache"), RegistryOptions()
        )
        found.append(out.read_bytes())
        assert len(image.layers) == 2
        argv = ["skopeo", "inspect", f"oci-archive:{out}"]
        said = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
        assert said["Digest"] == image.digest
        assert said["Layers"] == [blob.digest for blob in image.layers]
    assert found[0] == found[1]
    with tarfile.open(out) as archive:
        owners = {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in archive}
    assert owners == {(0, 0, "", "", 0)}

"""Images of every platform through compress, uncompress and compress again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootimg.arch import Arch
from tests.unit.orchestrator.test_compress import made_for, require_same_images_back


@pytest.mark.parametrize("arch", [Arch.X86_64, Arch.PPC64LE])
def test_every_platform_s_image_comes_back_as_it_was(tmp_path: Path, arch: Arch) -> None:
    require_same_images_back(tmp_path, arch, {*made_for(arch)})

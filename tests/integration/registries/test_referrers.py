"""What refers to the images of a build in a real registry: SBOM, provenance, bundles, signature."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.builds.folder import open_build
from bootimg.builds.made import Made
from bootimg.builds.provenance.writing import write_provenance
from bootimg.builds.record import Record, change_record
from bootimg.builds.signing.bundle import BUNDLE_TYPE, parse_bundle
from bootimg.builds.signing.cosignkey import read_public_key
from bootimg.cli.main import bootimg
from bootimg.cloud.registries.manifests import SIGNATURE_TYPE, SPDX_TYPE
from tests.support.faultproxy import Proxy
from tests.support.registrybuilds import BUILD, make_builds, meta, tagged
from tests.unit.builds.test_attest import cosign_keys

INTOTO = "application/vnd.in-toto+json"
STATEMENTS = {SPDX_TYPE, INTOTO, BUNDLE_TYPE}


def invoke(*words: object) -> dict[str, Any]:
    done = CliRunner().invoke(bootimg, [*map(str, words), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found

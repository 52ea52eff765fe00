"""`bootimg upload` for GCP, against fake-gcs-server and Compute Engine's images as Google describes them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from click.testing import CliRunner

from bootimg.arch import Arch
from bootimg.cli.main import bootimg
from tests.integration.clouds.commands import meta, run
from tests.integration.clouds.gcp.commands import FAMILY, KEY, NAME, family, upload, words
from tests.integration.clouds.gcp.conftest import PROJECT
from tests.support.clouds.cloudbuilds import BUILD, make_gcp_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictgoogle import BUCKET, StrictGoogle
from tests.support.disks import pieces

ADDRESS = f"https://storage.googleapis.com/{BUCKET}/{KEY}"
COMMON = {"VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "UEFI_COMPATIBLE", "IDPF"}
X86 = {"SEV_CAPABLE", "SEV_SNP_CAPABLE", "TDX_CAPABLE", "SEV_LIVE_MIGRATABLE_V2"}


def test_the_object_is_the_disk_and_the_image_has_the_attributes(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    path, raw = build
    found = upload(tmp_path / "builds", proxy, "--public", "--tag", "team=coreos")
    assert found["places"][0]["state"] == "done"
    entry = {"image": NAME, "url": ADDRESS, "project": PROJECT}
    assert meta(path)["gcp"] == entry == found["places"][0]["entry"]
    (image,) = google.compute.inserted
    assert {each["type"] for each in image.pop("guestOsFeatures")} == COMMON | X86
    assert image == {
        "name": NAME, "architecture": "X86_64", "rawDisk": {"source": ADDRESS},
        "description": f"rhcos {BUILD} x86_64",
        "licenses": ["https://compute.googleapis.com/compute/v1/projects/vm-options/global/licenses/enable-vmx"],
        "labels": {"team": "coreos", "bootimg-sha256": meta(path)["images"]["gcp"]["sha256"][:63],
                   "bootimg-build": BUILD.replace(".", "-")},
    }  # fmt: skip
    policy = google.compute.policies[PROJECT, NAME]
    assert policy["bindings"] == [{"role": "roles/compute.imageUser", "members": ["allAuthenticatedUsers"]}]
    data = google.object(KEY)
    assert data == (path / meta(path)["images"]["gcp"]["path"]).read_bytes()
    (tmp_path / "disk.tar.gz").write_bytes(data)
    subprocess.run(["tar", "-xSzf", "disk.tar.gz"], cwd=tmp_path, check=True)
    assert (tmp_path / "disk.raw").stat().st_size == raw.stat().st_size
    assert pieces(tmp_path / "disk.raw") == pieces(raw)
    assert proxy.count("chunk") == 3


def test_a_second_upload_and_one_on_another_machine_only_look(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    path, _ = build
    upload(tmp_path / "builds", proxy, "--public", *family())
    before, sent = (path / "meta.json").read_bytes(), len(proxy.requests)
    found = upload(tmp_path / "builds", proxy, "--public", *family())
    assert (found["places"][0]["state"], found["calls"]) == ("was there", [])
    assert (path / "meta.json").read_bytes() == before
    assert {each.action for each in proxy.requests[sent:]} == {"images.get", "images.getIamPolicy"}
    (path / ".bootimg-upload-gcp.ndjson").unlink()
    document = {key: value for key, value in meta(path).items() if key != "gcp"}
    (path / "meta.json").write_text(json.dumps(document))
    upload(tmp_path / "builds", proxy, "--public", *family())
    assert meta(path)["gcp"] == {"image": NAME, "url": ADDRESS, "project": PROJECT, "family": FAMILY}
    # The object alone is found too.
    google.compute.images.clear()
    upload(tmp_path / "builds", proxy)
    assert proxy.count("begin") == 1
    assert len(google.compute.inserted) == 2


def test_a_dry_run_lists_the_calls_and_makes_none(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    path, _ = build
    before = sorted(each.name for each in path.iterdir())
    found = upload(tmp_path / "builds", proxy, "--dry-run", "--public", *family())
    assert [(each["operation"], each["times"]) for each in found["calls"]] == [
        ("storage.objects.insert", 3), ("compute.images.insert", 1), ("compute.images.deprecate", 1),
        ("compute.images.patch", 1), ("compute.images.setIamPolicy", 1),
    ]  # fmt: skip
    assert {each.action for each in proxy.requests} == {"images.get", "objects.get"}
    assert sorted(each.name for each in path.iterdir()) == before


def test_settings_of_the_streams_file_and_aarch64(google: StrictGoogle, proxy: Proxy, tmp_path: Path) -> None:
    path, _ = make_gcp_build(tmp_path / "builds", arch=Arch.AARCH64, data=((0, 4096),))
    (tmp_path / "config.yaml").write_text(f"""
streams: {{stable: {{type: production}}}}
clouds:
  gcp:
    bucket: {BUCKET}/art
    description: "RHCOS ${{STREAM}} ${{BUILDID}} ${{BASEARCH}}"
    family: {{x86_64: "rhcos-${{STREAM}}", aarch64: "rhcos-${{STREAM}}-arm64"}}
    licenses: [our-licence, "https://example.com/licence"]
    project: other-project
    public: true
""")
    run(
        "upload",
        tmp_path / "builds",
        *words(proxy),
        "--streams",
        tmp_path / "config.yaml",
        "--stream",
        "stable",
    )
    (image,) = google.compute.inserted
    assert (image["architecture"], image["description"]) == ("ARM64", f"RHCOS stable {BUILD} aarch64")
    assert {each["type"] for each in image["guestOsFeatures"]} == COMMON
    licence = "https://www.googleapis.com/compute/v1/projects/other-project/global/licenses/our-licence"
    assert image["licenses"] == [licence, "https://example.com/licence"]
    name = NAME.replace("x86-64", "aarch64")
    assert google.compute.images["other-project", name]["family"] == "rhcos-stable-arm64"
    assert meta(path)["gcp"]["family"] == "rhcos-stable-arm64"
    assert ("other-project", name) in google.compute.policies


def test_the_stream_names_the_image(
    google: StrictGoogle, proxy: Proxy, build: tuple[Path, Path], tmp_path: Path
) -> None:
    upload(tmp_path / "builds", proxy, *family())
    argv = ["stream", "generate", "-o", tmp_path / "builds", "--name", "rhel-9.6", "--no-signatures",
            "--published", "https://example.com/builds"]  # fmt: skip
    done = CliRunner().invoke(bootimg, list(map(str, argv)))
    assert done.exit_code == 0, done.output
    images = json.loads(done.stdout)["architectures"]["x86_64"]["images"]
    assert images["gcp"] == {"release": BUILD, "project": PROJECT, "family": FAMILY, "name": NAME}

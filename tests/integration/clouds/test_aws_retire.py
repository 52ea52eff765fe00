"""`bootimg retire` for AWS: images and snapshots in every region, by a policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootimg.errors import ExitCode
from tests.integration.clouds.commands import HOME, failing, meta, places, run, upload
from tests.integration.clouds.processes import killed_at
from tests.support.builds.oldbuilds import old_meta, write_old_builds
from tests.support.clouds.cloudbuilds import BUILD, make_aws_build
from tests.support.clouds.faultproxy import DENIED, Fault, Proxy, Request
from tests.support.clouds.strictaws import StrictAws

OTHERS = ("eu-west-1", "eu-west-2", "eu-west-3")
EVERYWHERE = (HOME, *OTHERS)


def registered(aws: StrictAws, tmp_path: Path, *regions: str) -> Path:
    """A build with images in these regions, by default in all."""
    name = f"rhcos-{BUILD}-x86_64"
    tags = {"Name": name, "bootimg:build": f"{BUILD}/x86_64"}
    amis = [aws.register(each, name, tags) for each in regions or EVERYWHERE]
    return write_old_builds(tmp_path / "builds", {BUILD: [old_meta(BUILD, amis=amis)]})


def uploaded(tmp_path: Path) -> Path:
    """A build with images that were uploaded, in one region also with a licence of Windows."""
    make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    upload(tmp_path / "builds", "--variant", "aws-winli", "--set", "winli_billing_code=bp-1")
    places("replicate", tmp_path / "builds", "--region", ",".join(OTHERS))
    return tmp_path / "builds"


def policy(tmp_path: Path, text: str = "rhel-9.6: {cloud-uploads: 1d}") -> Path:
    (tmp_path / "policy.yaml").write_text(text)
    return tmp_path / "policy.yaml"


def retire(builds: Path, *words: object, code: int = ExitCode.OK) -> Any:  # noqa: ANN401
    """The result of `retire --yes` for the only build."""
    (found,) = run("retire", builds, "--no-stream-file", "--yes", *words, code=code)["builds"]
    return found


def by_place(found: Any, number: int = 0) -> dict[str, Any]:  # noqa: ANN401
    return {each["place"]: each for each in found["uploads"][number]["places"]}


def cleanup(builds: Path) -> Any:  # noqa: ANN401
    return json.loads((builds / "builds.json").read_text())["builds"][0].get("policy-cleanup")


def things(aws: StrictAws, *regions: str) -> int:
    return sum(len(aws.images(each)) + len(aws.snapshots(each)) for each in regions)


def denied_in(region: str, action: str) -> Callable[[Request], Fault | None]:
    return lambda request: DENIED if (request.region, request.action) == (region, action) else None


def test_without_yes_nothing_is_deleted_and_the_calls_are_shown(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    sent, files = len(proxy.requests), sorted(builds.rglob("*"))
    document = run("retire", builds, "--policy", policy(tmp_path))
    (found,) = document["builds"]
    assert (document["dry-run"], found["state"], found["stream"]) == (True, "would be retired", "rhel-9.6")
    calls = [(each["place"], each["operation"]) for each in found["uploads"][0]["calls"]]
    assert sorted(calls) == sorted(
        (region, f"ec2:{what}") for region in EVERYWHERE for what in ("DeregisterImage", "DeleteSnapshot")
    )
    assert all(each.action.startswith("Describe") for each in proxy.requests[sent:])
    assert things(aws, *EVERYWHERE) == 8
    assert cleanup(builds) is None
    assert sorted(builds.rglob("*")) == files


def test_images_and_snapshots_go_in_every_region_and_builds_json_says_so(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    before = meta(builds / BUILD / "x86_64")
    found = retire(builds, "--policy", policy(tmp_path))
    assert (found["state"], found["marked"]) == ("retired", ["cloud-uploads"])
    assert {each["state"] for each in by_place(found).values()} == {"done"}
    assert things(aws, *EVERYWHERE) == 0
    assert cleanup(builds) == {"cloud-uploads": True}
    assert meta(builds / BUILD / "x86_64") == before
    sent = len(proxy.requests)
    again = retire(builds, "--policy", policy(tmp_path))
    assert (again["state"], again["reason"]) == ("kept", "cloud-uploads done already")
    assert len(proxy.requests) == sent


def test_a_snapshot_of_two_images_goes_with_the_last_of_them(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = uploaded(tmp_path)
    (shared,) = {each["snapshot"] for each in meta(builds / BUILD / "x86_64")["aws-winli"]}
    found = retire(builds, BUILD)
    assert [each["key"] for each in found["uploads"]] == ["aws-winli", "amis"]
    assert "deleted" not in by_place(found)[HOME]["text"]
    assert f"{shared} deleted" in by_place(found, 1)[HOME]["text"]
    assert things(aws, *EVERYWHERE) == 0


@pytest.mark.parametrize("action", ["DeregisterImage", "DeleteSnapshot", "DescribeImages"])
def test_one_region_that_fails_hides_no_other_and_a_second_run_does_only_that(
    action: str, aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    proxy.plan = denied_in(OTHERS[1], action)
    found = retire(builds, "--policy", policy(tmp_path), code=ExitCode.PARTIAL)
    failed = {place: each["error"]["id"] for place, each in by_place(found).items() if each["error"]}
    assert failed == {OTHERS[1]: "cloud-permission-missing"}
    assert (found["state"], found["marked"], cleanup(builds)) == ("retired in part", [], None)
    assert things(aws, HOME, OTHERS[0], OTHERS[2]) == 0
    proxy.plan = lambda request: None
    sent = len(proxy.requests)
    assert set(by_place(retire(builds, "--policy", policy(tmp_path)))) == {OTHERS[1]}
    assert {each.region for each in proxy.requests[sent:]} == {OTHERS[1]}
    assert things(aws, *EVERYWHERE) == 0
    assert cleanup(builds) == {"cloud-uploads": True}


@pytest.mark.parametrize(
    ("action", "number"),
    [("DeregisterImage", 4), ("DeleteSnapshot", 1), ("DeleteSnapshot", 4)],
)
def test_a_killed_retirement_is_continued(
    action: str, number: int, aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    words = ("--policy", str(policy(tmp_path)), "--no-stream-file", "--yes")
    killed_at(proxy, action, number, "retire", builds, *words)
    assert cleanup(builds) is None
    retire(builds, "--policy", policy(tmp_path))
    assert things(aws, *EVERYWHERE) == 0
    assert cleanup(builds) == {"cloud-uploads": True}


def test_a_killed_retirement_knows_the_snapshot_that_meta_json_does_not_list(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    """As builds of an old coreos-assembler have it."""
    builds = registered(aws, tmp_path)
    path = builds / BUILD / "x86_64" / "meta.json"
    document = json.loads(path.read_text())
    for each in document["amis"]:
        del each["snapshot"]
    path.write_text(json.dumps(document))
    killed_at(proxy, "DeregisterImage", 1, "retire", builds, BUILD, "--no-stream-file", "--yes")
    assert retire(builds, BUILD)["state"] == "retired"
    assert things(aws, *EVERYWHERE) == 0


def test_an_image_of_somebody_else_stays(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    builds = registered(aws, tmp_path)
    (image,) = aws.images(OTHERS[0])
    image.attributes["Name"] = image.name = "payroll"
    image.ec2_backend.delete_tags([image.id], {"bootimg:build": None, "Name": None, "bootimg:sha256": None})
    found = retire(builds, BUILD, code=ExitCode.PARTIAL)
    error = by_place(found)[OTHERS[0]]["error"]
    assert error["id"] == "cloud-image-foreign"
    assert "payroll" in error["context"][0]
    assert (things(aws, *EVERYWHERE), things(aws, OTHERS[0])) == (2, 2)


def test_an_image_of_another_account_is_not_taken_for_one_that_is_gone(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    (image,) = aws.images(HOME)
    image.owner_id = "999999999999"
    found = retire(builds, BUILD, code=ExitCode.PARTIAL)
    error = by_place(found)[HOME]["error"]
    assert (error["id"], error["context"]) == (
        "cloud-image-foreign",
        ["it belongs to the account 999999999999"],
    )
    assert things(aws, HOME) == 2
    assert cleanup(builds) is None


def test_a_snapshot_whose_image_is_gone_goes_only_if_it_is_ours(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path)
    for region in (HOME, OTHERS[0]):
        (image,) = aws.images(region)
        del image.ec2_backend.amis[image.id]
    (other,) = aws.snapshots(OTHERS[0])
    other.ec2_backend.delete_tags([other.id], dict.fromkeys(("bootimg:build", "Name", "bootimg:sha256")))
    found = by_place(retire(builds, BUILD, code=ExitCode.PARTIAL))
    assert found[HOME]["text"].endswith("deleted")
    assert found[OTHERS[0]]["error"]["id"] == "cloud-image-foreign"
    assert (things(aws, *EVERYWHERE), things(aws, OTHERS[0])) == (1, 1)


def test_images_that_are_gone_are_done(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    builds = registered(aws, tmp_path)
    for region in EVERYWHERE:
        (image,), (snapshot,) = aws.images(region), aws.snapshots(region)
        del image.ec2_backend.amis[image.id], image.ec2_backend.snapshots[snapshot.id]
    found = retire(builds, BUILD)
    assert {each["state"] for each in by_place(found).values()} == {"was there"}
    assert all(each["text"].endswith("was gone") for each in by_place(found).values())
    assert cleanup(builds) == {"cloud-uploads": True}


def test_an_image_in_another_partition_waits_for_its_account(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = registered(aws, tmp_path, *EVERYWHERE, "us-gov-west-1")
    found = by_place(retire(builds, BUILD, code=ExitCode.PARTIAL))
    assert found["us-gov-west-1"]["error"]["id"] == "retire-not-tried"
    assert things(aws, *EVERYWHERE) == 0
    assert cleanup(builds) is None
    clouds = "{aws: {primary_region: us-east-1, govcloud: {primary_region: us-gov-west-1}}}"
    (tmp_path / "config.yaml").write_text(f"streams: {{rhel-9.6: {{}}}}\nclouds: {clouds}\n")
    words = ("--account", "govcloud", "--streams", str(tmp_path / "config.yaml"))
    assert set(by_place(retire(builds, BUILD, *words))) == {"us-gov-west-1"}
    assert cleanup(builds) == {"cloud-uploads": True}


def govcloud(tmp_path: Path) -> tuple[str, ...]:
    account = "{primary_region: us-gov-west-1}"
    text = (
        f"streams: {{rhel-9.6: {{}}}}\nclouds: {{aws: {{primary_region: us-east-1, govcloud: {account}}}}}\n"
    )
    (tmp_path / "config.yaml").write_text(text)
    return "--stream", "rhel-9.6", "--streams", str(tmp_path / "config.yaml")


def test_yes_needs_the_files_of_streams(tmp_path: Path) -> None:
    assert failing("retire", tmp_path, BUILD, "--yes").id == "retire-stream-files-missing"

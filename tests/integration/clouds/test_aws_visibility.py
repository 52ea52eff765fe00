"""`bootimg publish`, `share` and `deprecate` for AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bootimg.errors import ExitCode
from tests.integration.clouds.commands import HOME, failing, places, upload
from tests.support.clouds.cloudbuilds import make_aws_build
from tests.support.clouds.faultproxy import Proxy
from tests.support.clouds.strictaws import StrictAws

OTHER = "eu-west-1"


def uploaded(tmp_path: Path) -> Path:
    """A build with images in two regions."""
    make_aws_build(tmp_path / "builds")
    upload(tmp_path / "builds")
    places("replicate", tmp_path / "builds", "--region", OTHER)
    return tmp_path / "builds"


def is_public(aws: StrictAws, region: str) -> bool:
    (image,), (snapshot,) = aws.images(region), aws.snapshots(region)
    return {"Group": "all"} in image.launch_permissions and "all" in snapshot.create_volume_permission_groups


def test_publish_makes_public_what_is_not_and_a_second_run_only_looks(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = uploaded(tmp_path)
    assert {each["state"] for each in places("publish", builds, "--dry-run").values()} == {"would be done"}
    assert not is_public(aws, HOME)
    places("publish", builds)
    assert is_public(aws, HOME)
    assert is_public(aws, OTHER)
    sent = len(proxy.requests)
    assert {each["state"] for each in places("publish", builds).values()} == {"was there"}
    assert all(each.action.startswith("Describe") for each in proxy.requests[sent:])


def test_publish_restores_what_aws_took_away(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    builds = uploaded(tmp_path)
    places("publish", builds)
    (image,) = aws.images(OTHER)
    image.attributes["DeprecationTime"] = "2024-01-01T00:00:00.000Z"
    image.state = "disabled"
    image.launch_permissions.clear()
    (home,) = aws.images(HOME)
    home.attributes["DeprecationTime"] = "2199-01-01T00:00:00.000Z"
    found = places("publish", builds)
    assert found[OTHER]["text"].endswith("enabled, no longer deprecated, made public")
    assert (image.state, "DeprecationTime" in image.attributes) == ("available", False)
    assert is_public(aws, OTHER)
    # AWS itself plans the deprecation of public images; that is not yet due.
    assert found[HOME]["state"] == "was there"


def test_an_image_that_is_gone_fails_alone(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    builds = uploaded(tmp_path)
    (image,) = aws.images(HOME)
    del image.ec2_backend.amis[image.id]
    found = places("publish", builds, code=ExitCode.PARTIAL)
    assert found[HOME]["error"]["id"] == "cloud-image-missing"
    assert is_public(aws, OTHER)


def test_share_grants_image_and_snapshot(aws: StrictAws, proxy: Proxy, tmp_path: Path) -> None:
    builds = uploaded(tmp_path)
    assert failing("share", builds, "-p", "aws").id == "cloud-setting-missing"
    places("share", builds, "--grant", "013116697141,213116697141", "--region", OTHER)
    (image,), (snapshot,) = aws.images(OTHER), aws.snapshots(OTHER)
    assert image.launch_permissions == [{"UserId": "013116697141"}, {"UserId": "213116697141"}]
    assert snapshot.create_volume_permission_userids == {"013116697141", "213116697141"}
    assert aws.images(HOME)[0].launch_permissions == []
    found = places("share", builds, "--grant", "013116697141")
    assert [found[HOME]["state"], found[OTHER]["state"]] == ["done", "was there"]


def test_deprecate_begins_soon_and_publish_takes_it_back(
    aws: StrictAws, proxy: Proxy, tmp_path: Path
) -> None:
    builds = uploaded(tmp_path)
    found = places("deprecate", builds, "--region", HOME)
    assert set(found) == {HOME}
    (image,) = aws.images(HOME)
    at = datetime.fromisoformat(image.attributes["DeprecationTime"])
    assert 0 < (at - datetime.now(UTC)).total_seconds() <= 120
    assert places("deprecate", builds, "--region", HOME)[HOME]["state"] == "was there"
    places("publish", builds)
    assert "DeprecationTime" not in image.attributes

"""Which builds a policy retires, and what a policy file may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg.errors import BootimgError, ExitCode
from bootimg.orchestrator.retiring.judging import Facts, Rules, judge
from bootimg.orchestrator.retiring.policyfile import Action, StreamPolicy, parse_policy, read_policy

DAY = 86_400
NOW = 1000.0 * DAY
UPLOADS, CONTAINERS, BUILD = Action
FILE = b"""
rhel-9.6:
  cloud-uploads: 2y
  containers: 8w
  images: 58m
  images-keep: [qemu, live-iso]
  build: 62m
  keep-last: 3
  barriers: [9.6.20250101-0]
rawhide: {cloud-uploads: 90d}
"""


def test_a_policy_in_coreos_assemblers_form_and_bootimgs_keys() -> None:
    found = parse_policy(FILE, "x")
    ages = {UPLOADS: 730 * DAY, CONTAINERS: 56 * DAY, BUILD: 62 * 30 * DAY}
    assert found["rhel-9.6"] == StreamPolicy(
        ages=ages, keep_last=3, barriers=frozenset(["9.6.20250101-0"]), images=True
    )
    assert found["rawhide"] == StreamPolicy(ages={UPLOADS: 90 * DAY})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s: {cloud-uploads: 2}", "s.cloud-uploads is not a text but 2"),
        ("s: {cloud-uploads: 2h}", "not an age such as 90d"),
        ("s: {images: soon}", "s.images is 'soon'"),
        ("s: {images-keep: qemu}", "s.images-keep is not a list"),
        ("s: {cloud-upload: 2y}", "s.cloud-upload is unknown"),
        ("s: {keep-last: -1}", "s.keep-last is -1, not a number from 0"),
        ("s: {barriers: [7]}", "s.barriers[0] is not a text"),
        ("s: {build: 2y}", "s.build needs cloud-uploads beside it"),
        ("s: {build: 2y, cloud-uploads: 3y}", "s.cloud-uploads is a longer time"),
        ("s: {build: 2y, cloud-uploads: 1y, containers: 3y}", "s.containers is a longer time"),
        ("s: 2y", "s is not an object"),
        ("s: {cloud-uploads: 2y, cloud-uploads: 9y}", "twice"),
        ("[1]", "not an object"),
    ],
)
def test_a_policy_that_is_none(text: str, words: str) -> None:
    with pytest.raises(BootimgError) as error:
        parse_policy(text.encode(), "gc.yaml")
    assert (error.value.id, error.value.exit_code) == ("retention-policy-malformed", ExitCode.USAGE)
    assert words in error.value.message
    assert "gc.yaml" in error.value.message


def test_a_policy_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BootimgError) as error:
        read_policy(tmp_path / "none.yaml")
    assert error.value.id == "retention-policy-malformed"
    assert "No such file" in error.value.message


POLICY = StreamPolicy(
    ages={UPLOADS: 10 * DAY, CONTAINERS: 20 * DAY, BUILD: 30 * DAY}, keep_last=1, barriers=frozenset(["wall"])
)
OLD = NOW - 11 * DAY


@pytest.mark.parametrize(
    ("facts", "actions", "reason"),
    [
        (Facts(id="1", stream="s", created=OLD), [UPLOADS], ""),
        (Facts(id="1", stream="s", created=NOW - 10 * DAY), [UPLOADS], ""),
        (Facts(id="1", stream="s", created=NOW - 10 * DAY + 1), [], "not old enough"),
        (Facts(id="1", stream="s", created=NOW - 20 * DAY), [UPLOADS, CONTAINERS], ""),
        (Facts(id="1", stream="s", created=NOW - 30 * DAY), [UPLOADS, CONTAINERS, BUILD], ""),
        (Facts(id="1", stream="s", created=NOW - 30 * DAY, done=["cloud-uploads"]), [CONTAINERS, BUILD], ""),
        (Facts(id="1", stream="s", created=OLD, done=["cloud-uploads"]), [], "cloud-uploads done already"),
        (Facts(id="1", stream="s"), [], "its age is not known"),
        (Facts(id="1", created=OLD), [], "its stream is not known"),
        (Facts(id="1", stream="t", created=OLD), [], "the policy has no stream t"),
        (Facts(id="1", stream="s", created=OLD, tags=["ga"]), [], "has the tag ga"),
        (Facts(id="1", stream="s", created=OLD, named_by=["a.json"]), [], "is named by a.json"),
        (Facts(id="wall", stream="s", created=OLD), [], "is a barrier"),
        (Facts(id="fence", stream="s", created=OLD), [], "is a barrier"),
    ],
)  # fmt: skip
def test_the_verdict_on_a_build(facts: Facts, actions: list[Action], reason: str) -> None:
    rules = Rules(policies={"s": POLICY}, barriers=["fence"], now=NOW)
    newest = Facts(id="0", stream="s", created=0.0)
    first, verdict = judge([newest, facts], rules)
    assert (list(first.actions), first.reason) == ([], "one of the last 1")
    assert (list(verdict.actions), verdict.reason) == (actions, reason)


def test_builds_that_the_user_names_have_no_age_and_no_stream() -> None:
    rules = Rules(policies=None, barriers=["fence"], now=NOW)
    found = judge(
        [Facts(id="1"), Facts(id="2", tags=["ga"]), Facts(id="fence"), Facts(id="3", named_by=["a"])], rules
    )
    assert [list(each.actions) for each in found] == [[UPLOADS], [], [], []]


NAMES = st.sampled_from(["s", "t", ""])
FACTS = st.builds(
    lambda **values: values,
    stream=NAMES,
    created=st.one_of(st.none(), st.floats(0, NOW)),
    tags=st.sampled_from([(), (), ("ga",)]),
    done=st.sets(st.sampled_from([each.value for each in Action])),
    named_by=st.sampled_from([(), (), ("a.json",)]),
)
POLICIES = st.builds(
    lambda ages, keep, walls: StreamPolicy(
        ages={action: age * DAY for action, age in zip(Action, sorted(ages), strict=True)},
        keep_last=keep,
        barriers=frozenset(walls),
    ),
    st.lists(st.integers(0, 1200), min_size=3, max_size=3),
    st.integers(0, 4),
    st.sets(st.sampled_from(["0", "3", "5"])),
)


@given(
    st.lists(FACTS, max_size=12),
    st.one_of(st.none(), st.dictionaries(st.sampled_from(["s", "t"]), POLICIES)),
    st.sets(st.sampled_from(["1", "4"])),
)
def test_what_must_stay_stays_however_the_rules_combine(
    values: list[dict[str, object]], policies: dict[str, StreamPolicy] | None, barriers: set[str]
) -> None:
    builds = [Facts(id=str(number), **each) for number, each in enumerate(values)]  # type: ignore[arg-type]
    verdicts = judge(builds, Rules(policies=policies, barriers=barriers, now=NOW))
    assert [each.id for each in verdicts] == [each.id for each in builds]
    for build, verdict in zip(builds, verdicts, strict=True):
        assert bool(verdict.actions) != bool(verdict.reason)
        if build.named_by or build.tags or build.id in barriers:
            assert not verdict.actions
        assert set(verdict.actions).isdisjoint(build.done)
        policy = (policies or {}).get(build.stream)
        if policies is not None and verdict.actions:
            assert policy is not None
            assert build.created is not None
            assert build.id not in policy.barriers
            assert all(NOW - build.created >= policy.ages[each] for each in verdict.actions)
            newer = sum(each.stream == build.stream for each in builds[: builds.index(build)])
            assert newer >= policy.keep_last
            # A build goes only when its images went, or go with it.
            assert BUILD not in verdict.actions or {UPLOADS, CONTAINERS} <= {*verdict.actions, *build.done}

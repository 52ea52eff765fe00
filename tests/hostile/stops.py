"""Verbs that are killed or stopped: `python -m tests.hostile.stops [VERB…]` prints what became of them.

A verb gets SIGKILL, SIGTERM or SIGINT before a call that changes something, and runs once more without.
What must not be: a traceback, an exit code that says something else, a file that is neither as before nor as
it should become, a temporary file that a stopped verb leaves, a result that is missing afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import Signals

from tests.hostile.faults import spread
from tests.hostile.scratch import run_in_scratch
from tests.support.faults.library import CHANGE, Injection, make_library, why_not
from tests.support.faults.trial import Bench, Trial, bench
from tests.support.faults.verbs import VERBS

STOPS = (Signals.SIGKILL, Signals.SIGTERM, Signals.SIGINT)


def trials(tried: Bench, verb: str, places: int) -> Iterator[Trial]:
    """The signals of one verb, each at so many places."""
    for at in spread(tried.changes(verb), places):
        for number in STOPS:
            yield tried.try_fault(verb, Injection(CHANGE, 0, at, stops=number))


def rows(found: Sequence[Trial]) -> Iterator[str]:
    """A row of Markdown for each verb, and a line for each signal that was met badly."""
    for verb in dict.fromkeys(each.verb for each in found):
        counts = Counter(each.outcome for each in found if each.verb == verb)
        words = ", ".join(f"{outcome} {count}" for outcome, count in counts.most_common())
        yield f"| `{verb}` | {sum(counts.values())} | {words} |"


def wrong(found: Sequence[Trial]) -> list[str]:
    """What must not be."""
    return [f"{each.verb}: {each.injection}: {each.where}: {each.wrong}" for each in found if each.wrong]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the verbs, and return 1 if a signal was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.stops", description=__doc__)
    parser.add_argument("verbs", nargs="*", choices=[*VERBS, []], help="default: all that change something")
    parser.add_argument("--places", type=int, default=20, help="before how many calls each signal comes")
    parser.add_argument("--verbose", action="store_true", help="print what a verb said that met one badly")
    words = parser.parse_args(arguments)
    if reason := why_not():
        sys.exit(reason)
    found: list[Trial] = []
    print("| verb | signals | outcome |\n|---|---|---|", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="stops-") as name,
        bench(Path(name), make_library(Path(name))) as tried,
    ):
        for verb in words.verbs or VERBS:
            of_verb = list(trials(tried, verb, words.places))
            found += of_verb
            print(*rows(of_verb), *wrong(of_verb), sep="\n", flush=True)
    bad = [each for each in found if each.wrong]
    for each in bad if words.verbose else ():
        print(f"--- {each.verb}: {each.injection}: {each.where}\n{each.said}")
    print(f"\n{len(found)} signals, {len(bad)} met badly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

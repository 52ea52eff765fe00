"""Storage that fails while verbs work: `python -m tests.hostile.faults [VERB…]` prints what became of it.

Each verb runs once for each fault and once more without it.  What must not be: a traceback, a failure without
an error's id, a file that is neither as before nor as it should become, a result that is missing afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.hostile.scratch import run_in_scratch
from tests.support.faults.library import FAULTS, Injection, make_library, why_not
from tests.support.faults.trial import Bench, Trial, bench
from tests.support.faults.verbs import VERBS


def injections(calls: Mapping[str, int], places: int, errors: int) -> Iterator[Injection]:
    """Faults at `places` calls of each kind, with `errors` of the errors that it can have at each of them."""
    for call, numbers in FAULTS.items():
        for index, at in enumerate(spread(calls.get(call, 0), places)):
            for more in range(min(errors, len(numbers))):
                number = numbers[(index + more) % len(numbers)]
                yield Injection(call, number, at)
        if calls.get(call):
            yield Injection(call, numbers[0], 1, lasting=True)


def spread(total: int, places: int) -> Sequence[int]:
    """Numbers from 1 to `total`, the first and the last among them, at most `places` in all."""
    if total <= places:
        return range(1, total + 1)
    return sorted({1 + (total - 1) * each // (places - 1) for each in range(places)})


def trials(tried: Bench, verb: str, places: int, errors: int) -> Iterator[Trial]:
    """All faults of one verb."""
    for injection in injections(tried.calls(verb), places, errors):
        yield tried.try_fault(verb, injection)


def table(found: Sequence[Trial]) -> Iterator[str]:
    """For each verb, how often it ended in which way, and each fault that was met badly."""
    for verb in dict.fromkeys(each.verb for each in found):
        counts = Counter(each.outcome for each in found if each.verb == verb)
        words = ", ".join(f"{outcome} {count}" for outcome, count in counts.most_common())
        yield f"{verb:<16} {sum(counts.values()):>4}  {words}"
    for each in found:
        if each.wrong:
            yield f"WRONG {each.verb}: {each.injection}: {each.where}: {each.wrong}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the verbs, and return 1 if a fault was met badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.faults", description=__doc__)
    parser.add_argument("verbs", nargs="*", choices=[*VERBS, []], help="default: all")
    parser.add_argument("--places", type=int, default=8, help="how many calls of each kind fail, one a run")
    parser.add_argument("--errors", type=int, default=2, help="how many errors each of them has")
    parser.add_argument(
        "--verbose", action="store_true", help="print what a verb said that met a fault badly"
    )
    words = parser.parse_args(arguments)
    if reason := why_not():
        sys.exit(reason)
    found: list[Trial] = []
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as name,
        bench(Path(name), make_library(Path(name))) as tried,
    ):
        for verb in words.verbs or VERBS:
            found += trials(tried, verb, words.places, words.errors)
            print(*table([each for each in found if each.verb == verb]), sep="\n", flush=True)
    bad = [each for each in found if each.wrong]
    for each in bad if words.verbose else ():
        print(f"--- {each.verb}: {each.injection}: {each.where}\n{each.said}")
    print(f"{len(found)} faults, {len(bad)} met badly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_in_scratch(main))

"""What a worker answers: one JSON object, `{"ok": …}` or `{"error": text}`.

Workers import this module, so it imports little.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable


def give_answer(work: Callable[[], object], *faults: type[Exception]) -> None:
    """Print what `work` returns, or which of these faults it met."""
    known: tuple[type[Exception], ...] = (*faults, MemoryError)
    try:
        text = json.dumps({"ok": work()}, separators=(",", ":"))
    except known as error:
        # sqlite reports some damage as a lack of memory.
        text = json.dumps({"error": str(error) or "there is no memory for it"})
    sys.stdout.write(text)
    sys.stdout.flush()

"""What the kernel does with a file system that we filled: many files made, changed and removed; growth."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bootimg.sizes import GIB
from tests.support.xfs.xfsimages import judge
from tests.support.xfs.xfsmount import mounted

# It makes 20 000 files, removes half of them, and changes what it found.
CHURN = """
import os, random, sys
top, random = sys.argv[1], random.Random(9)
os.makedirs(top + "/churn/sub")
names = []
for each in range(20000):
    name = f"{top}/churn/{'sub/' if each % 3 else ''}{each}-{'x' * random.randrange(120)}"
    names.append(name)
    with open(name, "wb") as file:
        file.write(b"c" * random.randrange(9000))
    if each % 10 == 0:
        os.setxattr(name, "user.t", b"t" * random.randrange(3000))
for name in random.sample(names, 10000):
    os.unlink(name)
found = ((folder, name) for folder, _, names in os.walk(top) for name in names)
filled = [os.path.join(*each) for each in found if "/churn" not in each[0]]
for number, path in enumerate(random.sample(filled, min(len(filled), 4000))):
    if os.path.islink(path) or not os.path.isfile(path):
        continue
    try:
        os.setxattr(path, "trusted.new", b"n" * (number % 700))
        if number % 4 == 0:
            os.unlink(path)
        elif number % 4 == 1:
            os.rename(path, path[:-1] + "+")
        elif number % 4 == 2:
            with open(path, "r+b") as file:
                file.seek(0, 2)
                file.write(b"more" * random.randrange(1, 5000))
        else:
            os.truncate(path, os.path.getsize(path) // 2)
    except PermissionError:
        pass
"""


def write_and_grow(image: Path, judges: Sequence[Path] = ()) -> None:
    """Write into a whole image, grow it to 100 GiB and remove what was written; it is judged after both."""
    with mounted(image, "nouuid") as folder:
        subprocess.run([sys.executable, "-c", CHURN, folder], check=True)
    judge(image, judges)
    os.truncate(image, 100 * GIB)
    with mounted(image, "nouuid") as folder:
        subprocess.run(["xfs_growfs", folder], check=True, capture_output=True)
        status = os.statvfs(folder)
        assert status.f_blocks * status.f_frsize > 99 * GIB
        shutil.rmtree(folder / "churn")
        (folder / "after").write_bytes(b"grown")
    judge(image, judges)

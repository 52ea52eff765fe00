"""A program that makes a file system of a tar archive, and this machine's ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bootimg import process
from bootimg.atomic import no_space
from bootimg.live.fsoptions import FsType
from bootimg.live.programs.choice import require_here
from bootimg.live.programs.known import MAKERS


@dataclass(frozen=True, slots=True)
class Command:
    """What to make: the file system, and the program's arguments without the image's path.

    `pseudo` is the text of a pseudo file, which sqfstar reads after the option -pf.
    """

    fstype: FsType
    words: tuple[str, ...]
    pseudo: str = ""


class Program(Protocol):
    """Makes a file system of a tar archive."""

    def write(self, command: Command, tar: Iterable[bytes], image: Path) -> None:
        """Make it in the file `image`, which does not exist yet.

        Raises `live-program-too-old`, `no-space-left`, and what the program's failure is.
        """


@dataclass(frozen=True, slots=True)
class ThisMachines:
    """The programs of this machine; `meanwhile` is called now and then, and ends them by an exception."""

    meanwhile: Callable[[], None] = lambda: None

    def write(self, command: Command, tar: Iterable[bytes], image: Path) -> None:
        """Feed it the archive; `program-failed`."""
        program = require_here(MAKERS[command.fstype]).path
        # mkfs.erofs keeps there what it reads until it knows where it goes.
        with TemporaryDirectory(dir=image.parent, prefix=f".{image.name}.") as folder:
            words: list[process.Argument] = [program, *command.words]
            if command.pseudo:
                pseudo = Path(folder, "pseudo")
                pseudo.write_text(command.pseudo)
                words += ["-pf", pseudo]
            # The mode of an inode without a name depends on the umask (mkfs.erofs 1.9.4).
            done = process.feed(
                [*words, image], tar, env={"TMPDIR": folder}, umask=0o022, meanwhile=self.meanwhile
            )
        if done.returncode:
            raise no_space(image) if b"No space left" in done.stderr else process.failure(done)

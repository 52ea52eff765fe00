"""The cases, by what they attack."""

from tests.hostile.cases import archives, databases, disks, layers, objects, parsers, trees

ALL = (archives, databases, disks, layers, objects, parsers, trees)

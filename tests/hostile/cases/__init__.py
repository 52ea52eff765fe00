"""The cases, by what they attack."""

from tests.hostile.cases import (
    archives,
    databases,
    disks,
    imports,
    layers,
    livemedia,
    objects,
    parsers,
    trees,
)

ALL = (archives, databases, disks, imports, layers, livemedia, objects, parsers, trees)

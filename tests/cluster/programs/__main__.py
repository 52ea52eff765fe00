"""`python -m tests.cluster.programs`: make what a cluster consists of, print the folder of each."""

from __future__ import annotations

from tests.cluster.programs import compiled, debian


def main() -> None:
    for make in (debian.root, compiled.pause, compiled.tekton, compiled.kube):
        print(make(), flush=True)


if __name__ == "__main__":
    main()

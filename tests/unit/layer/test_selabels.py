"""Labels by a layer's policy: libselinux reads it in a process with limits, and reads nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bootimg.cache import Cache
from bootimg.errors import BootimgError
from bootimg.layer.importing import selabels
from bootimg.layer.importing.selabels import labels, policy_files
from bootimg.layer.ostree.libostree import interpreter
from bootimg.layer.tree.merged import Tree
from tests.support.layers import oci
from tests.unit.layer.test_declares import tree_of


def has_libostree() -> bool:
    try:
        return bool(interpreter())
    except BootimgError:
        return False


FILES = "etc/selinux/targeted/contexts/files"
CONTEXTS = "/.* system_u:object_r:default_t:s0\n/usr(/.*)? system_u:object_r:usr_t:s0\n"
ODD_CONFIG = b"# targeted\n SELINUX_X=1\nSELINUX=permissive # for now\nSELINUXTYPE=targeted\nAUTORELABEL=1\n"
# Each is compiled to some 20 KB, and none matches.
LARGE = "".join(
    f"/x(((a{{1,9}}){{1,9}}){{1,9}}){{1,9}}y{each} system_u:object_r:x_t:s0\n" for each in range(20_000)
)
SLOW = "".join(
    f"/x(a+)+[bc]{{1,{each % 100 + 1}}}[de]{{{each // 100}}} system_u:object_r:x_t:s0\n"
    for each in range(10_000)
)


def policy(folder: Path, contexts: str = CONTEXTS) -> Tree:
    files = (
        oci.file("etc/selinux/config", ODD_CONFIG),
        oci.file(f"{FILES}/file_contexts", contexts.encode()),
        oci.file(f"{FILES}/file_contexts.bin", b"not to be parsed"),
        oci.file(f"{FILES}/file_contexts.other", b"not to be read"),
        oci.file(f"{FILES}/file_contexts.subs_dist", b"/usr/lib64 /usr/lib\n"),
    )
    return tree_of(folder, *files)


def test_libostree_gets_a_config_of_our_own_and_the_files_that_it_reads(tmp_path: Path) -> None:
    assert policy_files(policy(tmp_path), "targeted") == {
        "etc/selinux/config": b"SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        f"{FILES}/file_contexts": CONTEXTS.encode(),
        f"{FILES}/file_contexts.subs_dist": b"/usr/lib64 /usr/lib\n",
        "etc/selinux/targeted/policy/policy.33": b"",
    }


@pytest.mark.skipif(not has_libostree(), reason="libostree's binding is not installed")
def test_paths_get_the_labels_of_the_policy(tmp_path: Path) -> None:
    keys = [("/usr/x", 0o100644), ("/etc", 0o40755)]
    found = labels(policy(tmp_path), "targeted", keys, Cache(tmp_path / "cache"))
    assert list(found.values()) == ["system_u:object_r:usr_t:s0", "system_u:object_r:default_t:s0"]


@pytest.mark.skipif(not has_libostree(), reason="libostree's binding is not installed")
@pytest.mark.parametrize(
    ("contexts", "why"), [(LARGE, ""), (SLOW, "3 s of processor time")], ids=["memory", "time"]
)
def test_a_policy_that_takes_too_much_is_refused(
    contexts: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why:
        monkeypatch.setattr(selabels, "_LEAST_TIME", 3)
    tree = policy(tmp_path, CONTEXTS + contexts)
    keys = [(f"/x{'a' * 20}{each}", 0o100644) for each in range(100)]
    begin = time.monotonic()
    with pytest.raises(BootimgError) as caught:
        labels(tree, "targeted", keys, Cache(tmp_path / "cache"))
    assert caught.value.id == "selinux-policy-unreadable"
    assert why in caught.value.context[0]
    assert time.monotonic() - begin < 120

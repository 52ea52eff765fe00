"""Runs in the system's Python; it imports only libostree's binding and the standard library.

It reads JSON lines and answers some of them with one line: `{"ok": …}`, or `{"error": text}`, after which
it ends.  Commands that write objects have no answer, so that the sender need not wait for each.
"""

# ruff: noqa: ANN001, ANN201, ANN202, ANN204, D102, D103
# mypy: ignore-errors

import base64
import ctypes
import json
import signal
import sys

import gi

gi.require_version("OSTree", "1.0")
from gi.repository import Gio, GLib, OSTree  # noqa: E402

_MODES = {"bare-user": OSTree.RepoMode.BARE_USER, "archive": OSTree.RepoMode.ARCHIVE}
_TYPES = {
    "dirtree": (OSTree.ObjectType.DIR_TREE, "(a(say)a(sayay))"),
    "dirmeta": (OSTree.ObjectType.DIR_META, "(uuua(ayay))"),
    "commit": (OSTree.ObjectType.COMMIT, "(a{sv}aya(say)sstayay)"),
}


# Bytes that are read from a mapped tar before its pages are released.
_RESIDENT = 32 << 20


class Tar:
    """A tar that is read through a mapping.  The mapping is renewed before it uses much memory."""

    def __init__(self, path):
        self._path = path
        self._map()

    def _map(self):
        self._bytes = GLib.MappedFile.new(self._path, False).get_bytes()
        self._read = 0

    def slice(self, offset, size):
        if self._read > _RESIDENT:
            self._map()
        self._read += size
        return self._bytes.new_from_bytes(offset, size)


class Worker:
    """One repository, one transaction at a time."""

    def __init__(self):
        self.repo = None
        self.tars = []

    def version(self):
        return OSTree.VERSION_S

    def open(self, path, mode):
        self.repo = OSTree.Repo.new(Gio.File.new_for_path(path))
        if mode:
            self.repo.create(_MODES[mode], None)
        self.repo.open(None)
        return {value: key for key, value in _MODES.items()}.get(self.repo.get_mode(), "other")

    def labels(self, root, items):
        """SELinux labels by the policy in `root`; `items` are paths and modes."""
        policy = OSTree.SePolicy.new(Gio.File.new_for_path(root), None)
        if not policy.get_name():
            raise RuntimeError("libostree finds no SELinux policy in the tree")
        return [policy.get_label(path, mode, None)[1] for path, mode in items]

    def begin(self, tars):
        self.tars = [Tar(path) for path in tars]
        self.repo.prepare_transaction(None)

    def file(self, checksum, tar, offset, size, uid, gid, mode, target, xattrs):
        info = Gio.FileInfo()
        info.set_attribute_uint32("unix::uid", uid)
        info.set_attribute_uint32("unix::gid", gid)
        info.set_attribute_uint32("unix::mode", mode)
        if target:
            info.set_file_type(Gio.FileType.SYMBOLIC_LINK)
            info.set_is_symlink(True)
            info.set_symlink_target(target)
            info.set_size(0)
        else:
            info.set_file_type(Gio.FileType.REGULAR)
            info.set_size(size)
        # A slice of the mapped tar: no content passes through Python.
        data = self.tars[tar].slice(offset, size) if size else GLib.Bytes.new(b"")
        content = Gio.MemoryInputStream.new_from_bytes(data)
        pairs = [(name.encode() + b"\0", base64.b64decode(value)) for name, value in xattrs]
        attributes = GLib.Variant("a(ayay)", pairs)
        _, stream, length = OSTree.raw_file_to_content_stream(content, info, attributes, None)
        self.repo.write_content(checksum, stream, length, None)

    def metadata(self, kind, checksum, data):
        content = GLib.Bytes.new(base64.b64decode(data))
        if kind == "commitmeta":
            detached = GLib.Variant.new_from_bytes(GLib.VariantType.new("a{sv}"), content, False)
            self.repo.write_commit_detached_metadata(checksum, detached, None)
            return
        object_type, signature = _TYPES[kind]
        variant = GLib.Variant.new_from_bytes(GLib.VariantType.new(signature), content, False)
        self.repo.write_metadata(object_type, checksum, variant, None)

    def commit(self, tree, meta, timestamp, strings, flags, filtered):
        """A commit of a dirtree and its dirmeta; answers its checksum."""
        mutable = OSTree.MutableTree.new()
        mutable.set_contents_checksum(tree)
        mutable.set_metadata_checksum(meta)
        _, root = self.repo.write_mtree(mutable, None)
        values = {key: GLib.Variant("s", value) for key, value in sorted(strings.items())}
        values.update({key: GLib.Variant("b", value) for key, value in sorted(flags.items())})
        if filtered is not None:
            values["ostree.tar-filtered"] = GLib.Variant("a{sa{su}}", filtered)
        metadata = GLib.Variant("a{sv}", values) if values else None
        _, checksum = self.repo.write_commit_with_time(None, None, None, metadata, root, timestamp, None)
        return checksum

    def finish(self, refs):
        for ref, checksum in sorted(refs.items()):
            self.repo.transaction_set_ref(None, ref, checksum)
        self.repo.commit_transaction(None)


_SILENT = ("file", "metadata")
_PR_SET_PDEATHSIG = 1


def main():
    # After the sender is killed, the commands already sent would keep the repository's transaction busy.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    worker = Worker()
    for line in sys.stdin.buffer:
        name, *arguments = json.loads(line)
        answer = getattr(worker, name)(*arguments)
        if name not in _SILENT:
            sys.stdout.write(json.dumps({"ok": answer}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except (GLib.Error, OSError, RuntimeError) as error:
        sys.stdout.write(json.dumps({"error": getattr(error, "message", None) or str(error)}) + "\n")
        sys.stdout.flush()
        sys.exit(1)

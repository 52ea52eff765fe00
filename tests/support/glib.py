"""GLib's own readings of small files, through its C library."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

import pytest


@cache
def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("glib-2.0")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for function, result, arguments in (
        ("g_key_file_new", pointer, []),
        ("g_key_file_free", None, [pointer]),
        ("g_key_file_load_from_data", ctypes.c_int, [pointer, text, ctypes.c_size_t, ctypes.c_int, pointer]),
        ("g_key_file_get_groups", ctypes.POINTER(text), [pointer, pointer]),
        ("g_key_file_get_keys", ctypes.POINTER(text), [pointer, text, pointer, pointer]),
        ("g_key_file_get_string", text, [pointer, text, text, pointer]),
        ("g_shell_unquote", text, [text, pointer]),
    ):
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


needs_glib = pytest.mark.skipif(_library() is None, reason="GLib is not installed")


def key_file(data: bytes) -> dict[str, dict[str, str]] | None:
    """The strings by group and key, which are not freed; None if GLib refuses the file."""
    library = _library()
    assert library
    file = library.g_key_file_new()
    try:
        if not library.g_key_file_load_from_data(file, data, len(data), 0, None):
            return None
        return {
            group.decode(): {
                key.decode(): _string(library, file, group, key) for key in _keys(library, file, group)
            }
            for group in _list(library.g_key_file_get_groups(file, None))
        }
    finally:
        library.g_key_file_free(file)


def unquoted(word: bytes) -> str | None:
    """The word as a shell unquotes it, as ostree does with os-release; None if it cannot be."""
    library = _library()
    assert library
    found = library.g_shell_unquote(word, None)
    return None if found is None else found.decode()


def _keys(library: ctypes.CDLL, file: int, group: bytes) -> list[bytes]:
    return _list(library.g_key_file_get_keys(file, group, None, None))


def _string(library: ctypes.CDLL, file: int, group: bytes, key: bytes) -> str:
    found = library.g_key_file_get_string(file, group, key, None)
    return "no string" if found is None else found.decode()


def _list(array: ctypes._Pointer[ctypes.c_char_p]) -> list[bytes]:
    found: list[bytes] = []
    while array[len(found)]:
        found.append(array[len(found)])
    return found

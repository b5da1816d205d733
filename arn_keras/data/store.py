"""Decoded image sets kept on disk, so that 70,000 PNG files are decoded once and not at each start.

An entry is a folder of plain .npy files and a manifest with the shape, type and CRC-32 of each. It
is written under another name and renamed when complete, so a killed process leaves no half entry
and two processes may write the same one. What does not match its manifest is not there. Entries are
never removed: delete the folder at will.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

MANIFEST = "manifest.json"
_ABANDONED_SECONDS = 24 * 3600


def folder():
    """Where entries live: $XDG_CACHE_HOME/arn_keras, else ~/.cache/arn_keras.

    Raises:
        RuntimeError: if there is no home directory.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    return (root if root.is_absolute() else Path.home() / ".cache") / "arn_keras"


def store(entry, layout, parts, facts):
    """Writes an entry, or leaves the good one that another process wrote meanwhile.

    Args:
        entry: folder to make.
        layout: {name: (dtype, shape)} of the complete arrays.
        parts: pairs (name, rows): the next rows of the array of that name.
        facts: whatever JSON holds that belongs to the arrays.

    Raises:
        OSError: if it cannot be written.
        ValueError: if the parts do not add up to the layout.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    _sweep(entry.parent)
    with tempfile.TemporaryDirectory(
        prefix=f".{entry.name}.", dir=entry.parent, ignore_cleanup_errors=True
    ) as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        arrays = _write_arrays(fresh, layout, parts)
        text = json.dumps({"entry": entry.name, "arrays": arrays, "facts": facts})
        (fresh / MANIFEST).write_text(json.dumps([zlib.crc32(text.encode()), text]))
        try:
            fresh.rename(entry)
        except OSError:
            if fetch(entry) is None:  # a damaged entry stands in the way
                entry.rename(Path(scratch, "damaged"))
                fresh.rename(entry)


def fetch(entry):
    """Reads an entry back.

    Returns:
        ({name: read-only memory map}, facts), or None if there is no intact entry.
    """
    try:
        crc, text = json.loads((entry / MANIFEST).read_bytes())
        if zlib.crc32(text.encode()) != crc:
            return None
        manifest = json.loads(text)
        if manifest["entry"] != entry.name:
            return None
        arrays = {name: _map(entry, name, **kept) for name, kept in manifest["arrays"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return arrays, manifest["facts"]


def collect(layout, parts):
    """The arrays of `store` in memory, for where nothing can be written."""
    arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in layout.items()}
    filled = dict.fromkeys(layout, 0)
    for name, rows in parts:
        arrays[name][filled[name] : filled[name] + len(rows)] = rows
        filled[name] += len(rows)
    _check_lengths(layout, filled)
    return arrays


def _write_arrays(fresh, layout, parts):
    # Plain writes, not a writable memory map: a full disk is then an OSError, not a SIGBUS.
    written = dict.fromkeys(layout, 0)
    crc = dict.fromkeys(layout, 0)
    with contextlib.ExitStack() as stack:
        files = {}
        for name, (dtype, shape) in layout.items():
            files[name] = stack.enter_context(open(fresh / f"{name}.npy", "wb"))
            descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
            header = {"descr": descr, "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(files[name], header)
        for name, rows in parts:
            block = np.ascontiguousarray(rows, layout[name][0])
            files[name].write(block)
            crc[name] = zlib.crc32(block, crc[name])
            written[name] += len(block)
    _check_lengths(layout, written)
    return {
        name: {"dtype": np.dtype(dtype).str, "shape": list(shape), "crc": crc[name]}
        for name, (dtype, shape) in layout.items()
    }


def _check_lengths(layout, lengths):
    for name, (_, shape) in layout.items():
        if lengths[name] != shape[0]:
            raise ValueError(f"expected {shape[0]} {name}, got {lengths[name]}")


def _map(entry, name, dtype, shape, crc):
    path = entry / f"{name}.npy"
    array = np.lib.format.open_memmap(path, mode="r")
    if (array.dtype.str, list(array.shape), zlib.crc32(array)) != (dtype, shape, crc):
        raise ValueError(f"{path} does not match its manifest")
    return array


def _sweep(root):
    """Removes what a killed process left behind a day ago or earlier."""
    for scratch in root.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - scratch.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(scratch, ignore_errors=True)

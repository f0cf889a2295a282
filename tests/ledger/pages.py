"""Where a table's rows lie in a SQLite file, read from the file format's own description.

https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages) and 2.3 (the cell).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_LEAF_TABLE, _INTERIOR_TABLE = 0x0D, 0x05


def row_spans(path: Path, table: str) -> list[tuple[int, int]]:
    """Return (offset, length) in the file of every row of ``table``, as far as it lies in its leaf."""
    connection = sqlite3.connect(path)
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    connection.close()
    return sorted(_spans(path.read_bytes(), page_size, root))


def _spans(content: bytes, page_size: int, page: int) -> Iterator[tuple[int, int]]:
    start = (page - 1) * page_size
    header = start + (100 if page == 1 else 0)
    kind, cells = content[header], int.from_bytes(content[header + 3 : header + 5])
    pointers = header + (12 if kind == _INTERIOR_TABLE else 8)
    offsets = [int.from_bytes(content[pointers + 2 * n : pointers + 2 * n + 2]) for n in range(cells)]
    if kind == _INTERIOR_TABLE:
        children = [int.from_bytes(content[start + offset : start + offset + 4]) for offset in offsets]
        for child in [*children, int.from_bytes(content[header + 8 : header + 12])]:
            yield from _spans(content, page_size, child)
        return
    assert kind == _LEAF_TABLE
    for offset in offsets:
        payload, after = _varint(content, start + offset)
        _, after_key = _varint(content, after)
        assert payload < page_size - 35, "the row spills over: choose a smaller body"
        yield start + offset, after_key - (start + offset) + payload


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = content[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | content[at + 8], at + 9

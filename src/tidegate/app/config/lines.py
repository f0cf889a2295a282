"""Where each key of a TOML text stands. The parser of the standard library does not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_.\-"' ]+?)\s*=""")
_QUOTES = re.compile(r"""["'\s]""")


def lines_of(text: str) -> dict[str, int]:
    """Return the line of each table and key, by dotted name; items of arrays of tables by index.

    Lines count from 1. ``chains.main.endpoints[1].url`` is the second endpoint's ``url``. What stands
    inside a value of several lines is not looked at.
    """
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix, inside = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if inside in line else inside
            continue
        header = _HEADER.match(line)
        if header is not None:
            prefix = _table(_QUOTES.sub("", header.group(2)), header.group(1) == "[[", counts)
            found[prefix] = number
            continue
        key = _KEY.match(line)
        if key is None:
            continue
        name = _QUOTES.sub("", key.group(1))
        found[f"{prefix}.{name}" if prefix else name] = number
        value = line[key.end() :]
        inside = next((mark for mark in ('"""', "'''") if value.count(mark) == 1), "")
    return found


def _table(name: str, is_item: bool, counts: dict[str, int]) -> str:
    """Return a table's name with the index of every array of tables that it lies in."""
    parts: list[str] = []
    for part in name.split("."):
        path = ".".join([*parts, part])
        parts.append(f"{part}[{counts[path] - 1}]" if path in counts else part)
    full = ".".join(parts)
    if not is_item:
        return full
    bare = re.sub(r"\[\d+\]$", "", full)
    counts[bare] = counts.get(bare, 0) + 1
    return f"{bare}[{counts[bare] - 1}]"

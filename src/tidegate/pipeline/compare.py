"""Journals of two stages side by side: the same walks, but for what the stage table lists.

Runs are paired in the order in which their intents were accepted. Of each pair the records are compared
kind by kind and field by field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tidegate.ledger import Record
from tidegate.model import RecordKind
from tidegate.pipeline.stages import MAY_DIFFER

_MISSING = "nothing"


class Difference(msgspec.Struct, frozen=True):
    """A field that differs. ``field`` is ``kind.path``; ``run`` counts from 0; values as text."""

    run: int
    field: str
    left: str
    right: str


def journal_differences(left: Iterable[Record], right: Iterable[Record]) -> tuple[Difference, ...]:
    """Return every difference between two journals' walks that the stage table does not list.

    Records that belong to no intent (decisions, sessions, breakers) are not walks and not compared.
    """
    walks = _walks(left), _walks(right)
    found = []
    if len(walks[0]) != len(walks[1]):
        found.append(Difference(-1, "runs", str(len(walks[0])), str(len(walks[1]))))
    for run, (one, other) in enumerate(zip(*walks, strict=False)):
        found += _of_walk(run, one, other)
    return tuple(found)


def _of_walk(run: int, left: list[Record], right: list[Record]) -> Iterable[Difference]:
    kinds = [record.kind.value for record in left], [record.kind.value for record in right]
    if kinds[0] != kinds[1]:
        yield Difference(run, "kinds", " ".join(kinds[0]), " ".join(kinds[1]))
        return
    for one, other in zip(left, right, strict=True):
        allowed = MAY_DIFFER.get(one.kind, frozenset())
        if one.actor != other.actor:
            yield Difference(run, f"{one.kind.value}.actor", one.actor, other.actor)
        fields = _flat(one.body), _flat(other.body)
        for path in sorted(fields[0].keys() | fields[1].keys()):
            values = [str(part.get(path, _MISSING)) for part in fields]
            if values[0] != values[1] and path not in allowed:
                yield Difference(run, f"{one.kind.value}.{path}", *values)


def _walks(records: Iterable[Record]) -> list[list[Record]]:
    walks: dict[str, list[Record]] = {}
    for record in records:
        if record.kind is RecordKind.INTENT:
            walks.setdefault(record.correlation_id, [])
        if record.correlation_id in walks:
            walks[record.correlation_id].append(record)
    return list(walks.values())


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a body by dotted path; places in lists are left out of the path but counted."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
        return found
    if isinstance(value, list | tuple):
        found = {}
        for place, inner in enumerate(value):
            found |= _flat(inner, f"{prefix}[{place}]")
        return found
    return {prefix: value}

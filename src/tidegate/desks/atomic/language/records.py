"""Forms of mappings: fixed keys, keys of the author's choice, and mappings told apart by a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.desks.atomic.language.document import Content, Table
from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.shapes import (
    ByKind,
    Choice,
    Either,
    JsonSchema,
    ListOf,
    Number,
    Shape,
    Text,
    Whole,
    breach,
    described,
)


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from names of the author's choice to ``shape``."""

    key: Text
    shape: Shape
    most: int = 64

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if not isinstance(content, Table):
            yield breach(content, path, code, described(content), "a mapping")
            return
        if len(content.entries) > self.most:
            found = f"{len(content.entries)} entries"
            yield breach(content, path, code, found, f"at most {self.most} entries")
        for name, item in content.entries.items():
            if not re.fullmatch(self.key.pattern, name) or len(name) > self.key.longest:
                place = content.key_positions[name]
                yield Finding(
                    code,
                    place,
                    f"{path} has a name that is not allowed",
                    name[:80],
                    self.key.meaning,
                    "rename it",
                )
            yield from self.shape.check(item, f"{path}.{name}", code)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {
            "type": "object",
            "propertyNames": self.key.json_schema(),
            "additionalProperties": self.shape.json_schema(),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a record: its form, whether it must be there, and the codes of its findings."""

    shape: Shape
    required: bool = False
    code: str | None = None
    missing_code: str | None = None
    fix: str = "add it"


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys. ``one_of`` demands exactly one key of a set."""

    keys: Mapping[str, Key]
    one_of: tuple[str, ...] = ()

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if not isinstance(content, Table):
            allowed = f"a mapping with {', '.join(self.keys)}"
            yield breach(content, path, code, described(content), allowed)
            return
        for name, item in content.entries.items():
            key = self.keys.get(name)
            if key is None:
                yield Finding(
                    code,
                    content.key_positions[name],
                    f"{path or 'the file'} has no key {name[:80]}",
                    name[:80],
                    ", ".join(self.keys),
                    did_you_mean(name[:80], self.keys, "remove it"),
                )
            else:
                yield from key.shape.check(item, f"{path}.{name}" if path else name, key.code or code)
        for name, key in self.keys.items():
            if key.required and name not in content.entries:
                yield Finding(
                    key.missing_code or code,
                    content.position,
                    f"{path or 'the file'} lacks {name}",
                    "no " + name,
                    meaning_of(key.shape),
                    key.fix,
                )
        yield from self._exactly_one(content, path, code)

    def _exactly_one(self, content: Table, path: str, code: str) -> Iterable[Finding]:
        present = [name for name in self.one_of if name in content.entries]
        if self.one_of and len(present) != 1:
            yield Finding(
                code,
                content.position,
                f"{path or 'the file'} must have exactly one of {', '.join(self.one_of)}",
                " and ".join(present) or "none of them",
                "exactly one",
                "keep one" if present else "add one",
            )

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        schema: JsonSchema = {
            "type": "object",
            "properties": {name: key.shape.json_schema() for name, key in self.keys.items()},
            "required": [name for name, key in self.keys.items() if key.required],
            "additionalProperties": False,
        }
        if self.one_of:
            schema["oneOf"] = [{"required": [name]} for name in self.one_of]
        return schema


@dataclass(frozen=True, slots=True)
class ByKey:
    """One of several records, told apart by the key that only it has (a step, a trigger)."""

    records: Mapping[str, Shape]
    meaning: str

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        names = [name for name in self.records if isinstance(content, Table) and name in content.entries]
        if len(names) == 1:
            yield from self.records[names[0]].check(content, path, code)
            return
        if isinstance(content, Table) and not names:
            for key, place in content.key_positions.items():
                if advice := did_you_mean(key[:80], self.records, ""):
                    message = f"{path} has no key {key[:80]}"
                    yield Finding(code, place, message, key[:80], self.meaning, advice)
                    return
        found = f"{' and '.join(names)} together" if names else described(content)
        fix = "keep one of them" if names else "write one of them"
        yield breach(content, path, code, found, self.meaning, fix)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"oneOf": [shape.json_schema() for shape in self.records.values()]}


@dataclass(frozen=True, slots=True)
class Named:
    """A record of known keys and exactly one key of the author's choice: ``{guard: {…}, place: …}``."""

    keys: Mapping[str, Key]
    name: Text
    shape: Shape

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if not isinstance(content, Table):
            yield breach(content, path, code, described(content), f"a mapping with {self.name.meaning}")
            return
        chosen = [name for name in content.entries if name not in self.keys]
        if len(chosen) != 1:
            found = ", ".join(chosen)[:80] or "none"
            yield breach(content, path, code, found, f"exactly one {self.name.meaning}")
        for name, item in content.entries.items():
            if name in self.keys:
                yield from self.keys[name].shape.check(item, f"{path}.{name}", code)
                continue
            if not re.fullmatch(self.name.pattern, name) or len(name) > self.name.longest:
                yield breach(content, path, code, name[:80], self.name.meaning)
            yield from self.shape.check(item, f"{path}.{name}", code)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {
            "type": "object",
            "properties": {name: key.shape.json_schema() for name, key in self.keys.items()},
            "patternProperties": {
                f"^(?!(?:{'|'.join(self.keys)})$)(?:{self.name.pattern})$": self.shape.json_schema()
            },
            "additionalProperties": False,
            "anyOf": [self._with_exactly(present) for present in _subsets(tuple(self.keys))],
        }

    def _with_exactly(self, present: tuple[str, ...]) -> JsonSchema:
        # JSON Schema can not say "one key more than these": each set of known keys is spelled out.
        absent = [{"required": [name]} for name in self.keys if name not in present]
        schema: JsonSchema = {
            "required": list(present),
            "minProperties": len(present) + 1,
            "maxProperties": len(present) + 1,
        }
        return schema | ({"not": {"anyOf": absent}} if absent else {})


@dataclass(frozen=True, slots=True)
class Reference:
    """A form defined once and used inside itself: the steps of a scope."""

    name: str
    definitions: Mapping[str, Shape]

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        yield from self.definitions[self.name].check(content, path, code)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"$ref": f"#/$defs/{self.name}"}


def meaning_of(shape: Shape) -> str:
    """Return what a shape allows, in a few words."""
    match shape:
        case Text() | Either() | ByKey() | Number():
            return shape.meaning
        case ByKind():
            return meaning_of(shape.single)
        case Choice():
            return ", ".join(shape.words)
        case Whole():
            return f"a whole number, {shape.least} to {shape.most}"
        case ListOf() | Reference():
            return "a list"
        case Record():
            needed = [name for name, key in shape.keys.items() if key.required]
            return f"a mapping with {', '.join(needed or shape.keys)}"
        case _:
            return "a value"


def _subsets(names: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    for mask in range(2 ** len(names)):
        yield tuple(name for bit, name in enumerate(names) if mask >> bit & 1)

"""A small language for the form of a file: one declaration gives both the check and the schema.

``check`` walks positioned content and reports every breach with line and column; ``json_schema``
says the same to any editor or tool. Because both come from the same object they can not drift.
Form is what can be judged without knowing names or units; the loader judges the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from tidegate.desks.atomic.language.document import Content, Decimal, Scalar, Sequence, Table
from tidegate.desks.atomic.language.findings import Finding, did_you_mean

JsonSchema = dict[str, Any]


class Shape(Protocol):
    """A form that content may have."""

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form; ``path`` names the place, ``code`` the finding."""
        ...

    def json_schema(self) -> JsonSchema:
        """Return the same form as JSON Schema."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Text that matches ``pattern`` whole; ``meaning`` says what it is, with an example."""

    meaning: str
    pattern: str = r"[\s\S]+"
    longest: int = 512

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if isinstance(content, Scalar) and isinstance(content.value, str):
            text = content.value
            if len(text) <= self.longest and re.fullmatch(self.pattern, text):
                return
            if len(text) > self.longest:
                yield breach(content, path, code, f"{len(text)} characters", f"at most {self.longest}")
                return
        yield breach(content, path, code, described(content), self.meaning)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {
            "type": "string",
            "pattern": f"^(?:{self.pattern})$",
            "maxLength": self.longest,
            "description": self.meaning,
        }


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``least`` to ``most``."""

    least: int
    most: int

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        value = content.value if isinstance(content, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return
        yield breach(content, path, code, described(content), f"a whole number, {self.least} to {self.most}")

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number:
    """Any bare number, with or without a decimal point."""

    meaning: str

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        value = content.value if isinstance(content, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            yield breach(content, path, code, described(content), self.meaning)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"type": "number", "description": self.meaning}


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``; the ``yes`` and ``on`` of YAML 1.1 are text and refused."""

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if not isinstance(content, Scalar) or not isinstance(content.value, bool):
            yield breach(content, path, code, described(content), "true or false")

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; an unknown one is answered with the nearest."""

    words: tuple[str, ...]

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if isinstance(content, Scalar) and content.value in self.words:
            return
        word = content.text if isinstance(content, Scalar) else ""
        fix = did_you_mean(word, self.words, "take one of these")
        yield breach(content, path, code, described(content), ", ".join(self.words), fix)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Either:
    """Any of several forms of single values; ``meaning`` says them together."""

    shapes: tuple[Shape, ...]
    meaning: str

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if all(any(True for _ in shape.check(content, path, code)) for shape in self.shapes):
            yield breach(content, path, code, described(content), self.meaning)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {"anyOf": [shape.json_schema() for shape in self.shapes], "description": self.meaning}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of ``shape``, ``least`` to ``most`` long."""

    shape: Shape
    least: int = 0
    most: int = 120

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        if not isinstance(content, Sequence):
            yield breach(content, path, code, described(content), "a list")
            return
        if not self.least <= len(content.items) <= self.most:
            allowed = f"{self.least} to {self.most} entries"
            yield breach(content, path, code, f"{len(content.items)} entries", allowed)
        for index, item in enumerate(content.items):
            yield from self.shape.check(item, f"{path}[{index}]", code)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        return {
            "type": "array",
            "items": self.shape.json_schema(),
            "minItems": self.least,
            "maxItems": self.most,
        }


@dataclass(frozen=True, slots=True)
class ByKind:
    """A single value, a list or a mapping, each with its own form; what is not given is refused."""

    single: Shape
    many: Shape | None = None
    table: Shape | None = None

    def check(self, content: Content, path: str, code: str) -> Iterable[Finding]:
        """Yield what breaks the form."""
        shape = self.single
        if isinstance(content, Sequence) and self.many is not None:
            shape = self.many
        elif isinstance(content, Table) and self.table is not None:
            shape = self.table
        yield from shape.check(content, path, code)

    def json_schema(self) -> JsonSchema:
        """Return the form as JSON Schema."""
        shapes = [shape for shape in (self.single, self.many, self.table) if shape is not None]
        return {"anyOf": [shape.json_schema() for shape in shapes]}


def described(content: Content) -> str:
    """Return content in a few words, for ``found``."""
    if isinstance(content, Scalar):
        match content.value:
            case None:
                return "nothing"
            case bool():
                return content.text
            case int() | Decimal():
                return f"the number {content.text}"
            case str():
                text = content.text if len(content.text) <= 60 else content.text[:57] + "..."
                return f"the text {text!r}"
    return "a list" if isinstance(content, Sequence) else "a mapping"


def breach(
    content: Content, path: str, code: str, found: str, allowed: str, fix: str | None = None
) -> Finding:
    """Return the finding that ``content``, at ``path``, is not what the form allows."""
    is_bare = isinstance(content, Scalar) and isinstance(content.value, int | Decimal)
    otherwise = "write the unit" if is_bare and code == "ATM112" else "write what is allowed"
    message = f"{path or 'the file'} is not allowed"
    return Finding(code, content.position, message, found, allowed, fix or otherwise)

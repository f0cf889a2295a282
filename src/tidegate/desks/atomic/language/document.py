"""Files of strangers, read safely: YAML 1.2 or JSON into plain nodes with line and column.

What a strategy never needs is refused rather than understood: anchors and aliases (a few lines
can expand to gigabytes), tags, several documents, duplicate keys. Only ``true``, ``false``,
``null`` and plain decimal numbers are more than text: ``no``, ``on``, ``0o17``, ``0x1f``, ``1:30``
and ``1_000`` stay the text that was written, so that nothing turns silently into something else.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import yaml

from tidegate.model import ConfigError, SourcePosition

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_DEPTH = 32
MAXIMUM_NODES = 20_000
MAXIMUM_DIGITS = 80  # a uint256 has 78

_JSON_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
"""Strings, so that brackets inside them do not count, and brackets."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Decimal:
    """A bare number with a decimal point, kept as written: no binary fraction ever sees it."""

    text: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. ``text_position`` is where its first character stands, inside any quote.

    ``is_verbatim`` says that the characters of ``text`` follow one another in the file as they do
    in the text, so that a column inside the text is a column in the file.
    """

    value: str | int | bool | Decimal | None
    text: str
    position: SourcePosition
    is_verbatim: bool = False
    is_quoted: bool = False

    def at(self, offset: int) -> SourcePosition:
        """Return where character ``offset`` of the text stands."""
        if not self.is_verbatim:
            return self.position
        column = self.position.column + self.is_quoted + offset
        return SourcePosition(self.position.file, self.position.line, column)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Content, ...]
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; ``key_positions`` tells where each key stands."""

    entries: Mapping[str, Content]
    key_positions: Mapping[str, SourcePosition]
    position: SourcePosition


Content: TypeAlias = Scalar | Sequence | Table


def read_document(path: Path) -> Content:
    """Return the content of a file; its size is checked before a byte of it is parsed.

    Raises
    ------
    ConfigError
        ATM001 if it can not be read or is malformed, ATM004 if it is too large.
    """
    start = SourcePosition(str(path), 1, 1)
    try:
        # A pipe without a writer would keep us waiting for ever, a device may never end.
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            raw = file.read(MAXIMUM_BYTES + 1)
            size = os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"the file can not be read: {why}",
            code="ATM001",
            found=repr(str(path)) if "\0" in str(path) else str(path),
            allowed="a readable YAML or JSON file",
            fix="check the path and its permissions",
            position=start,
        ) from error
    if len(raw) > MAXIMUM_BYTES:
        _refuse_large(start, f"{max(size, len(raw)):,} bytes", f"at most {MAXIMUM_BYTES:,} bytes")
    return parse_document(raw, str(path))


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def parse_document(raw: bytes, file: str) -> Content:
    """Return the content of ``raw``; ``file`` names it in positions, ``*.json`` is strict JSON.

    Raises
    ------
    ConfigError
        ATM001 if it is malformed, ATM004 if it is too large, too deep or has too many parts.
    """
    start = SourcePosition(file, 1, 1)
    if len(raw) > MAXIMUM_BYTES:
        _refuse_large(start, f"{len(raw):,} bytes", f"at most {MAXIMUM_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        _refuse(SourcePosition(file, line, column), "is not UTF-8", f"byte 0x{raw[error.start]:02x}", "UTF-8")
    if file.endswith(".json"):
        text = _checked_json(text, file)
    try:
        return _Composer(text, file).compose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = start if mark is None else SourcePosition(file, mark.line + 1, mark.column + 1)
        _refuse(place, "is not well-formed", error.problem or error.context or "nothing readable", "YAML 1.2")
    except yaml.reader.ReaderError as error:
        _refuse(_place(text, file, error.position), "holds a character that is not printable",
                f"U+{error.character:04X}", "printable characters")  # fmt: skip
    except (ValueError, OverflowError) as error:
        # PyYAML lets chr() and int() fail on escapes and directives that are out of range.
        _refuse(start, "is not well-formed", str(error), "YAML 1.2")


def plain(content: Content) -> Any:
    """Return content as JSON-like values; decimals as their text in a float-free form."""
    match content:
        case Table():
            return {key: plain(value) for key, value in content.entries.items()}
        case Sequence():
            return [plain(item) for item in content.items]
        case Scalar(value=Decimal(text=text)):
            return text
        case Scalar():
            return content.value


class _Composer:
    # Turns YAML events into nodes. Written here rather than taken from PyYAML, because that one
    # expands aliases, keeps the last of duplicate keys, and recurses without a limit.
    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self.count = 0

    def compose(self) -> Content:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            _refuse(SourcePosition(self.file, 1, 1), "is empty", "nothing", "a strategy")
        content = self._content(self._next(), depth=1)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            _refuse(self._place(event), "holds more than one document", "a second document", "one document")
        return content

    def _content(self, event: Any, depth: int) -> Content:
        place = self._place(event)
        self.count += 1
        if self.count > MAXIMUM_NODES:
            _refuse_large(place, f"more than {MAXIMUM_NODES:,} values", f"at most {MAXIMUM_NODES:,} values")
        if depth > MAXIMUM_DEPTH:
            _refuse_large(place, f"nesting of {depth}", f"at most {MAXIMUM_DEPTH}")
        if isinstance(event, yaml.AliasEvent):
            _refuse(place, "uses an alias", f"*{event.anchor}", "every value written out")
        if event.anchor is not None:
            _refuse(place, "uses an anchor", f"&{event.anchor}", "every value written out")
        if event.tag is not None:
            _refuse(place, "uses a tag", str(event.tag), "values without tags")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Content] = []
            while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
                items.append(self._content(inner, depth + 1))
            return Sequence(tuple(items), place)
        return self._table(place, depth)

    def _table(self, place: SourcePosition, depth: int) -> Table:
        entries: dict[str, Content] = {}
        positions: dict[str, SourcePosition] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._content(event, depth + 1)
            if not isinstance(key, Scalar) or not key.text:
                _refuse(
                    key.position, "has a key that is not text", "a list, a mapping or nothing", "text keys"
                )
            if key.text in entries:
                _refuse(
                    key.position,
                    "has a key twice",
                    f"{key.text}, first at line {positions[key.text].line}",
                    "each key once",
                )
            positions[key.text] = key.position
            entries[key.text] = self._content(self._next(), depth + 1)
        return Table(entries, positions, place)

    def _scalar(self, event: Any, place: SourcePosition) -> Scalar:
        # A pair of surrogate escapes (JSON) is one character; a lone one is none.
        text = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            try:
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                _refuse(place, "holds half a character", "a lone surrogate", "whole characters")
        is_quoted = event.style in {"'", '"'}
        one_line = event.start_mark.line == event.end_mark.line
        width = event.end_mark.column - event.start_mark.column - 2 * is_quoted
        return Scalar(
            value=_resolved(text, place) if event.style is None else text,
            text=text,
            position=place,
            is_verbatim=one_line and event.style in {None, "'", '"'} and width == len(text),
            is_quoted=is_quoted,
        )

    def _next(self) -> Any:
        return next(self.events)

    def _place(self, event: Any) -> SourcePosition:
        return SourcePosition(self.file, event.start_mark.line + 1, event.start_mark.column + 1)


def _resolved(text: str, place: SourcePosition) -> str | int | bool | Decimal | None:
    if text in {"true", "false"}:
        return text == "true"
    if text in {"", "null", "~"}:
        return None
    if len(text) > MAXIMUM_DIGITS and (_INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text)):
        _refuse(place, "holds a number that is too long", f"{len(text)} digits", f"at most {MAXIMUM_DIGITS}")
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


def _checked_json(text: str, file: str) -> str:
    # JSON proper first; then the YAML reader, which knows columns but not tabs, sees spaces.
    _refuse_deep_json(text, file)
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        _refuse(SourcePosition(file, error.lineno, error.colno), "is not well-formed", error.msg, "JSON")
    return text.replace("\t", " ")


def _refuse_deep_json(text: str, file: str) -> None:
    """Refuse nesting before the parser sees it: that one recurses in C, as deep as the text says."""
    depth = 0
    for found in _JSON_STRUCTURE.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found.group(), 0)
        if depth > MAXIMUM_DEPTH:
            _refuse_large(
                _place(text, file, found.start()), f"nesting of {depth}", f"at most {MAXIMUM_DEPTH}"
            )


def _place(text: str, file: str, offset: int) -> SourcePosition:
    return SourcePosition(file, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _refuse(place: SourcePosition, problem: str, found: str, allowed: str) -> NoReturn:
    raise ConfigError(
        f"the file {problem}",
        code="ATM001",
        found=found,
        allowed=allowed,
        fix="mend this line",
        position=place,
    )


def _refuse_large(place: SourcePosition, found: str, allowed: str) -> NoReturn:
    raise ConfigError(
        "the file is too large for a strategy",
        code="ATM004",
        found=found,
        allowed=allowed,
        fix="split it into several strategies",
        position=place,
    )

"""Functions by ABI text, as ``raw.call`` names them: ``claim(address comet, (uint256,bool)[2] terms)``.

Only what the layout of call data needs is read here; the types themselves are judged by the codec.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.chain import selector

_NAMES = re.compile(r"(?<=[\w\])])\s+[A-Za-z_]\w*")
_ARRAY = re.compile(r"(.+)\[(\d*)\]")


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its canonical ``signature``, with the canonical type of each argument."""

    signature: str
    types: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name alone."""
        return self.signature.partition("(")[0]


def read_function(text: str) -> Function:
    """Return the function that ABI text declares; names of arguments and data locations are left out.

    Raises
    ------
    ConfigError
        If it is no function, or a type is not written in full (``uint256``, not ``uint``).
    """
    signature = re.sub(r"\s+", "", _NAMES.sub("", text.strip()))
    selector(signature)
    return Function(signature, parts_of("(" + signature.partition("(")[2]))


def parts_of(kind: str) -> tuple[str, ...]:
    """Return the types inside a tuple type, ``("uint256", "(bool,bytes)")`` of ``(uint256,(bool,bytes))``."""
    parts, depth, start = [], 0, 1
    for place, letter in enumerate(kind):
        depth += (letter == "(") - (letter == ")")
        if (letter == "," and depth == 1) or (letter == ")" and depth == 0):
            parts.append(kind[start:place])
            start = place + 1
    return tuple(part for part in parts if part)


def array_of(kind: str) -> tuple[str, int | None] | None:
    """Return the type and number of an array's items (None: any number), or None if it is no array."""
    match = _ARRAY.fullmatch(kind)
    return match and (match[1], int(match[2]) if match[2] else None)


def static_words(kind: str) -> int | None:
    """Return how many words a value takes where it stands, None if only its offset stands there."""
    array = array_of(kind)
    if array is not None:
        inner, count = static_words(array[0]), array[1]
        return None if inner is None or count is None else inner * count
    if kind.startswith("("):
        sizes = [static_words(part) for part in parts_of(kind)]
        return None if None in sizes else sum(size or 0 for size in sizes)
    return None if kind in ("bytes", "string") else 1

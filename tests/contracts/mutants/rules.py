"""What a careless or a bribed hand could change in the executor: mutants, computed from its source.

Each rule walks the syntax tree of ``atomic_executor.vy`` and changes one place of the text. Nothing
is listed by hand, so code that is added has its mutants at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vyper.ast import parse_to_ast

REFUSALS = ("self._malformed()", "self._deny(", "self._step_failed(", "raw_revert(", "raise ")
BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
EQUALITIES = {"==": "!=", "!=": "=="}
ARITHMETIC = {"+": "-", "-": "+", "*": "//", "//": "*", "%": "//"}
ROLES = ("OPERATOR", "GUARDIAN", "RESCUER", "OWNER")
SIZES = "# Sizes."
"""The comment above the block of constants that bound a program, a run and a change."""
BIT_SETS = ("PULLS", "RESERVED_FLAGS", "LENDER_BITS", "FLAGS")


@dataclass(frozen=True)
class Mutant:
    """One change of the source.

    ``owner`` is the function or the constant that is changed. ``name`` never says a line, so that it
    outlives edits elsewhere; ``nth`` counts places of one name in the order of the source.
    """

    rule: str
    owner: str
    before: str
    after: str
    line: int
    nth: int
    source: str

    @property
    def name(self) -> str:
        """Return what identifies it."""
        place = f" #{self.nth}" if self.nth else ""
        return f"{self.rule} · {self.owner} · {self.before} → {self.after}{place}"


@dataclass(frozen=True)
class _Edit:
    rule: str
    start: int
    stop: int
    after: str


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of ``source``, in its order."""
    text = _Text(source)
    found, seen, counts = [], {source}, Counter[tuple[str, ...]]()
    for edit in sorted(text.edits(), key=lambda edit: (edit.start, edit.stop, edit.rule, edit.after)):
        changed = source[: edit.start] + edit.after + source[edit.stop :]
        if changed in seen:
            continue
        seen.add(changed)
        before = _line(source[edit.start : edit.stop])
        place = (edit.rule, text.owner(edit.start), before, _line(edit.after))
        line = source.count("\n", 0, edit.start) + 1
        found.append(Mutant(*place, line=line, nth=counts[place], source=changed))
        counts[place] += 1
    return found


class _Text:
    """The source with its tree, and the rules over it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._tree = parse_to_ast(source)
        self._owners = [
            (*self._span(node), node.name) for node in self._nodes("FunctionDef") if self._is_ours(node)
        ] + [(*self._span(node), self._text(node.target)) for node in self._nodes("VariableDecl")]

    def edits(self) -> Iterator[_Edit]:
        """Return the edits of every rule."""
        for rule in (
            self._drop_assert, self._drop_clause, self._drop_statement, self._never, self._equality,
            self._boundary, self._role, self._size, self._bits, self._listed, self._arithmetic,
        ):  # fmt: skip
            yield from rule()

    def owner(self, at: int) -> str:
        """Return the name of the function or the constant around an offset; empty if there is none."""
        return next((name for start, stop, name in self._owners if start <= at < stop), "")

    def _drop_assert(self) -> Iterator[_Edit]:
        """Leave out an assertion; the call inside one is still made."""
        for node in self._nodes("Assert"):
            test = self._text(node.test)
            is_call = test.startswith(("extcall", "raw_call"))
            yield self._edit("drop assert", node, f"kept: bool = {test}" if is_call else "pass")

    def _drop_clause(self) -> Iterator[_Edit]:
        """Leave out one clause of an ``and`` or an ``or``."""
        for node in self._nodes("BoolOp"):
            word = " and " if type(node.op).__name__ == "And" else " or "
            for left_out in node.values:
                rest = [self._clause(value) for value in node.values if value is not left_out]
                yield self._edit("drop clause", node, f"({word.join(rest)})")

    def _drop_statement(self) -> Iterator[_Edit]:
        """Leave out a write to the state, a call, a refusal or an event."""
        for kind in ("Assign", "AugAssign", "Expr", "Log", "Raise"):
            for node in self._nodes(kind):
                written = self._text(node.target) if kind in ("Assign", "AugAssign") else ""
                if kind in ("Assign", "AugAssign") and not written.startswith("self."):
                    continue
                if self.owner(self._span(node)[0]):
                    yield self._edit("drop statement", node, "pass")

    def _never(self) -> Iterator[_Edit]:
        """Let a condition never hold; a refusal that is the whole body is a dropped statement already."""
        for node in self._nodes("If"):
            body = [self._text(statement) for statement in node.body]
            if len(body) > 1 or not body[0].startswith(REFUSALS):
                yield self._edit("never", node.test, "False")

    def _equality(self) -> Iterator[_Edit]:
        """Turn an equality around where it is a value, and not the whole of a condition."""
        conditions = [node.test for kind in ("If", "Assert") for node in self._nodes(kind)]
        for node in self._nodes("Compare"):
            sign = self._sign(node)
            if sign in EQUALITIES and not any(node is test for test in conditions):
                yield self._swapped("equality", node, EQUALITIES[sign])

    def _boundary(self) -> Iterator[_Edit]:
        """Move a bound by one."""
        for node in self._nodes("Compare"):
            sign = self._sign(node)
            if sign in BOUNDARIES:
                yield self._swapped("boundary", node, BOUNDARIES[sign])

    def _role(self) -> Iterator[_Edit]:
        """Give a function to one role more, or to one less; take another role for the one asked."""
        for node in self._nodes("Call"):
            if self._text(node.func) != "self._authorise":
                continue
            held = self._text(node.args[0]).split(" | ")
            for role in ROLES:
                others = [name for name in held if name != role]
                wanted = others if role in held else [*held, role]
                yield self._edit("role", node.args[0], " | ".join(wanted) or "0")
        for node in self._nodes("Compare"):
            held = self._text(node.right)
            if self._text(node.left) == "role" and held in ROLES:
                for role in ROLES[:3]:
                    yield self._edit("role", node.right, role)

    def _size(self) -> Iterator[_Edit]:
        """Make a size one larger or one smaller."""
        first = self._source[: self._source.index(SIZES)].count("\n") + 1
        last = self._source[: self._source.index("\n\n", self._source.index(SIZES))].count("\n") + 1
        for node in self._nodes("VariableDecl"):
            if first < node.lineno <= last:
                for less in (-1, 1):
                    yield self._edit("size", node.value, str(int(self._text(node.value)) + less))

    def _bits(self) -> Iterator[_Edit]:
        """Leave out one part of a set of bits, or the lowest of a plain number."""
        for node in self._nodes("VariableDecl"):
            if self._text(node.target) not in BIT_SETS:
                continue
            value = self._text(node.value)
            parts = value.split(" | ")
            if len(parts) > 1:
                for part in parts:
                    yield self._edit("bits", node.value, " | ".join(p for p in parts if p is not part))
            else:
                bits = int(value)
                for place in range(bits.bit_length()):
                    if bits >> place & 1:
                        yield self._edit("bits", node.value, str(bits & ~(1 << place)))

    def _listed(self) -> Iterator[_Edit]:
        """Leave a function out of the forbidden ones, by naming another twice."""
        for node in self._nodes("VariableDecl"):
            if self._text(node.target) == "FORBIDDEN":
                first, *others = node.value.elements
                yield self._edit("listed", first, self._text(others[0]))
                for item in others:
                    yield self._edit("listed", item, self._text(first))

    def _arithmetic(self) -> Iterator[_Edit]:
        """Take another operation between what is not two numbers; shifts and masks are the layout."""
        for node in self._nodes("BinOp"):
            if self.owner(self._span(node)[0]).isupper() or not self._names(node):
                continue
            sign = self._sign(node)
            if sign in ARITHMETIC:
                yield self._swapped("arithmetic", node, ARITHMETIC[sign])

    def _sign(self, node: Any) -> str:
        """Return the sign between the two sides of a comparison or an operation."""
        return self._source[self._span(node.left)[1] : self._span(node.right)[0]].strip(" ()\n")

    def _swapped(self, rule: str, node: Any, sign: str) -> _Edit:
        (start, stop), left, right = self._span(node), self._span(node.left)[1], self._span(node.right)[0]
        between = self._source[left:right].replace(self._sign(node), sign)
        return _Edit(rule, start, stop, self._source[start:left] + between + self._source[right:stop])

    def _clause(self, node: Any) -> str:
        text = self._text(node)
        return f"({text})" if type(node).__name__ == "BoolOp" else text

    def _nodes(self, kind: str) -> Iterator[Any]:
        for node in self._tree.get_descendants():
            if type(node).__name__ == kind:
                yield node

    def _names(self, node: Any) -> bool:
        return any(type(part).__name__ in ("Name", "Attribute") for part in node.get_descendants())

    def _is_ours(self, node: Any) -> bool:
        return type(node.get_ancestor()).__name__ == "Module"

    def _edit(self, rule: str, node: Any, after: str) -> _Edit:
        return _Edit(rule, *self._span(node), after)

    def _span(self, node: Any) -> tuple[int, int]:
        """Return the offsets of a node's text, with the brackets that are its own."""
        start = self._starts[node.lineno - 1] + node.col_offset
        stop = self._starts[node.end_lineno - 1] + node.end_col_offset
        return start, stop

    def _text(self, node: Any) -> str:
        start, stop = self._span(node)
        return self._source[start:stop]


def _line(text: str) -> str:
    return " ".join(text.split())

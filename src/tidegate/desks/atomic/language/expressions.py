"""Expressions: how a step's input names a quantity, a blind or what another step returned.

::

    expression := term (("+" | "-") term)*
    term       := quantity | integer | reference | call | percent | "(" expression ")"
    reference  := "$" name ["." output]
    call       := "balance(" TOKEN ")" | "min(" a "," b ")" | "max(" a "," b ")"
                | "scale(" limit "," new "," old ")"
    percent    := (number "%" | "$" blind) "of" term
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tidegate.desks.atomic.language.document import Scalar
from tidegate.desks.atomic.language.findings import did_you_mean
from tidegate.desks.atomic.language.quantities import parse_quantity
from tidegate.desks.atomic.language.syntax import (
    BalanceOf,
    BlindRef,
    Difference,
    Expression,
    Literal,
    Maximum,
    Minimum,
    OutputRef,
    Percent,
    Scale,
    Sum,
    Unit,
)
from tidegate.model import ConfigError, SourcePosition

MAXIMUM_NESTING = 8
MAXIMUM_PERCENT_BPS = 100_000

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<percent>(?:0|[1-9][0-9]*)(?:\.[0-9]+)? *%(?= *of\b))"
    r"|(?P<quantity>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?: *%| +(?!of\b)[A-Za-z][\w.]*))"
    r"|(?P<integer>(?:0|[1-9][0-9]{0,79})(?![\w.]))"
    r"|(?P<reference>\$[a-z](?:[a-z0-9]|[_-](?=[a-z0-9]))*(?:\.[a-z][a-z0-9_]*)?)"
    r"|(?P<word>[A-Za-z][\w.]*)"
    r"|(?P<sign>[()+,-])"
)
_ARGUMENTS = {"balance": 1, "min": 2, "max": 2, "scale": 3}


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression may name: the chain's tokens with decimals, and the file's blinds."""

    decimals_of: Mapping[str, int]
    blinds: Collection[str]


def is_expression(text: str) -> bool:
    """Say whether ``text`` is meant as an expression rather than as a name or an address."""
    return (
        not text.startswith("0x") and re.match(r"[-(0-9$]|(?:balance|min|max|scale)\s*\(", text) is not None
    )


def parse_expression(scalar: Scalar, names: Names) -> Expression:
    """Return the expression that a single value writes; its parts know their columns.

    Raises
    ------
    ConfigError
        ATM112 if it is malformed or mixes units up; ATM111 if it names an unknown token.
    """
    return _Parser(scalar, names).parse()


class _Parser:
    def __init__(self, scalar: Scalar, names: Names) -> None:
        self.scalar = scalar
        self.names = names
        self.tokens = self._tokens()
        self.index = 0
        self.nesting = 0

    def parse(self) -> Expression:
        expression = self._sum()
        if self.index < len(self.tokens):
            kind, text, offset = self.tokens[self.index]
            if kind == "word" and isinstance(expression, Literal) and expression.unit is Unit.INTEGER:
                raise self._error(
                    f"has {text} after a bare number", text, "a number, a space and its unit", offset
                )
            raise self._error("goes on after its end", text, "+ or - and another part", offset)
        return expression

    def _tokens(self) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        offset, text = 0, self.scalar.text
        while offset < len(text):
            match = _TOKEN.match(text, offset)
            # A minus directly after a value is a subtraction, not the sign of what follows.
            if match and match.lastgroup == "quantity" and match[0].startswith("-") and _ends_value(tokens):
                tokens.append(("sign", "-", offset))
                offset += 1
                continue
            if match is None:
                raise self._unreadable(offset)
            kind = match.lastgroup or ""
            if kind != "space":
                tokens.append((kind, match[0], offset))
            offset = match.end()
        return tokens

    def _sum(self) -> Expression:
        left = self._term()
        while self._peek() in {"+", "-"}:
            _, sign, offset = self._take()
            right = self._term()
            left = (Sum if sign == "+" else Difference)(left, right, self.scalar.at(offset))
        return left

    def _term(self) -> Expression:
        self.nesting += 1
        if self.nesting > MAXIMUM_NESTING:
            raise self._error(
                "is nested too deeply", f"{self.nesting} levels", f"at most {MAXIMUM_NESTING}", 0
            )
        try:
            return self._one_term()
        finally:
            self.nesting -= 1

    def _one_term(self) -> Expression:
        kind, text, offset = self._take()
        position = self.scalar.at(offset)
        match kind:
            case "quantity":
                return parse_quantity(text, self.names.decimals_of, position)
            case "integer":
                return Literal(int(text), Unit.INTEGER, None, position)
            case "reference":
                name, _, output = text[1:].partition(".")
                if not output and name in self.names.blinds:
                    return self._blind(BlindRef(name, position))
                return OutputRef(name, output or None, position)
            case "percent":
                return self._percent(text, position)
            case "word" if text in _ARGUMENTS and self._peek() == "(":
                return self._call(text, position)
            case "sign" if text == "(":
                inner = self._sum()
                self._expect(")")
                return inner
        raise self._error(
            "can not begin a part of an expression", text, "a quantity, a reference or a call", offset
        )

    def _blind(self, blind: BlindRef) -> Expression:
        """Return the blind, or the part of something that it is the rate of."""
        if self._peek() != "of":
            return blind
        self._take()
        return Percent(self._term(), blind, blind.position)

    def _percent(self, text: str, position: SourcePosition) -> Expression:
        rate = parse_quantity(text, self.names.decimals_of, position).base_units
        if not 0 < rate <= MAXIMUM_PERCENT_BPS:
            raise ConfigError(
                "a percentage is out of range",
                code="ATM112",
                found=text,
                allowed="above 0 %, at most 1000 %",
                fix="write the part that is meant",
                position=position,
            )
        self._expect("of")
        return Percent(self._term(), rate, position)

    def _call(self, name: str, position: SourcePosition) -> Expression:
        self._expect("(")
        if name == "balance":
            _, token, offset = self._take()
            self._expect(")")
            return BalanceOf(self._token(token, offset), position)
        arguments = [self._sum()]
        for _ in range(_ARGUMENTS[name] - 1):
            self._expect(",")
            arguments.append(self._sum())
        self._expect(")")
        if name == "scale":
            return Scale(arguments[0], arguments[1], arguments[2], position)
        return (Minimum if name == "min" else Maximum)(arguments[0], arguments[1], position)

    def _token(self, token: str, offset: int) -> str:
        if token in self.names.decimals_of:
            return token
        raise ConfigError(
            f"{token} is not a token of this chain",
            code="ATM111",
            found=token,
            allowed=", ".join(sorted(self.names.decimals_of)),
            fix=did_you_mean(token, self.names.decimals_of, "name a token of the address book"),
            position=self.scalar.at(offset),
        )

    def _peek(self) -> str | None:
        return self.tokens[self.index][1] if self.index < len(self.tokens) else None

    def _take(self) -> tuple[str, str, int]:
        if self.index == len(self.tokens):
            raise self._error("ends too early", "the end", "another part", len(self.scalar.text))
        self.index += 1
        return self.tokens[self.index - 1]

    def _expect(self, sign: str) -> None:
        _, text, offset = self._take()
        if text != sign:
            raise self._error("is not well-formed", text, sign, offset)

    def _unreadable(self, offset: int) -> ConfigError:
        rest = self.scalar.text[offset:]
        number = re.match(r"-?[0-9][0-9.]*", rest)
        if number is None:
            return self._error("can not be read", rest[:20], "such as 50% of $swap.amount_out", offset)
        allowed = "a number, a space and a unit, such as 1.5 WETH"
        return self._error("has a number without its unit", f"{number[0]!r}", allowed, offset)

    def _error(self, problem: str, found: str, allowed: str, offset: int) -> ConfigError:
        return ConfigError(
            f"the expression {problem}",
            code="ATM112",
            found=found[:80],
            allowed=allowed,
            fix="see the expressions of a strategy file",
            position=self.scalar.at(offset),
        )


def _ends_value(tokens: list[tuple[str, str, int]]) -> bool:
    return bool(tokens) and (tokens[-1][0] in {"quantity", "integer", "reference"} or tokens[-1][1] == ")")

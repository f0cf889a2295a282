"""From content whose form is checked to typed values, collecting findings instead of stopping at one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tidegate.desks.atomic.language.document import Content, Decimal, Scalar, Sequence, Table
from tidegate.desks.atomic.language.expressions import Names, is_expression, parse_expression
from tidegate.desks.atomic.language.findings import Finding, did_you_mean
from tidegate.desks.atomic.language.quantities import is_quantity, number_literal, parse_quantity
from tidegate.desks.atomic.language.syntax import Expression, Flag, Items, Literal, Unit, Value, Word
from tidegate.model import ConfigError, SourcePosition

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """One reading of one file: the names that are in force, and what was found so far.

    ``decimals_of`` holds the tokens that the file declares; ``on_chain`` all that the chain has.
    """

    decimals_of: dict[str, int]
    on_chain: Mapping[str, int]
    chain: str
    blinds: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """Return what an expression may name."""
        return Names(self.decimals_of, self.blinds)

    def attempt(self, build: Callable[[], T], otherwise: T, position: SourcePosition) -> T:
        """Return what ``build`` returns; if it refuses, note the finding and go on with ``otherwise``."""
        try:
            return build()
        except ConfigError as error:
            self.findings.append(Finding.of(error, position))
            return otherwise

    def report(
        self, code: str, position: SourcePosition, message: str, found: str, allowed: str, fix: str
    ) -> None:
        """Note one finding."""
        self.findings.append(Finding(code, position, message, found, allowed, fix))

    def token(self, scalar: Scalar) -> str:
        """Return the token that a value names; one that is not declared is a finding."""
        name = scalar.text
        if name not in self.decimals_of:
            self.unknown_token(name, scalar.position)
        return name

    def unknown_token(self, name: str, position: SourcePosition) -> None:
        """Note that ``name`` is no token of the file, naming the nearest that is."""
        if name in self.on_chain:
            self.report(
                "ATM111", position, f"{name} is not among the file's tokens", name,
                ", ".join(self.decimals_of), f"add {name} to tokens",
            )  # fmt: skip
            return
        known = ", ".join(sorted(self.on_chain)) or "none: there is no address book for this chain"
        fix = did_you_mean(name, self.on_chain, "name a token of the address book")
        self.report("ATM111", position, f"{name} is not a token on {self.chain}", name, known, fix)

    def value(self, content: Content) -> Value:
        """Return the value of an input or parameter: an expression, a name, a flag or a list."""
        if isinstance(content, Sequence):
            return Items(tuple(self.value(item) for item in content.items), content.position)
        assert isinstance(content, Scalar)
        if isinstance(content.value, bool):
            return Flag(content.value, content.position)
        if isinstance(content.value, int | Decimal):
            return number_literal(content)
        if is_expression(content.text):
            return self.expression(content)
        return Word(content.text, content.position)

    def expression(self, scalar: Scalar) -> Expression:
        """Return an amount: an expression, or a bare integer of base units."""
        if isinstance(scalar.value, int) or is_quantity(scalar.text):
            return self.quantity(scalar)
        nothing: Expression = Literal(0, Unit.INTEGER, None, scalar.position)
        return self.attempt(lambda: parse_expression(scalar, self.names), nothing, scalar.position)

    def quantity(self, scalar: Scalar) -> Literal:
        """Return a quantity with its unit, or a bare number."""
        if isinstance(scalar.value, int | Decimal):
            return number_literal(scalar)
        nothing = Literal(0, Unit.INTEGER, None, scalar.position)
        return self.attempt(lambda: self._quantity(scalar), nothing, scalar.position)

    def _quantity(self, scalar: Scalar) -> Literal:
        unit = scalar.text.split()[-1]
        if unit in self.on_chain and unit not in self.decimals_of:
            self.unknown_token(unit, scalar.position)
            return parse_quantity(scalar.text, self.on_chain, scalar.position)
        return parse_quantity(scalar.text, self.decimals_of, scalar.position)


@dataclass(frozen=True, slots=True)
class Keys:
    """Typed access to a table whose form is checked; absent keys give what the caller says."""

    table: Table
    reading: Reading

    def places(self) -> dict[str, SourcePosition]:
        """Return where each value stands."""
        return {key: content.position for key, content in self.table.entries.items()}

    def has(self, key: str) -> bool:
        """Say whether ``key`` is written."""
        return key in self.table.entries

    def scalar(self, key: str) -> Scalar:
        """Return the single value of ``key``."""
        content = self.table.entries[key]
        assert isinstance(content, Scalar), key
        return content

    def items(self, key: str) -> tuple[Content, ...]:
        """Return the list of ``key``, empty if absent."""
        content = self.table.entries.get(key)
        if content is None:
            return ()
        assert isinstance(content, Sequence), key
        return content.items

    def keys(self, key: str) -> Keys:
        """Return the mapping of ``key``."""
        content = self.table.entries[key]
        assert isinstance(content, Table), key
        return Keys(content, self.reading)

    def text(self, key: str, otherwise: str = "") -> str:
        """Return the text of ``key``."""
        return self.scalar(key).text if self.has(key) else otherwise

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts of ``key``, empty if absent."""
        return tuple(item.text for item in self.items(key) if isinstance(item, Scalar))

    def flag(self, key: str, otherwise: bool) -> bool:
        """Return the flag of ``key``."""
        return self.scalar(key).value is True if self.has(key) else otherwise

    def whole(self, key: str, otherwise: int) -> int:
        """Return the whole number of ``key``."""
        value = self.scalar(key).value if self.has(key) else otherwise
        assert isinstance(value, int), key
        return value

    def measure(self, key: str, otherwise: int, least: int, most: int, allowed: str) -> int:
        """Return the base units of a quantity; one outside ``least`` to ``most`` is a finding."""
        if not self.has(key):
            return otherwise
        scalar = self.scalar(key)
        amount = self.reading.quantity(scalar).base_units
        if not least <= amount <= most:
            self.reading.report(
                "ATM002",
                scalar.position,
                f"{key} is out of range",
                scalar.text,
                allowed,
                f"set {key} within it",
            )
        return amount

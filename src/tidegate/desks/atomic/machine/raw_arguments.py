"""Arguments of a raw call: values of the file laid out as the function's types want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.chain import encode_call
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.abi_text import Function, array_of, parts_of, static_words
from tidegate.desks.atomic.machine.lowering import Constant, Held, Lowering
from tidegate.desks.atomic.machine.names import Names, located
from tidegate.model import ConfigError, SourcePosition
from tidegate.venues.executor import Patch


@dataclass(slots=True)
class Arguments:
    """Call data, with what is patched into which word when the program runs; ``held`` is released after."""

    data: bytes = b""

    patches: list[Patch] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArgumentWriter:
    """Writes the arguments of raw calls."""

    lowering: Lowering
    names: Names

    def write(self, step: syntax.ActionStep, function: Function) -> Arguments:
        """Return selector and arguments.

        A reference may stand where a number has a word of its own: an argument, or a member of a struct
        without dynamic members.

        Raises
        ------
        ConfigError
            ATM111 for an unknown name, ATM112 where a value does not fit its type.
        """
        written = step.inputs.get("args")
        given = items_of(written) if written is not None else ()
        laid = Arguments()
        values = self._values(step, function.types, given, 0, laid)
        try:
            laid.data = encode_call(function.signature, *values)
        except ConfigError as error:
            raise wrong_input(
                step, "args", f"args of {step.id} do not fit", error.found or "", function.signature
            ) from error
        return laid

    def _values(
        self,
        step: syntax.ActionStep,
        types: Sequence[str],
        given: Sequence[syntax.Value],
        place: int | None,
        laid: Arguments,
    ) -> list[Any]:
        if len(types) != len(given):
            found = f"{len(given)} values"
            raise wrong_input(step, "args", f"args of {step.id} do not fit", found, f"({','.join(types)})")
        values = []
        for kind, value in zip(types, given, strict=True):
            size = static_words(kind)
            values.append(self._one(step, kind, value, None if size is None else place, laid))
            place = None if place is None else place + (size or 1)
        return values

    def _one(
        self, step: syntax.ActionStep, kind: str, value: syntax.Value, place: int | None, laid: Arguments
    ) -> Any:
        array = array_of(kind)
        if array is not None:
            inner, count = array
            items = items_of(value)
            return self._values(step, [inner] * (count or len(items)), items, place, laid)
        if kind.startswith("("):
            return tuple(self._values(step, parts_of(kind), items_of(value), place, laid))
        if kind.startswith(("uint", "int")) and isinstance(value, syntax.Expression):
            return self._number(step, value, place, laid)
        if kind == "bool" and isinstance(value, syntax.Flag):
            return value.value
        if kind == "bool" and isinstance(value, syntax.BlindRef):
            return bool(self.lowering.blind_number(value))
        text = self.lowering.blind_text(value) if isinstance(value, syntax.BlindRef) else _text(value)
        if kind == "address" and text:
            return self.names.account(text, value.position)
        if kind.startswith("bytes") and text.startswith("0x"):
            with located(value.position):
                return _bytes(step, text)
        if kind == "string" and isinstance(value, syntax.Word):
            return text
        raise wrong_input(
            step, "args", f"an argument of {step.id} has the wrong type", text or "another", kind
        )

    def _number(
        self, step: syntax.ActionStep, value: syntax.Expression, place: int | None, laid: Arguments
    ) -> int:
        operand = self.lowering.operand(value, step.id)
        if isinstance(operand, Constant):
            return operand.value
        if place is None:
            allowed = "a number that is known before the run"
            raise wrong_input(
                step, "args", f"an argument of {step.id} stands in a list", "a reference", allowed
            )
        laid.patches.append(Patch(place, operand.register))
        laid.held.append(operand)
        return 0


def items_of(value: syntax.Value) -> tuple[syntax.Value, ...]:
    """Return the entries of a list, or the value alone."""
    return value.items if isinstance(value, syntax.Items) else (value,)


def place_of(step: syntax.ActionStep, name: str) -> SourcePosition:
    """Return where an input stands, or the step if it does not."""
    return step.input_positions.get(name, step.position)


def wrong_input(step: syntax.ActionStep, name: str, problem: str, found: str, allowed: str) -> ConfigError:
    """Return ATM112 at the place of an input."""
    return ConfigError(problem, code="ATM112", found=found, allowed=allowed, position=place_of(step, name))


def _text(value: syntax.Value) -> str:
    return value.text if isinstance(value, syntax.Word) else ""


def _bytes(step: syntax.ActionStep, text: str) -> bytes:
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise wrong_input(
            step, "args", f"an argument of {step.id} is no hex", text[:80], "0x and pairs of digits"
        ) from error

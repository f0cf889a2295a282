"""``raw.call``: any function by its ABI text, under rules that the author states and the executor enforces.

No adapter knows what the function does. So the author says what it may take (``spend`` of ``token``), which
tokens it moves (``moves``), why there is no action for it, and which argument must be what; whatever moves
gets a balance line, and what was approved is zero again when the scope ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.chain import address, selector
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.language.abi_text import Function, read_function, static_words
from tidegate.desks.atomic.machine.emission import Emission
from tidegate.desks.atomic.machine.lowering import Held, Lowering, OutputKey
from tidegate.desks.atomic.machine.names import Names, located
from tidegate.desks.atomic.machine.raw_arguments import (
    Arguments,
    ArgumentWriter,
    items_of,
    place_of,
    wrong_input,
)
from tidegate.model import Address, ConfigError
from tidegate.venues import NATIVE, Token, parse_rule
from tidegate.venues.executor import (
    RETURN_WORDS_MAX,
    Approve,
    ArgumentRule,
    Call,
    Capture,
    Change,
    Permission,
    PermissionBook,
    Take,
    why_inadmissible,
)

RAW_CALL = "raw.call"
INPUTS = ("target", "function", "args", "token", "spend", "value", "moves")
_SOMEWHERE, _NOBODY = address("0x" + "11" * 20), address("0x" + "22" * 20)

OUTPUTS = tuple(f"word{number}" for number in range(RETURN_WORDS_MAX))
"""What later steps may name: the words that the function returns, as far as the executor keeps them."""


def function_of(step: syntax.ActionStep) -> Function:
    """Return the function that a raw call names.

    Raises
    ------
    ConfigError
        ATM112 if there is none, or its text is no function.
    """
    written = step.inputs.get("function")
    with located(place_of(step, "function")):
        if not isinstance(written, syntax.Word):
            raise ConfigError("no function", code="ATM112", allowed='such as "claim(address account)"')
        try:
            function = read_function(written.text)
        except ConfigError as error:
            raise ConfigError(
                error.message,
                code="ATM112",
                found=error.found,
                allowed=error.allowed,
                fix="write types in full",
            ) from error
    return function


def permission_of(step: syntax.ActionStep) -> Permission:
    """Return the argument rules that the author states.

    Raises
    ------
    ConfigError
        ATM112 if ``because`` or ``policy`` is missing, a rule is none or lies outside the arguments, or
        the executor's owner could not allow the call at all.
    """
    for key, wanted in (("because", "why no action of the catalogue does it"), ("policy", "rules, or []")):
        if key not in step.value_positions:
            raise ConfigError(
                f"{step.id} says no {key}",
                code="ATM112",
                found=f"no {key}",
                allowed=wanted,
                fix=f"add {key}:",
                position=step.position,
            )
    permission = Permission(call=True, rules=tuple(_rules(step)))
    function = function_of(step)
    change = Change.policy(_SOMEWHERE, selector(function.signature), permission)
    why = why_inadmissible(change, executor=_NOBODY, owner=_NOBODY, accounts_with_code=(_SOMEWHERE,))
    if why is not None:
        raise ConfigError(
            f"no executor may be allowed what {step.id} calls: {why}",
            code="ATM112",
            found=f"{function.signature} under {', '.join(step.policy) or 'no rules'}",
            allowed="what its owner may schedule",
            fix="say what it takes by token: and spend:, transfer by erc20.transfer, borrow by a flash step",
            position=step.at("policy"),
        )
    return permission


def _rules(step: syntax.ActionStep) -> Iterator[ArgumentRule]:
    size = sum(static_words(kind) or 1 for kind in function_of(step).types)
    for text in step.policy:
        with located(step.at("policy")):
            try:
                rule = parse_rule(step.id, text)
                rule.encoded  # noqa: B018 - refuses what has no place in a policy word
            except ConfigError as error:
                allowed = "self@3, recipient@3, asset@0, cap@4, pin@1=0x80"
                raise ConfigError(error.message, code="ATM112", found=text, allowed=allowed) from error
            if rule.word >= size:
                raise ConfigError(
                    f"{text} lies outside the arguments of {step.id}",
                    code="ATM112",
                    found=f"word {rule.word}",
                    allowed=f"0 to {size - 1}" if size else "none: it has no arguments",
                )
        yield rule


def target_of(step: syntax.ActionStep, names: Names) -> Address:
    """Return the contract that a raw call calls. Raises ``ConfigError`` if it names none that is known."""
    written = step.inputs.get("target")
    if not isinstance(written, syntax.Word):
        raise wrong_input(
            step, "target", f"{step.id} names no target", "none", "a contract of the address book"
        )
    return names.account(written.text, written.position)


def raw_permissions(strategy: syntax.Strategy, names: Names, known: PermissionBook) -> PermissionBook:
    """Return what adapters know, and under which rules a strategy's own raw calls stand.

    A function that an adapter knows stays under the adapter's rules.
    """
    own = {
        (target_of(step, names), selector(function_of(step).signature)): permission_of(step)
        for step in syntax.walk(strategy.steps)
        if isinstance(step, syntax.ActionStep) and step.use == RAW_CALL
    }

    def of(target: Address, function: bytes) -> Permission | None:
        return known(target, function) or own.get((target, function))

    return of


def moved_by_raw(step: syntax.ActionStep, names: Names) -> tuple[Token, ...]:
    """Return the tokens that a raw call is said to move, with what it spends and the ether it sends."""
    value = step.inputs.get("moves")
    written = [] if value is None else list(items_of(value))
    if "token" in step.inputs:
        written.append(step.inputs["token"])
    tokens = [_moved(names, item) for item in written]
    return (*tokens, names.book.token(NATIVE)) if "value" in step.inputs else tuple(tokens)


def _moved(names: Names, value: syntax.Value) -> Token:
    if isinstance(value, syntax.Word) and value.text == NATIVE:
        return names.book.token(NATIVE)
    return names.token_of(value)


@dataclass(slots=True)
class RawCallLowering:
    """Lowers raw calls. ``uses`` counts how often each output is named after its step."""

    emission: Emission
    lowering: Lowering
    names: Names
    uses: Counter[OutputKey]

    @property
    def _arguments(self) -> ArgumentWriter:
        return ArgumentWriter(self.lowering, self.names)

    def lower(self, step: syntax.ActionStep) -> None:
        """Emit the approval, the call, and the capture of the words that later steps name.

        Raises
        ------
        ConfigError
            ATM111 or ATM112, with the place of what is wrong.
        """
        for name in step.inputs:
            if name not in INPUTS:
                raise wrong_input(step, name, f"{RAW_CALL} has no input {name}", name, ", ".join(INPUTS))
        function = function_of(step)
        permission_of(step)
        target = target_of(step, self.names)
        self._approve(step, target)
        laid = self._arguments.write(step, function)
        value = self._value(step)
        for operand in laid.held:
            self.lowering.release(operand)
        if value is not None:
            self.emission.registers.release(value)
        self._call(step, function, target, laid, value)

    def _approve(self, step: syntax.ActionStep, target: Address) -> None:
        spend = step.inputs.get("spend")
        if spend is None:
            return
        if "token" not in step.inputs or not isinstance(spend, syntax.Expression):
            raise wrong_input(
                step, "spend", f"{step.id} does not say what it spends", "spend", "spend and token"
            )
        token = self.names.token_of(step.inputs["token"])
        name = self.names.book.name_of(target)
        self.emission.approve_once(token, target, name, step.id, step.position)
        register = self.lowering.register(self.lowering.operand(spend, step.id), step.id)
        self.emission.emit(
            step.id,
            f"approve {token.symbol}",
            token.address,
            lambda tag: Approve(tag, token.address, target, register, True),
        )
        self.emission.registers.release(register)

    def _value(self, step: syntax.ActionStep) -> int | None:
        value = step.inputs.get("value")
        if value is None:
            return None
        if not isinstance(value, syntax.Expression):
            raise wrong_input(
                step, "value", f"value of {step.id} is no amount", "another", "an amount of ETH"
            )
        return self.lowering.register(self.lowering.operand(value, step.id), step.id)

    def _call(
        self,
        step: syntax.ActionStep,
        function: Function,
        target: Address,
        laid: Arguments,
        value: int | None,
    ) -> None:
        kept = [(place, name) for place, name in enumerate(OUTPUTS) if self.uses[step.id, name]]
        registers = {name: self.emission.registers.take(self.uses[step.id, name]) for _, name in kept}
        capture = Capture(registers[kept[0][1]], kept[0][0]) if kept else None
        self.emission.emit(
            step.id,
            f"call {function.name}",
            target,
            lambda tag: Call(tag, target, laid.data, tuple(laid.patches), capture, value),
        )
        for place, name in kept[1:]:
            self._take(step, name, registers[name], place)
        for name, register in registers.items():
            self.lowering.outputs[step.id, name] = Held(register)

    def _take(self, step: syntax.ActionStep, name: str, register: int, word: int) -> None:
        self.emission.emit(
            step.id, f"take {name}", self.names.executor, lambda tag: Take(tag, register, word)
        )

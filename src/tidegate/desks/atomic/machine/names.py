"""What the words of a strategy stand for: tokens, recipients, targets, paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tidegate.chain import address
from tidegate.desks.atomic.language import syntax
from tidegate.model import ZERO_ADDRESS, Address, ConfigError, SourcePosition
from tidegate.venues import (
    ActionSpec,
    AddressBook,
    Entry,
    Input,
    InputType,
    Token,
    Word,
    WordSource,
    catalogue,
)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one strategy on one chain."""

    book: AddressBook
    executor: Address

    def spec(self, step: syntax.ActionStep) -> ActionSpec:
        """Return what the step's action is.

        Raises
        ------
        ConfigError
            ATM111 if no adapter has it, ATM112 if an input is unknown or missing.
        """
        spec = catalogue().get(step.use)
        if spec is None:
            raise ConfigError(
                f"unknown action {step.use}",
                code="ATM111",
                found=step.use,
                allowed="an action of the catalogue",
                fix="`tidegate strategy check` names the nearest",
                position=step.at("use"),
            )
        for name in step.inputs:
            if name not in spec.inputs:
                raise _input_error(
                    step, name, f"{spec.name} has no input {name}", name, ", ".join(spec.inputs)
                )
        for name, wanted in spec.inputs.items():
            if wanted.required and name not in step.inputs:
                raise _input_error(step, name, f"{spec.name} needs {name}", "nothing", wanted.type.value)
        return spec.spoken_by(self.contract(spec, step, spec.target)) if spec.editions else spec

    def token(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> Token:
        """Return the token of input ``name``, or the book's own if the action has no such input."""
        if name in spec.inputs:
            return self.token_of(step.inputs[name])
        return self.book.token(name)

    def token_of(self, value: syntax.Value) -> Token:
        """Return the token that a word of the file names."""
        if isinstance(value, syntax.Word):
            with located(value.position):
                token = self.book.token(value.text)
            if token.address != ZERO_ADDRESS:
                return token
            raise ConfigError(
                f"{value.text} is the chain's coin, no token",
                code="ATM112",
                found=value.text,
                allowed="a token",
                fix="use WETH; weth.deposit makes it of ETH",
                position=value.position,
            )
        raise ConfigError("not a token", code="ATM112", allowed="a token's symbol", position=value.position)

    def contract(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> Entry:
        """Return the contract of the address book that input ``name`` stands for.

        Raises
        ------
        ConfigError
            ATM111 if the book has none of that name, ATM112 if it is not of the kind that is meant.
        """
        wanted, value = spec.inputs[name], step.inputs.get(name)
        text = value.text if isinstance(value, syntax.Word) else str(wanted.default)
        if not wanted.admits(text) or (value is not None and not isinstance(value, syntax.Word)):
            found = text if isinstance(value, syntax.Word) else "no name"
            problem = f"{name} of {step.id} is not such a contract"
            raise _input_error(step, name, problem, found, _like(wanted))
        with located(step.input_positions.get(name, step.at("use"))):
            return self.book.entry(text)

    def target(self, spec: ActionSpec, step: syntax.ActionStep) -> Address:
        """Return the contract that the action calls."""
        called = spec.inputs.get(spec.target)
        if called is not None and called.type is InputType.CONTRACT:
            return self.contract(spec, step, spec.target).address
        if called is not None:
            return self.token(spec, step, spec.target).address
        with located(step.at("use")):
            return self.book.entry(spec.target).address

    def path(self, spec: ActionSpec, step: syntax.ActionStep, word: Word) -> tuple[Token, ...]:
        """Return the tokens of a path word, in the order of the file; none if the word is no path.

        Raises
        ------
        ConfigError
            ATM112 if a list is longer than the action allows.
        """
        if word.source not in (WordSource.PATH, WordSource.PACKED):
            return ()
        tokens: list[Token] = []
        for name in word.inputs:
            value = step.inputs.get(name)
            if value is None:
                continue
            items = value.items if isinstance(value, syntax.Items) else (value,)
            most = spec.inputs[name].most
            if most is not None and len(items) > most:
                raise _input_error(
                    step, name, f"{name} is too long", f"{len(items)} tokens", f"at most {most}"
                )
            tokens += [self.token_of(item) for item in items]
        return tuple(tokens)

    def packed_path(self, spec: ActionSpec, step: syntax.ActionStep, word: Word) -> bytes:
        """Return tokens and the fees between them as Uniswap v3 packs a path: 20 and 3 bytes by turns.

        Raises
        ------
        ConfigError
            ATM112 if there is not one fee for every two neighbours, or one is out of range.
        """
        tokens, fees = self.path(spec, step, word), self._fees(spec, step, word.fees)
        if len(fees) != len(tokens) - 1:
            problem = f"{word.fees} of {step.id} must have one for each pool of the path"
            raise _input_error(step, word.fees, problem, f"{len(fees)}", f"{len(tokens) - 1}")
        if word.backward:
            tokens, fees = tokens[::-1], fees[::-1]
        packed = bytes.fromhex(tokens[0].address[2:])
        for fee, token in zip(fees, tokens[1:], strict=True):
            packed += fee.to_bytes(3) + bytes.fromhex(token.address[2:])
        return packed

    def _fees(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> tuple[int, ...]:
        value, most = step.inputs[name], spec.inputs[name].most
        items = value.items if isinstance(value, syntax.Items) else (value,)
        fees = tuple(item.base_units for item in items if isinstance(item, syntax.Literal))
        if len(fees) != len(items) or any(not 0 <= fee <= (most or 0) for fee in fees):
            problem = f"{name} of {step.id} is not a list of fees"
            raise _input_error(step, name, problem, "another", f"whole numbers, 0 to {most}")
        return fees

    def word(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> int:
        """Return the argument word of an input that is a name or a flag, not a number.

        Raises
        ------
        ConfigError
            ATM119 for a recipient who is neither the executor nor the treasury.
        """
        wanted, value = spec.inputs[name], step.inputs.get(name)
        if wanted.type is InputType.TOKEN and value is not None:
            return int(self.token_of(value).address, 16)
        if wanted.type is InputType.FLAG and isinstance(value, syntax.Flag):
            return int(value.value)
        if wanted.type is InputType.ACCOUNT and isinstance(value, syntax.Word):
            return int(self._account(step, name, value.text), 16)
        if wanted.type is InputType.RECIPIENT and isinstance(value, syntax.Word):
            if value.text == "executor":
                return int(self.executor, 16)
            if value.text == "treasury":
                return int(self.book.entry("treasury").address, 16)
            raise _input_error(
                step,
                name,
                f"{name} of {step.id} may not be {value.text}",
                value.text,
                "executor, treasury",
                "ATM119",
            )
        raise _input_error(
            step, name, f"{name} of {step.id} has the wrong type", "another", wanted.type.value
        )

    def account(self, text: str, position: SourcePosition) -> Address:
        """Return what a name stands for: the executor, a token, a contract of the book, or an address."""
        with located(position):
            if text == "executor":
                return self.executor
            if text.startswith("0x"):
                return address(text)
            known = self.book.tokens.get(text)
            return known.address if known is not None else self.book.entry(text).address

    def _account(self, step: syntax.ActionStep, name: str, text: str) -> Address:
        """Return whose position is meant: the executor's, or that of an address written out."""
        if text == "executor":
            return self.executor
        problem, allowed = f"{name} of {step.id} is no account", "executor, or an address"
        try:
            account = address(text)
        except ConfigError as error:
            raise _input_error(step, name, problem, text[:80], allowed) from error
        if account == ZERO_ADDRESS:
            raise _input_error(step, name, problem, "the zero address", allowed)
        return account

    def moved(self, spec: ActionSpec, step: syntax.ActionStep) -> tuple[Token, ...]:
        """Return the tokens whose balance the step may change."""
        return tuple(self.token(spec, step, name) for name in spec.moves)


@contextmanager
def located(position: SourcePosition) -> Iterator[None]:
    """Give a configuration error that has no place in the file this one."""
    try:
        yield
    except ConfigError as error:
        error.position = error.position or position
        raise


def _like(wanted: Input) -> str:
    return f"{wanted.default}, or a name like {wanted.like}" if wanted.like else "a name of the address book"


def _input_error(
    step: syntax.ActionStep, name: str, problem: str, found: str, allowed: str, code: str = "ATM112"
) -> ConfigError:
    return ConfigError(
        problem,
        code=code,
        found=found,
        allowed=allowed or "none",
        position=step.input_positions.get(name, step.position),
    )

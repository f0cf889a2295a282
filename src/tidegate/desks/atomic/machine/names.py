"""What the words of a strategy stand for: tokens, recipients, targets, paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tidegate.desks.atomic.language import syntax
from tidegate.model import Address, ConfigError, SourcePosition
from tidegate.venues import ActionSpec, AddressBook, InputType, Token, Word, WordSource, catalogue


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
        return spec

    def token(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> Token:
        """Return the token of input ``name``, or the book's own if the action has no such input."""
        if name in spec.inputs:
            return self.token_of(step.inputs[name])
        return self.book.token(name)

    def token_of(self, value: syntax.Value) -> Token:
        """Return the token that a word of the file names."""
        if isinstance(value, syntax.Word):
            with located(value.position):
                return self.book.token(value.text)
        raise ConfigError("not a token", code="ATM112", allowed="a token's symbol", position=value.position)

    def target(self, spec: ActionSpec, step: syntax.ActionStep) -> Address:
        """Return the contract that the action calls."""
        if spec.target in spec.inputs:
            return self.token(spec, step, spec.target).address
        with located(step.at("use")):
            return self.book.entry(spec.target).address

    def path(self, spec: ActionSpec, step: syntax.ActionStep, word: Word) -> tuple[Token, ...]:
        """Return the tokens of a path word, in order; none if the word is no path.

        Raises
        ------
        ConfigError
            ATM112 if a list is longer than the action allows.
        """
        if word.source is not WordSource.PATH:
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

    def word(self, spec: ActionSpec, step: syntax.ActionStep, name: str) -> int:
        """Return the argument word of an input that is a name, not a number.

        Raises
        ------
        ConfigError
            ATM119 for a recipient who is neither the executor nor the treasury.
        """
        wanted, value = spec.inputs[name], step.inputs.get(name)
        if wanted.type is InputType.TOKEN and value is not None:
            return int(self.token_of(value).address, 16)
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

"""What an adapter can do, as data: one ``ActionSpec`` per function of a protocol.

Each protocol's folder holds an ``actions.yaml``; this file reads them and refuses one that
contradicts itself. The linter, the compiler and the policy maker all read the same spec, so
what is explained, encoded and permitted can not drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

import yaml

from tidegate.chain import selector
from tidegate.model import ConfigError
from tidegate.venues.executor import RETURN_WORDS_MAX, ArgumentRule, Permission, RuleKind

PROTOCOLS = ("aave_v3", "erc20", "uniswap_v2", "uniswap_v3", "weth")
DEFAULT_CAP_KEY = 64


class ActionKind(StrEnum):
    """The class of an action; lint demands guards by it (ATM101, ATM102)."""

    SWAP = "swap"
    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"
    TRANSFER = "transfer"
    WRAP = "wrap"
    READ = "read"


class InputType(StrEnum):
    """What an author may write for an input."""

    TOKEN = "token"  # noqa: S105 - a name of the address book
    TOKENS = "tokens"  # a list of such names
    AMOUNT = "amount"  # base units of the token that ``of`` names; may be a reference
    RECIPIENT = "recipient"  # ``treasury`` or ``executor``, nobody else (ATM119)
    UINT = "uint"  # a plain integer


class LimitKind(StrEnum):
    """The direction of a step's price limit."""

    MINIMUM_OUT = "minimum_out"
    MAXIMUM_IN = "maximum_in"


class WordSource(StrEnum):
    """Who fills an argument word."""

    INPUT = "input"
    SELF = "self"  # the executor's own address
    LIMIT = "limit"  # the planner, from the quote and the slippage
    DEADLINE = "deadline"  # the program's deadline
    CONSTANT = "constant"
    PATH = "path"  # a length word, then the tokens of several inputs in order


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that the author states.

    ``of`` names, for an amount, the input that is its token, or a book token itself (``WETH``).
    ``most`` bounds an integer's value or a list's length. Without ``default`` it is required.
    """

    name: str
    type: InputType
    of: str | None = None
    default: Any = None
    most: int | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Word:
    """What stands in one argument word (a path stands for several, always last)."""

    source: WordSource
    inputs: tuple[str, ...] = ()
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """A value that later steps may name.

    Either return word ``word`` (plus the path's length if ``plus_path``), or the very value of
    the input ``same_as``, where the function returns nothing but does exactly what was asked.
    """

    name: str
    of: str
    word: int | None = None
    plus_path: bool = False
    same_as: str | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """What the target may pull: it is approved for ``amount`` (an input, or ``limit``) before.

    ``zero_after`` where the target may take less than was approved.
    """

    token: str
    amount: str
    zero_after: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The price limit: its argument word, its direction, and the output that it limits."""

    kind: LimitKind
    word: int
    of: str


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One function of a protocol, with all that lint, compiler and policy need to know.

    ``target`` is a name of the address book, or the name of the input that is called itself.
    ``moves`` are the inputs (or book tokens) whose balances the call may change.
    """

    name: str
    signature: str
    selector: bytes
    kind: ActionKind
    target: str
    inputs: Mapping[str, Input]
    words: tuple[Word, ...]
    outputs: Mapping[str, Output]
    spends: Spend | None
    moves: tuple[str, ...]
    limit: Limit | None
    value: str | None
    result_is_boolean: bool
    policy: tuple[ArgumentRule, ...]

    @property
    def deadline_word(self) -> int | None:
        """Return the argument word that holds the deadline, if one does."""
        return self._word_of(WordSource.DEADLINE)

    @property
    def recipient_word(self) -> int | None:
        """Return the argument word that holds the recipient, if one does."""
        for index, word in enumerate(self.words):
            names_recipient = any(self.inputs[name].type is InputType.RECIPIENT for name in word.inputs)
            if word.source is WordSource.SELF or names_recipient:
                return index
        return None

    def output_word(self, name: str, path_length: int = 0) -> int | None:
        """Return the return word of output ``name``, or None if it repeats an input.

        ``path_length`` counts the tokens of the path, for functions that have one.

        Raises
        ------
        ConfigError
            ATM120 if the action has no such output, or its word is one that is not kept.
        """
        output = self.outputs.get(name)
        if output is None:
            raise ConfigError(
                f"{self.name} has no output {name}",
                code="ATM120",
                found=name,
                allowed=", ".join(self.outputs) or "none: it returns nothing",
                fix="name one of its outputs",
            )
        if output.word is None:
            return None
        word = output.word + (path_length if output.plus_path else 0)
        if word >= RETURN_WORDS_MAX:
            raise ConfigError(
                f"{self.name} returns {name} in word {word}, beyond what the executor keeps",
                code="ATM120",
                found=f"word {word}",
                allowed=f"0 to {RETURN_WORDS_MAX - 1}",
                fix="use a shorter path",
            )
        return word

    @property
    def amount_input(self) -> str:
        """Return the input that says how much; every action that has a limit has exactly one."""
        return next(name for name, item in self.inputs.items() if item.type is InputType.AMOUNT)

    @property
    def permission(self) -> Permission:
        """Return the argument rules under which the executor may call it."""
        return Permission(
            call=True,
            value=self.value is not None,
            result_boolean=self.result_is_boolean,
            rules=self.policy,
        )

    def _word_of(self, source: WordSource) -> int | None:
        return next((index for index, word in enumerate(self.words) if word.source is source), None)


@cache
def catalogue() -> Mapping[str, ActionSpec]:
    """Return every action that ships, by name (``uniswap_v3.exact_input_single``), sorted."""
    specs: dict[str, ActionSpec] = {}
    for protocol in PROTOCOLS:
        text = (resources.files("tidegate.venues") / protocol / "actions.yaml").read_text("utf-8")
        for action, data in yaml.safe_load(text).items():
            name = f"{protocol}.{action}"
            specs[name] = parse_action(name, data)
    return dict(sorted(specs.items()))


def parse_action(name: str, data: Mapping[str, Any]) -> ActionSpec:
    """Return the spec that ``data``, one entry of an ``actions.yaml``, describes.

    Raises
    ------
    ConfigError
        If a key is unknown or the parts contradict each other; ``name`` stands in the message.
    """
    unknown = set(data) - _KEYS
    _need(not unknown, name, f"unknown key {', '.join(sorted(unknown))}")
    inputs = {key: _input(key, value) for key, value in data["inputs"].items()}
    words = tuple(_word(name, item, inputs) for item in data["words"])
    outputs = {key: Output(name=key, **value) for key, value in data.get("outputs", {}).items()}
    for output in outputs.values():
        _need(
            (output.word is None) != (output.same_as is None), name, f"output {output.name} has no one source"
        )
        _need(output.same_as is None or output.same_as in inputs, name, f"no input {output.same_as}")
    spends = Spend(**data["spends"]) if "spends" in data else None
    if spends is not None:
        _need(spends.token in inputs, name, f"spends unknown {spends.token}")
        _need(spends.amount == "limit" or spends.amount in inputs, name, f"spends unknown {spends.amount}")
    spec = ActionSpec(
        name=name,
        signature=data["signature"],
        selector=selector(data["signature"]),
        kind=ActionKind(data["kind"]),
        target=data["target"],
        inputs=inputs,
        words=words,
        outputs=outputs,
        spends=spends,
        moves=tuple(data["moves"]),
        limit=_limit(name, data.get("limit"), words, outputs),
        value=data.get("value"),
        result_is_boolean=data.get("result") == "boolean",
        policy=tuple(_rule(name, text) for text in data["policy"]),
    )
    _need(all(rule.word < len(words) for rule in spec.policy), name, "a policy rule lies outside the words")
    return spec


_KEYS = {
    "target", "signature", "kind", "inputs", "words", "outputs", "spends", "moves", "limit", "value",
    "result", "policy",
}  # fmt: skip
_RULE = re.compile(r"(self|recipient|asset|cap|pin)@(\d+)(?:=(0x[0-9a-f]+|[0-9]+))?")


def _need(holds: bool, name: str, problem: str) -> None:
    if not holds:
        raise ConfigError(f"action {name}: {problem}", fix="mend its actions.yaml")


def _input(name: str, data: str | Mapping[str, Any]) -> Input:
    if isinstance(data, str):
        return Input(name=name, type=InputType(data))
    return Input(
        name=name,
        type=InputType(data["type"]),
        of=data.get("of"),
        default=data.get("default"),
        most=data.get("most"),
        required="default" not in data,
    )


def _word(name: str, item: Any, inputs: Mapping[str, Input]) -> Word:
    if isinstance(item, int):
        return Word(WordSource.CONSTANT, constant=item)
    if isinstance(item, dict):
        _need(all(key in inputs for key in item["path"]), name, f"path of unknown inputs {item['path']}")
        return Word(WordSource.PATH, inputs=tuple(item["path"]))
    if item in inputs:
        return Word(WordSource.INPUT, inputs=(item,))
    _need(item in {"self", "limit", "deadline"}, name, f"word {item} is neither an input nor known")
    return Word(WordSource(item))


def _limit(
    name: str, data: Mapping[str, Any] | None, words: tuple[Word, ...], outputs: Mapping[str, Output]
) -> Limit | None:
    places = [index for index, word in enumerate(words) if word.source is WordSource.LIMIT]
    _need(len(places) == (data is not None), name, "a limit and exactly one limit word belong together")
    if data is None:
        return None
    _need(data["of"] in outputs, name, f"limits unknown output {data['of']}")
    return Limit(kind=LimitKind(data["kind"]), word=places[0], of=data["of"])


def _rule(name: str, text: str) -> ArgumentRule:
    match = _RULE.fullmatch(text)
    _need(match is not None, name, f"policy rule {text} is not KIND@WORD or KIND@WORD=VALUE")
    assert match is not None
    kind, word = RuleKind(match[1]), int(match[2])
    if match[3] is not None:
        return ArgumentRule(kind, word, int(match[3], 0))
    return ArgumentRule(kind, word, DEFAULT_CAP_KEY if kind is RuleKind.CAP else 0)

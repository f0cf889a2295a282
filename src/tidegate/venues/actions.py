"""What an adapter can do, as data: one ``ActionSpec`` per function of a protocol.

The linter, the compiler and the policy maker all read the same spec, so what is explained, encoded
and permitted can not drift apart. ``action_files`` reads specs from each protocol's ``actions.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from tidegate.model import ConfigError
from tidegate.venues.book import EDITION, Entry
from tidegate.venues.executor import RETURN_WORDS_MAX, ArgumentRule, Permission


class ActionKind(StrEnum):
    """The class of an action; lint demands guards by it (ATM101, ATM102)."""

    SWAP = "swap"
    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"
    LIQUIDATE = "liquidate"
    POSITION = "position"  # how a position counts: a collateral switched on, a category entered
    TRANSFER = "transfer"
    WRAP = "wrap"
    RESET = "reset"  # an allowance set to zero by the executor's own APPROVE; nothing is called
    READ = "read"


class InputType(StrEnum):
    """What an author may write for an input."""

    TOKEN = "token"  # noqa: S105 - a name of the address book
    TOKENS = "tokens"  # a list of such names
    AMOUNT = "amount"  # base units of the token that ``of`` names; may be a reference
    RECIPIENT = "recipient"  # ``treasury`` or ``executor``, nobody else (ATM119)
    UINT = "uint"  # a plain integer
    UINTS = "uints"  # a list of such integers
    FLAG = "flag"  # true or false
    ACCOUNT = "account"  # whose position is acted on: ``executor``, an address, or a blind
    CONTRACT = "contract"  # a contract of the address book whose name is like ``like``


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
    PACKED = "packed"  # a byte length, then tokens of 20 and fees of 3 bytes by turns, padded to words


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that the author states.

    ``of`` names, for an amount, the input that is its token, or a book token itself (``WETH``).
    ``most`` bounds an integer's value or a list's length. ``like`` is the pattern of a contract's book
    name (``uniswap_v3.router*``). Without ``default`` it is required.
    """

    name: str
    type: InputType
    of: str | None = None
    default: Any = None
    most: int | None = None
    like: str | None = None
    required: bool = True

    def admits(self, contract: str) -> bool:
        """Say whether a contract of the book may stand here, by its name."""
        return contract == self.default or self.like is None or fnmatchcase(contract, self.like)


@dataclass(frozen=True, slots=True)
class Word:
    """What stands in one argument word (a path stands for several, always last).

    A packed path takes its fees from the input ``fees``; ``backward`` writes it from its end to its
    beginning, as Uniswap v3 wants the paths of exact outputs.
    """

    source: WordSource
    inputs: tuple[str, ...] = ()
    constant: int = 0
    fees: str = ""
    backward: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """A value that later steps may name.

    Return word ``word`` (plus the path's length if ``plus_path``); or the very value of the input
    ``same_as``, where the function returns nothing but does exactly what was asked; or, if ``gained``,
    what the executor's balance of ``of`` grew by, where nobody says how much came.
    """

    name: str
    of: str
    word: int | None = None
    plus_path: bool = False
    same_as: str | None = None
    gained: bool = False


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
    ``moves`` are the inputs (or book tokens) whose balances the call may change. ``editions`` are the
    same action where the contract speaks another edition of the interface: signature, words and rules
    differ, nothing that an author sees.
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
    editions: Mapping[str, ActionSpec] = field(default_factory=dict)

    @property
    def all_editions(self) -> tuple[ActionSpec, ...]:
        """Return the action in every edition, the usual one first."""
        return (self, *self.editions.values())

    def spoken_by(self, entry: Entry) -> ActionSpec:
        """Return the action in the edition that a contract of the book speaks.

        The book says which, beside the hash of the code that it was read from; where it does not, the
        contract speaks the usual one.
        """
        return self.editions.get(entry.about.get(EDITION, ""), self)

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
        """Return the return word of output ``name``, None if it repeats an input or is measured.

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

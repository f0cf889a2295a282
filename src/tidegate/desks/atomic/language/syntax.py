"""A parsed strategy: what the author wrote, checked for form, in base units, with positions.

Nothing here knows a chain, an address or a quote. Amounts are integers in base units of their
token, rates are basis points, fees are wei, times are seconds. Every node remembers where it
stands in the file, so that whatever goes wrong later can be said at its line and column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from tidegate.model import Placement, SourcePosition


class Unit(StrEnum):
    """What the integer of a literal counts."""

    INTEGER = "integer"  # a bare integer: base units, or a plain number such as a fee tier
    TOKEN = "token"  # base units of the literal's token  # noqa: S105
    BPS = "bps"
    WEI = "wei"
    SECONDS = "seconds"
    BLOCKS = "blocks"
    USD_E6 = "usd_e6"
    RATIO_E18 = "ratio_e18"  # a bare decimal such as a health factor: 1.2 is 12 · 10¹⁷


@dataclass(frozen=True, slots=True)
class Literal:
    """A number that stands in the file: ``base_units`` of ``unit`` (and ``token``)."""

    base_units: int
    unit: Unit
    token: str | None
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class BlindRef:
    """``$size``: the value of a blind, given when the strategy runs."""

    name: str
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class OutputRef:
    """``$sell.amount_out``; ``output`` is ``None`` for ``$sell``, the step's first output.

    A flash step has the outputs ``amount`` (lent) and ``repay`` (amount + fee).
    """

    step: str
    output: str | None
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class BalanceOf:
    """``balance(WETH)``: what the executor holds when the step runs."""

    token: str
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Percent:
    """``50% of X``, ``$share of X``. Rounds down as an amount that is spent, up as a limit on spending."""

    of: Expression
    bps: int | BlindRef
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Sum:
    """``a + b``."""

    left: Expression
    right: Expression
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Difference:
    """``a - b``; reverts on chain below zero."""

    left: Expression
    right: Expression
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Minimum:
    """``min(a, b)``."""

    left: Expression
    right: Expression
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Maximum:
    """``max(a, b)``."""

    left: Expression
    right: Expression
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Scale:
    """``scale(limit, new, old)``: limit·new/old; down for a minimum out, up for a maximum in."""

    limit: Expression
    new: Expression
    old: Expression
    position: SourcePosition


Expression: TypeAlias = (
    Literal | BlindRef | OutputRef | BalanceOf | Percent | Sum | Difference | Minimum | Maximum | Scale
)


@dataclass(frozen=True, slots=True)
class Word:
    """A name or hex text: a token, ``executor``, ``treasury``, a pool, an address, bytes."""

    text: str
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``."""

    value: bool
    position: SourcePosition


@dataclass(frozen=True, slots=True)
class Items:
    """A list of values, such as the path of a swap."""

    items: tuple[Value, ...]
    position: SourcePosition


Value: TypeAlias = Expression | Word | Flag | Items


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A mapping of the file: where it begins, and where the value of each of its keys stands."""

    position: SourcePosition
    value_positions: Mapping[str, SourcePosition] = field(default_factory=dict, compare=False, repr=False)

    def at(self, key: str) -> SourcePosition:
        """Return where the value of ``key`` stands; where the node begins if it was left out."""
        return self.value_positions.get(key, self.position)


class BlindType(StrEnum):
    """What a blind may be."""

    AMOUNT = "amount"
    BPS = "bps"
    UINT256 = "uint256"
    INT256 = "int256"
    ADDRESS = "address"
    BOOL = "bool"
    BYTES32 = "bytes32"
    DURATION = "duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind(Node):
    """A value that the file leaves open.

    ``minimum``, ``maximum`` and a numeric ``default`` are base units of ``token`` (amount), bps,
    seconds (duration) or plain integers; ``written_range`` is the range for people, with its units.
    ``search`` is true on at most one amount blind: unless it is given, its value is found by search at
    each decision, maximising the net delta of the first net-of-gas bound.
    """

    name: str
    type: BlindType
    token: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    written_range: str = ""
    default: int | bool | str | None = None
    search: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressEntry(Node):
    """A name of the file for an address: a ``book_name``, or a raw ``address`` with its ``source``.

    A raw address is refused in production until it is verified.
    """

    name: str
    book_name: str = ""
    address: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gas(Node):
    """What a run may burn. The limit is the smallest that suffices plus ``margin_bps``, rounded up."""

    max_gas: int
    max_base_fee_wei: int
    priority_fee_wei: int
    margin_bps: int = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Node):
    """A balance line of the executor: final minus start must be at least ``minimum``.

    A negative ``minimum`` is the most that may be spent. ``net_of_gas`` adds the cost of gas to the
    floor when the plan is built. ``payout`` sends the gain to the treasury.
    """

    token: str
    minimum: int = 0
    net_of_gas: bool = False
    payout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Node):
    """What the strategy may do over time. Dollars in millionths."""

    max_runs_per_hour: int = 60
    max_loss_per_day_usd_e6: int = 100_000_000
    max_in_flight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay(Node):
    """How the signed bytes reach a builder."""

    order: tuple[str, ...] = ("bundle", "private")
    blocks: int = 3
    builders: tuple[str, ...] = ()
    allow_public: bool = False


class OnFailure(StrEnum):
    """What a guard that does not pass does."""

    REVERT = "revert"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardUse(Node):
    """A guard as the file uses it. ``position`` is that of its name."""

    name: str
    parameters: Mapping[str, Value]
    placements: tuple[Placement, ...] = (Placement.PRE,)
    on_failure: OnFailure = OnFailure.REVERT


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStep(Node):
    """One call: ``use`` is ``adapter.action`` or ``raw.call``.

    ``accept_slippage`` and ``allow_opaque`` hold the written reason that lifts ATM107 and ATM118;
    ``because`` and ``policy`` belong to ``raw.call``.
    """

    id: str
    use: str
    inputs: Mapping[str, Value]
    input_positions: Mapping[str, SourcePosition] = field(default_factory=dict, compare=False, repr=False)
    slippage_bps: int | None = None
    guards: tuple[GuardUse, ...] = ()
    note: str = ""
    accept_slippage: str = ""
    allow_opaque: str = ""
    because: str = ""
    policy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashStep(Node):
    """A loan and what is done with it. It is repaid when ``steps`` are done.

    ``providers`` are the lenders that may serve it, in the author's words; empty means ``auto``.
    """

    id: str
    asset: str
    amount: Expression
    steps: tuple[StepNode, ...]
    providers: tuple[str, ...] = ()
    max_fee_bps: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStep(Node):
    """Steps that stand together; only an ``optional`` group may be skipped."""

    id: str
    steps: tuple[StepNode, ...]
    optional: bool = False
    guards: tuple[GuardUse, ...] = ()
    note: str = ""


StepNode: TypeAlias = ActionStep | FlashStep | GroupStep


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryBlock(Node):
    """Look at every ``interval``-th block."""

    interval: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTrigger(Node):
    """Fire when the price of ``pair`` is ``above``, ``below`` or ``crosses`` a level.

    ``level`` is base units of the pair's second token for one whole first token.
    """

    pair: str
    source: str
    comparison: str
    level: int
    hysteresis_bps: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger(Node):
    """Fire by a five-field cron line in a time zone."""

    cron: str
    tz: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFactorTrigger(Node):
    """Fire when the health factor of ``user`` is ``below`` or ``above`` ``level_e18``."""

    protocol: str
    user: str
    comparison: str
    level_e18: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualTrigger(Node):
    """Run only when a person says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedTrigger(Node):
    """Fire when any, or all, of ``triggers`` fire."""

    every: bool
    triggers: tuple[Trigger, ...]


Trigger: TypeAlias = (
    EveryBlock | PriceTrigger | ScheduleTrigger | HealthFactorTrigger | ManualTrigger | CombinedTrigger
)


@dataclass(frozen=True, slots=True)
class Cooldown:
    """How long the strategy rests after a run: blocks or seconds, the other is zero."""

    blocks: int = 1
    seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy(Node):
    """A whole strategy file. ``digest`` is that of the parsed file: comments do not change it."""

    name: str
    chain: str
    executor: str
    tokens: tuple[str, ...]
    addresses: Mapping[str, AddressEntry]
    blinds: Mapping[str, Blind]
    trigger: Trigger
    cooldown: Cooldown
    gas: Gas
    deadline_s: int
    relay: Relay
    bounds: tuple[Bound, ...]
    limits: Limits
    once: bool
    guards: tuple[GuardUse, ...]
    steps: tuple[StepNode, ...]
    note: str
    digest: str

    @property
    def searched_blind(self) -> Blind | None:
        """Return the blind whose value is found by search, if there is one."""
        return next((blind for blind in self.blinds.values() if blind.search), None)


def walk(steps: tuple[StepNode, ...]) -> Iterator[StepNode]:
    """Yield every step in the order in which it runs, scopes before what is inside them."""
    for step in steps:
        yield step
        if not isinstance(step, ActionStep):
            yield from walk(step.steps)


def parts(value: Value) -> Iterator[Value]:
    """Yield ``value`` and everything inside it, outermost first."""
    yield value
    match value:
        case Percent():
            yield from parts(value.of)
        case Sum() | Difference() | Minimum() | Maximum():
            yield from parts(value.left)
            yield from parts(value.right)
        case Scale():
            for inner in (value.limit, value.new, value.old):
                yield from parts(inner)
        case Items():
            for item in value.items:
                yield from parts(item)
        case _:
            return

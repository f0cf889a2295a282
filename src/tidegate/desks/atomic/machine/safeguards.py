"""The guards of a strategy, those that it names and those that its other keys imply, made ready to judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from tidegate.chain import NETWORKS
from tidegate.desks.atomic.language import syntax
from tidegate.desks.atomic.machine.answering import answers_of
from tidegate.desks.atomic.machine.names import located
from tidegate.desks.atomic.machine.parameters import guard_parameters
from tidegate.desks.atomic.machine.terms import GuardKey
from tidegate.model import (
    ConfigError,
    GuardResult,
    Placement,
    Receipt,
)
from tidegate.risk.guards import (
    Guard,
    GuardContext,
    LendingFacts,
    fill_parameters,
    find_guard,
    judge,
)
from tidegate.venues import ActionKind, StateView, catalogue

_IMPLIED = ("deadline", "max_base_fee", "max_gas")
_BY_OTHER_MEANS = frozenset({*_IMPLIED, "slippage"})
"""What the header, the gas limit or a swap's own limit word enforces inside: there is nothing to place."""

_LENDING = frozenset({ActionKind.SUPPLY, ActionKind.WITHDRAW, ActionKind.BORROW, ActionKind.REPAY})
_LAYER_2 = frozenset(network.name for network in NETWORKS.values() if network.data_fee.is_charged)


@dataclass(frozen=True, slots=True)
class Safeguard:
    """One guard where it stands. ``protects`` are the ids of the steps within its scope.

    ``is_written`` says whether the file names it, or another of its keys, or the chain, implies it.
    """

    key: GuardKey
    guard: Guard
    parameters: Mapping[str, int | str]
    placements: frozenset[Placement]
    on_failure: str
    protects: frozenset[str]
    is_written: bool = True


def safeguards_of(strategy: syntax.Strategy, blinds: Mapping[str, int | bool | str]) -> tuple[Safeguard, ...]:
    """Return every guard of a strategy: the strategy's own, then its groups' and steps' as they run.

    The gas block and the deadline imply their guards, and a step's ``slippage`` implies a guard on it. The
    code of what is called is always compared with the address book; a lending step implies that its reserve
    is open, and a layer 2 that its sequencer is up.

    Raises
    ------
    ConfigError
        At its place in the file, if a guard, a parameter or a placement is unknown or out of range.
    """
    everything = frozenset(step.id for step in syntax.walk(strategy.steps))
    found = list(_written("", strategy.guards, everything, blinds))
    named = {item.guard.name for item in found}
    for name in (*_IMPLIED, *_automatic(strategy)):
        if name not in named:
            found.append(_implied(("", len(found)), name, {}, everything))
    for step in syntax.walk(strategy.steps):
        inside = frozenset(inner.id for inner in syntax.walk((step,)))
        if isinstance(step, syntax.GroupStep | syntax.ActionStep):
            found += _written(step.id, step.guards, inside, blinds)
        if isinstance(step, syntax.ActionStep) and step.slippage_bps is not None:
            key = (step.id, len(step.guards))
            found.append(_implied(key, "slippage", {"max": step.slippage_bps}, inside))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that the guards of one plan look at, but the block and its answers."""

    safeguards: tuple[Safeguard, ...]
    base: GuardContext
    measured: Mapping[GuardKey, Mapping[str, int]]

    def before(self, view: StateView) -> tuple[GuardResult, ...]:
        """Judge the plan at ``view``'s block."""
        return tuple(
            _placed(
                item, judge(item.guard, Placement.PRE, self._context(item, view), on_failure=item.on_failure)
            )
            for item in self.safeguards
            if Placement.PRE in item.placements
        )

    def after(
        self, view: StateView, parent: Callable[[], StateView], receipt: Receipt, realised: Mapping[str, int]
    ) -> tuple[GuardResult, ...]:
        """Judge what was included.

        ``view`` is the block of inclusion, ``parent`` opens the one before, ``realised`` amounts by step id.
        """
        return tuple(
            _placed(
                item,
                judge(
                    item.guard,
                    Placement.POST,
                    replace(self._context(item, view, parent), receipt=receipt, realised=realised),
                    on_failure=item.on_failure,
                ),
            )
            for item in self.safeguards
            if Placement.POST in item.placements
        )

    def _context(
        self, item: Safeguard, view: StateView, parent: Callable[[], StateView] | None = None
    ) -> GuardContext:
        context = replace(
            self.base,
            parameters=item.parameters,
            block=view.block(),
            steps=tuple(step for step in self.base.steps if step.step_id in item.protects),
            loans=tuple(loan for loan in self.base.loans if loan.step_id in item.protects),
            lendings=tuple(step for step in self.base.lendings if step.step_id in item.protects),
            measured=self.measured.get(item.key, {}),
        )
        return replace(context, answers=answers_of(item.guard, context, view, parent))


def _placed(item: Safeguard, result: GuardResult) -> GuardResult:
    """Return a result whose note names the step or group of the guard; the strategy's own have none."""
    owner = item.key[0]
    if not owner:
        return result
    said = result.note or ("" if result.passed else result.code)
    return msgspec.structs.replace(result, note=f"{said} at {owner}".lstrip())


def lendings_of(strategy: syntax.Strategy) -> tuple[LendingFacts, ...]:
    """Return every step on a lending market, with what it does there."""
    known, found = catalogue(), []
    for step in syntax.walk(strategy.steps):
        if not isinstance(step, syntax.ActionStep) or step.use not in known:
            continue
        kind, asset = known[step.use].kind, step.inputs.get("asset")
        if kind in _LENDING and isinstance(asset, syntax.Word):
            found.append(LendingFacts(step.id, step.use.partition(".")[0], kind, asset.text))
    return tuple(found)


def paid_out(strategy: syntax.Strategy) -> frozenset[str]:
    """Return the tokens whose gain leaves for the treasury."""
    return frozenset(bound.token for bound in strategy.bounds if bound.payout)


def _automatic(strategy: syntax.Strategy) -> Iterator[str]:
    """Yield the guards that a strategy has by what it does and where."""
    yield "code_hash"
    if lendings_of(strategy):
        yield "reserve_active"
    if strategy.chain in _LAYER_2:
        yield "sequencer_up"


def _written(
    owner: str,
    uses: tuple[syntax.GuardUse, ...],
    protects: frozenset[str],
    blinds: Mapping[str, int | bool | str],
) -> Iterator[Safeguard]:
    for index, use in enumerate(uses):
        with located(use.position):
            guard = find_guard(use.name)
        for placement in use.placements:
            if placement not in guard.placements:
                raise ConfigError(
                    f"{use.name} can not stand {placement.value}",
                    code="ATM112",
                    found=placement.value,
                    allowed=", ".join(sorted(item.value for item in guard.placements)),
                    position=use.at("place"),
                )
        yield Safeguard(
            key=(owner, index),
            guard=guard,
            parameters=guard_parameters(use, guard, blinds),
            placements=frozenset(use.placements),
            on_failure=use.on_failure.value,
            protects=protects,
        )


def _implied(key: GuardKey, name: str, given: Mapping[str, int | str], protects: frozenset[str]) -> Safeguard:
    """Return a guard that another key, or the chain, implies, everywhere that it may stand.

    What its own keys set enforces it inside; a sequencer is asked there. Its range is that key's own, which
    the author may widen.
    """
    guard = find_guard(name)
    inside = Placement.IN in guard.placements and name not in _BY_OTHER_MEANS
    placed = {Placement.PRE, Placement.POST} & guard.placements
    return Safeguard(
        key=key,
        guard=guard,
        parameters=given or fill_parameters(guard, {}),
        placements=frozenset(placed | ({Placement.IN} if inside else set())),
        on_failure=syntax.OnFailure.REVERT.value,
        protects=protects,
        is_written=False,
    )

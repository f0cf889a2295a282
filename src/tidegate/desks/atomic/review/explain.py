"""What a strategy does, in sentences that a reviewer can sign. Read from the file alone: no network.

``explain`` gives the parts as data, ``as_text`` the page. Amounts are exact; nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    Bound,
    FlashStep,
    GroupStep,
    GuardUse,
    OnFailure,
    StepNode,
    Strategy,
)
from tidegate.desks.atomic.language.wording import in_token, inside, written
from tidegate.desks.atomic.machine.loans import LIQUIDITY_GUARD
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL
from tidegate.desks.atomic.machine.safeguards import safeguards_of
from tidegate.desks.atomic.machine.serving import REPLANS_MAX
from tidegate.desks.atomic.review.dry_compile import trial_program
from tidegate.desks.atomic.review.routes import exposure
from tidegate.desks.atomic.review.sentences import Sentences
from tidegate.desks.atomic.review.trial import trial_blinds
from tidegate.desks.atomic.review.worst import worst_case
from tidegate.model import Placement, Plan, format_units
from tidegate.venues import NATIVE
from tidegate.venues.executor import LINES_MAX, PROGRAM_MAX_BYTES, REGISTERS_MAX, walk

_PLACES = {
    Placement.PRE: "before sending",
    Placement.IN: "inside the transaction",
    Placement.POST: "after inclusion",
}


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step: its number (``1.2``), its id, and what it does."""

    number: str
    id: str
    sentence: str
    note: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A movement of one token at one step: into the executor or out of it."""

    token: str
    step: str
    direction: str
    amount: str


@dataclass(frozen=True, slots=True)
class ExplainedGuard:
    """A guard, what it covers, where it stands and what happens there if it does not pass."""

    guard: str
    parameters: str
    covers: str
    placements: tuple[str, ...]
    on_failure: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole strategy in words. ``digest`` says which file; each list is in the order of the file.

    ``program`` says of what the program is made; ``with_plan`` of one plan also which bytes they are.
    """

    name: str
    chain: str
    executor: str
    digest: str
    note: str
    when: str
    blinds: tuple[str, ...]
    steps: tuple[ExplainedStep, ...]
    flow: tuple[Flow, ...]
    guards: tuple[ExplainedGuard, ...]
    automatic_guards: tuple[ExplainedGuard, ...]
    lenders: tuple[str, ...]
    bounds: tuple[str, ...]
    reverts: tuple[str, ...]
    skips: tuple[str, ...]
    limits: tuple[str, ...]
    exposure: tuple[str, ...]
    worst: tuple[str, ...]
    program: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """Return the explanation as plain data for machines."""
        return asdict(self)

    def with_plan(self, plan: Plan) -> Explanation:
        """Return the explanation with the digests of the plan that was made of the strategy."""
        said = (
            f"Planned at block {plan.notes['quoted_at_block']}: program {plan.program_hash}, "
            f"plan {plan.digest}. Whoever signs sees the same."
        )
        return replace(self, program=(*self.program[:-1], said))


def explain(strategy: Strategy, decimals_of: Mapping[str, int]) -> Explanation:
    """Return what a strategy without errors does.

    Parameters
    ----------
    strategy
        A strategy that the linter has no error for.
    decimals_of
        Decimals of the chain's tokens, by symbol.
    """
    scene = Scene.of(strategy)
    sentences = Sentences(scene, decimals_of)
    return Explanation(
        name=strategy.name,
        chain=strategy.chain,
        executor=strategy.executor,
        digest=strategy.digest,
        note=strategy.note,
        when=sentences.when(),
        blinds=tuple(sentences.blind(blind) for blind in strategy.blinds.values()),
        steps=tuple(_steps(strategy.steps, "", sentences)),
        flow=tuple(_flow(strategy.steps, scene, decimals_of)),
        guards=tuple(_guards(scene, decimals_of)),
        automatic_guards=tuple(_automatic_guards(strategy)),
        lenders=tuple(_lenders(scene, decimals_of)),
        bounds=tuple(_bounds(scene, decimals_of)),
        reverts=tuple(_reverts(scene, decimals_of)),
        skips=tuple(_skips(scene)),
        limits=tuple(_limits(strategy)),
        exposure=tuple(exposure(strategy)),
        worst=tuple(worst_case(scene, _moved(scene), decimals_of)),
        program=_program(strategy, decimals_of),
    )


def _program(strategy: Strategy, decimals_of: Mapping[str, int]) -> tuple[str, ...]:
    compiled = trial_program(strategy, decimals_of)
    program = compiled.program
    operations = sum(1 for _ in walk(program.ops))
    size = f"{len(compiled.raw):,} bytes of {PROGRAM_MAX_BYTES:,}"
    return (
        f"{operations} operations in {size}, {program.registers} registers of {REGISTERS_MAX}, "
        f"{len(program.lines)} balance lines of {LINES_MAX}; the checks of guards come on top.",
        "Its bytes are written when a run is planned; --planned plans one and says which they are.",
    )


def _steps(steps: Iterable[StepNode], prefix: str, sentences: Sentences) -> Iterator[ExplainedStep]:
    for index, step in enumerate(steps, start=1):
        number = f"{prefix}{index}"
        yield ExplainedStep(number, step.id, sentences.step(step), step.note)
        if isinstance(step, ActionStep):
            continue
        yield from _steps(step.steps, f"{number}.", sentences)
        if isinstance(step, FlashStep):
            repaid = f"Repay ${step.id}.repay of {step.asset}: the loan and its fee."
            yield ExplainedStep(f"{number}.{len(step.steps) + 1}", step.id, repaid, "")


def _flow(steps: Iterable[StepNode], scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[Flow]:
    for step in steps:
        match step:
            case FlashStep():
                yield Flow(step.asset, step.id, "in", inside(step.amount, decimals_of))
                yield from _flow(step.steps, scene, decimals_of)
                yield Flow(step.asset, step.id, "out", f"${step.id}.repay")
            case GroupStep():
                yield from _flow(step.steps, scene, decimals_of)
            case ActionStep():
                yield from _action_flow(step, scene, decimals_of)


def _raw_flow(step: ActionStep, decimals_of: Mapping[str, int]) -> Iterator[Flow]:
    token, spend, sent = (step.inputs.get(name) for name in ("token", "spend", "value"))
    if token is not None and spend is not None:
        yield Flow(written(token, decimals_of), step.id, "out", inside(spend, decimals_of))
    if sent is not None:
        yield Flow(NATIVE, step.id, "out", inside(sent, decimals_of))


def _action_flow(step: ActionStep, scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[Flow]:
    if step.use == RAW_CALL:
        yield from _raw_flow(step, decimals_of)
        return
    spec = scene.actions[step.use]
    spent = scene.spent_token(step)
    if spent is not None:
        is_limited = spec.spends is not None and spec.spends.amount not in spec.inputs
        name = spec.amount_input if spec.spends is None else spec.spends.amount
        taken = f"${step.id}.{spec.limit.of}" if is_limited and spec.limit is not None else None
        yield Flow(spent, step.id, "out", taken or inside(step.inputs[name], decimals_of))
    for name, output in spec.outputs.items():
        token = scene.input_token(step, output.of)
        if token is not None and token != spent:
            yield Flow(token, step.id, "in", f"${step.id}.{name}")


def _guards(scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[ExplainedGuard]:
    for guard, owner in scene.all_guards():
        yield ExplainedGuard(
            guard=guard.name,
            parameters=_parameters(guard, decimals_of),
            covers="the whole strategy" if owner is None else owner.id,
            placements=tuple(_PLACES[placement] for placement in guard.placements),
            on_failure="; ".join(_consequence(guard.on_failure, at) for at in guard.placements),
        )


def _automatic_guards(strategy: Strategy) -> Iterator[ExplainedGuard]:
    """Yield the guards that stand without being written, by what the strategy says, does, and where."""
    for item in safeguards_of(strategy, trial_blinds(strategy)):
        if item.is_written:
            continue
        places = [placement for placement in Placement if placement in item.placements]
        yield ExplainedGuard(
            guard=item.guard.name,
            parameters="",
            covers=item.key[0] or "the whole strategy",
            placements=tuple(_PLACES[placement] for placement in places),
            on_failure="; ".join(_consequence(OnFailure.REVERT, placement) for placement in places),
        )


def _parameters(guard: GuardUse, decimals_of: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {written(value, decimals_of)}" for name, value in guard.parameters.items())


def _consequence(on_failure: OnFailure, placement: Placement) -> str:
    where = _PLACES[placement]
    if on_failure is OnFailure.WARN or placement is Placement.POST:
        return f"an alert ({where})"
    if on_failure is OnFailure.SKIP:
        return f"the optional group is skipped ({where})"
    return f"nothing is sent ({where})" if placement is Placement.PRE else f"the run reverts ({where})"


def _bounds(scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[str]:
    strategy = scene.strategy
    for bound in strategy.bounds:
        yield _bound(bound, decimals_of)
    bounded = {bound.token for bound in strategy.bounds}
    for token in _moved(scene):
        if token not in bounded:
            yield f"{token}: the executor ends with no less than it began with."


def _bound(bound: Bound, decimals_of: Mapping[str, int]) -> str:
    amount = in_token(abs(bound.minimum), bound.token, decimals_of)
    if bound.minimum < 0:
        text = f"{bound.token}: at most {amount} may be spent"
    elif bound.minimum > 0:
        text = f"{bound.token}: the executor ends with at least {amount} more than it began with"
    else:
        text = f"{bound.token}: the executor ends with no less than it began with"
    if bound.net_of_gas:
        text += ", and the highest possible cost of gas on top of that"
    return text + ("; what is gained goes to the treasury." if bound.payout else ".")


def _moved(scene: Scene) -> tuple[str, ...]:
    tokens = [flash.asset for flash in scene.flash_steps()]
    for step, spec in scene.action_steps():
        tokens += [token for name in spec.moves if (token := scene.input_token(step, name)) is not None]
    return tuple(dict.fromkeys(tokens))


def _lenders(scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[str]:
    """Yield how the lender of each loan is chosen (atomic spec, 8)."""
    for flash in scene.flash_steps():
        around = [scope for scope in scene.places[flash.id].around if isinstance(scope, GroupStep)]
        over = (*scene.strategy.guards, *(guard for group in around for guard in group.guards))
        asked = [guard.parameters.get("headroom") for guard in over if guard.name == LIQUIDITY_GUARD]
        more = next((written(value, decimals_of) for value in asked if value is not None), None)
        among = " or ".join(flash.providers) or "every lender of the address book"
        yield (
            f"{flash.id}: of {among}, those that the executor's policy allows, that are open, whose code is "
            f"the one that the address book knows, and that hold the loan and {more or '10 %'} more. "
            "A pool that the loan's own steps swap in does not lend to it."
        )
    if any(scene.flash_steps()):
        yield (
            "First the one that costs least: its fee, its gas at the highest price allowed, and a penalty "
            "that the owner sets for its kind; then less gas; then the name. If the run reverts with it the "
            f"next is tried, {REPLANS_MAX} times at most and not past the deadline."
        )


def _reverts(scene: Scene, decimals_of: Mapping[str, int]) -> Iterator[str]:
    strategy = scene.strategy
    yield "Any step fails."
    for step, spec in scene.action_steps():
        if spec.limit is not None:
            limit = scene.slippage_bps_of(step)
            yield f"{step.id} executes worse than its quote by more than {limit} bps."
    for flash in scene.flash_steps():
        fee = f", or its fee is above {flash.max_fee_bps} bps" if flash.max_fee_bps is not None else ""
        yield f"{flash.id} can not be repaid{fee}."
    for guard, owner in scene.all_guards():
        if Placement.IN in guard.placements and guard.on_failure is OnFailure.REVERT:
            name = guard.name if owner is None else f"{guard.name} of {owner.id}"
            yield f"The guard {name} ({_parameters(guard, decimals_of)}) does not hold at execution."
    yield "A balance ends below its bound."
    yield "An approval is left over."
    yield f"The block is later than {strategy.deadline_s} s after planning."
    yield f"The base fee is above {format_units(strategy.gas.max_base_fee_wei, 9)} gwei."


def _skips(scene: Scene) -> Iterator[str]:
    for place in scene.places.values():
        if isinstance(place.step, GroupStep) and place.step.optional:
            yield f"The optional group {place.step.id}, if a guard in it that may skip does not pass."


def _limits(strategy: Strategy) -> Iterator[str]:
    gas, limits = strategy.gas, strategy.limits
    margin = format_units(gas.margin_bps, 2)
    yield (
        f"Gas: at most {gas.max_gas:,}; a run's limit is {margin} % above the smallest under which it "
        "succeeds (refunds come after)."
    )
    yield (
        f"At most {limits.max_runs_per_hour} runs an hour, {limits.max_in_flight} at a time, "
        f"{format_units(limits.max_loss_per_day_usd_e6, 6)} USD lost a day."
    )
    if strategy.once:
        yield "The run's id is consumed on chain: the same bytes can not land twice."

"""Deciding: the same inputs and configuration give the same decision, live and in any replay.

Pure: whatever was read from a chain is in ``DeskInputs``, whatever a person chose is in ``DeskConfig``,
and both are journaled whole.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.desks.atomic.machine.search import Tried
from tidegate.desks.atomic.machine.triggers import Fired, TriggerRule, fire
from tidegate.desks.atomic.machine.valuation import NATIVE_DECIMALS, fees_at, gas_limit_of, net_floor
from tidegate.ledger import DecisionBody
from tidegate.model import Intent, Operation, Reason, canonical_json, format_units, sha256_hex
from tidegate.venues.executor import TokenPrice

DESK = "atomic"
NATIVE_PRICE = "native"
MANUAL = "manual"
JSON_SAFE_MAX = 2**53 - 1


class BoundRule(msgspec.Struct, frozen=True):
    """A bound of the strategy: ``minimum`` in base units of ``symbol``, negative if it may be spent."""

    symbol: str
    decimals: int
    minimum: int
    net_of_gas: bool


class DeskConfig(msgspec.Struct, frozen=True):
    """What a person chose. Gas prices in wei, times in seconds of chain time.

    ``trigger`` says when it looks; a person's event may always start a run. ``searched_blind`` is empty if no
    size is searched; ``objective`` names the token whose change is worth acting for. ``venues`` and
    ``tokens`` are what its steps touch; no venues where a raw call may touch any.
    """

    subject: str
    chain_id: int
    strategy_digest: str
    blinds_hash: str
    trigger: TriggerRule
    cooldown_blocks: int
    cooldown_s: int
    max_in_flight: int
    deadline_s: int
    max_gas: int
    gas_margin_bps: int
    max_base_fee_wei: int
    priority_fee_wei: int
    bounds: tuple[BoundRule, ...]
    searched_blind: str = ""
    objective: str = ""
    venues: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """What made the desk look. ``kind`` is ``block`` or ``manual``; ``id`` is its own for ever."""

    id: str
    kind: str


class Outlook(msgspec.Struct, frozen=True):
    """What a quote at the head promises: balance changes by symbol, and the dollars that move.

    ``operation`` is judged from the bytes that the quote compiles to; halts let exits pass.
    """

    deltas: dict[str, int]
    flow_usd_e6: int
    size: int | None = None
    operation: Operation = Operation.OPEN


class Obstacle(msgspec.Struct, frozen=True):
    """Why there is no quote."""

    reason: Reason
    detail: str


class DeskInputs(msgspec.Struct, frozen=True):
    """What was known when it was decided.

    ``prices_usd_e8`` are by symbol, the chain's coin under ``native``. ``gas_used`` is the true gas of
    the strategy's last run or draft, None before the first. ``tried`` are the sizes of the search.
    ``readings`` are what the trigger reads of the chain, ``memory`` what it remembers from the last look.
    """

    block_number: int
    block_timestamp_s: int
    base_fee_wei: int
    event: Event
    open_attempts: int = 0
    last_action_block: int | None = None
    last_action_s: int | None = None
    prices_usd_e8: dict[str, int] = {}
    gas_used: int | None = None
    tried: tuple[Tried, ...] = ()
    readings: dict[str, int] = {}
    memory: dict[str, int] = {}
    outlook: Outlook | None = None
    obstacle: Obstacle | None = None


class Decision(msgspec.Struct, frozen=True):
    """The answer, with its numbers in base units of the objective's token.

    ``expected`` is the quoted change before gas, ``gas_cost`` the most that gas may cost, ``threshold``
    what the change must reach (minimum and gas), ``margin`` how far it lies above. ``memory`` is what the
    trigger remembers for the next look.
    """

    acted: bool
    reason: Reason | None
    detail: str
    intent: Intent | None = None
    size: int | None = None
    expected: int | None = None
    gas_cost: int | None = None
    threshold: int | None = None
    margin: int | None = None
    memory: dict[str, int] = {}


def decide(inputs: DeskInputs, config: DeskConfig) -> Decision:
    """Return what the desk does: an intent, or the reason for none."""
    held = hold(inputs, config)
    if held is not None:
        return held
    decision = _decided(inputs, config)
    fired = _fired(inputs, config)
    memory = fired.memory if inputs.event.kind == MANUAL else fired.spent  # a person's run spends no event
    return msgspec.structs.replace(decision, memory=dict(memory))


def _decided(inputs: DeskInputs, config: DeskConfig) -> Decision:
    if inputs.obstacle is not None:
        return _no(inputs.obstacle.reason, inputs.obstacle.detail)
    if inputs.outlook is None:
        return _no(Reason.NO_OPPORTUNITY, _no_gain(inputs.tried, config))
    return _weigh(inputs, config, inputs.outlook)


def hold(inputs: DeskInputs, config: DeskConfig) -> Decision | None:
    """Return the decision if it is "no" before anything is quoted; None if a quote is worth its while."""
    fired = _fired(inputs, config)
    refusal = _refusal(inputs, config, fired)
    return None if refusal is None else msgspec.structs.replace(refusal, memory=dict(fired.memory))


def _refusal(inputs: DeskInputs, config: DeskConfig, fired: Fired) -> Decision | None:
    if inputs.event.kind != MANUAL and not fired.is_due:
        if fired.blind:
            return _no(Reason.UNAVAILABLE, f"the trigger can not see: {', '.join(fired.blind)}")
        return _no(Reason.TRIGGER_QUIET, f"block {inputs.block_number} is not one to look at")
    if inputs.open_attempts >= config.max_in_flight:
        return _no(Reason.IN_FLIGHT, f"{inputs.open_attempts} open, at most {config.max_in_flight}")
    cooling = _cooling(inputs, config)
    if cooling:
        return _no(Reason.COOLDOWN, cooling)
    if inputs.base_fee_wei > config.max_base_fee_wei:
        return _no(Reason.GAS_CAP, f"base fee {inputs.base_fee_wei} wei, at most {config.max_base_fee_wei}")
    return None


def _fired(inputs: DeskInputs, config: DeskConfig) -> Fired:
    return fire(
        config.trigger,
        block=inputs.block_number,
        at_s=inputs.block_timestamp_s,
        readings=inputs.readings,
        memory=inputs.memory,
    )


def intent_id(config: DeskConfig, event_id: str) -> str:
    """Return the SHA-256 of what makes the intent: desk, strategy, blinds and the event."""
    return sha256_hex(
        canonical_json(
            {
                "blinds": config.blinds_hash,
                "desk": DESK,
                "event": event_id,
                "strategy": config.strategy_digest,
            }
        )
    )


def decision_body(inputs: DeskInputs, config: DeskConfig, decision: Decision) -> DecisionBody:
    """Return the journal record of a decision."""
    return DecisionBody(
        desk=DESK,
        subject=config.subject,
        block=inputs.block_number,
        acted=decision.acted,
        reason=decision.reason,
        intent_id="" if decision.intent is None else decision.intent.id,
        inputs=_plain(inputs),
        config=_plain(config),
        result=_plain(decision),
    )


def replay(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body that today's code gives for the inputs and configuration of a recorded decision.

    Raises
    ------
    ValueError
        If the body is not a decision of this desk.
    """
    recorded = DecisionBody.from_body(body)
    try:
        inputs = msgspec.convert(recorded.inputs, DeskInputs, strict=False)
        config = msgspec.convert(recorded.config, DeskConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a decision of the atomic desk: {error}") from error
    return decision_body(inputs, config, decide(inputs, config)).to_body()


def _weigh(inputs: DeskInputs, config: DeskConfig, outlook: Outlook) -> Decision:
    """Compare each promised change with its floor, gas at its limit and highest price included."""
    fees = fees_at(inputs.base_fee_wei, config.max_base_fee_wei, config.priority_fee_wei)
    gas_limit = config.max_gas
    if inputs.gas_used is not None:
        gas_limit = min(gas_limit, gas_limit_of(inputs.gas_used, config.gas_margin_bps))
    native = TokenPrice(inputs.prices_usd_e8[NATIVE_PRICE], NATIVE_DECIMALS)
    numbers: dict[str, int] = {}
    for bound in config.bounds:
        floor = bound.minimum
        if bound.net_of_gas:
            token = TokenPrice(inputs.prices_usd_e8[bound.symbol], bound.decimals)
            floor = net_floor(floor, gas_limit, fees.max_fee_wei, native, token)
        delta = outlook.deltas[bound.symbol]
        if bound.symbol == config.objective:
            numbers = {
                "expected": delta,
                "gas_cost": floor - bound.minimum,
                "threshold": floor,
                "margin": delta - floor,
            }
        if delta < floor:
            reason = Reason.UNPROFITABLE if bound.net_of_gas else Reason.BOUNDS
            refused = Decision(False, reason, _short(bound, delta, floor), size=outlook.size)
            return msgspec.structs.replace(refused, **numbers)
    intent = Intent(
        id=intent_id(config, inputs.event.id),
        desk=DESK,
        chain_id=config.chain_id,
        subject=config.subject,
        reason=_why(config, numbers),
        deadline_s=inputs.block_timestamp_s + config.deadline_s,
        notional_usd_e6=outlook.flow_usd_e6,
        body={
            "blinds_hash": config.blinds_hash,
            "block": inputs.block_number,
            "event": inputs.event.id,
            "size": None if outlook.size is None else str(outlook.size),
            "strategy_digest": config.strategy_digest,
        },
        operation=outlook.operation,
        venues=config.venues,
        tokens=config.tokens,
    )
    accepted = Decision(True, None, intent.reason, intent=intent, size=outlook.size)
    return msgspec.structs.replace(accepted, **numbers)


def _why(config: DeskConfig, numbers: dict[str, int]) -> str:
    for bound in config.bounds:
        if bound.symbol == config.objective and numbers:
            over = format_units(numbers["margin"], bound.decimals, 6)
            return f"{over} {bound.symbol} above the floor"
    return "every bound holds"


def _short(bound: BoundRule, delta: int, floor: int) -> str:
    return (
        f"{format_units(delta, bound.decimals)} {bound.symbol} expected, "
        f"{format_units(floor, bound.decimals)} needed"
    )


def _no_gain(tried: tuple[Tried, ...], config: DeskConfig) -> str:
    """Return in words how far the best of the tried sizes is from gaining anything."""
    gains = [item.gain for item in tried if item.gain is not None]
    rule = next((bound for bound in config.bounds if bound.symbol == config.objective), None)
    if tried and not gains:
        return f"no size pays for itself: {len(tried)} tried"
    if rule is None or not gains:
        return "there is no quote"
    best = f"{format_units(max(gains), rule.decimals, 6)} {rule.symbol}"
    reverted = len(tried) - len(gains)
    others = f"; {reverted} of them would revert" if reverted else ""
    if len(tried) == 1:
        return f"the one size that was tried would gain {best}"
    return f"the best of {len(tried)} sizes would gain {best}{others}"


def _cooling(inputs: DeskInputs, config: DeskConfig) -> str:
    """Return what is left of the cooldown, in words; empty if it is over."""
    if inputs.last_action_block is not None:
        passed = inputs.block_number - inputs.last_action_block
        if passed < config.cooldown_blocks:
            return f"{passed} blocks since the last run, {config.cooldown_blocks} needed"
    if inputs.last_action_s is not None:
        passed = inputs.block_timestamp_s - inputs.last_action_s
        if passed < config.cooldown_s:
            return f"{passed} s since the last run, {config.cooldown_s} needed"
    return ""


def _no(reason: Reason, detail: str) -> Decision:
    return Decision(acted=False, reason=reason, detail=detail)


def _plain(value: Any) -> Any:
    """Return plain data for the journal: integers that JSON readers would round become text."""
    return _safe(msgspec.to_builtins(value))


def _safe(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > JSON_SAFE_MAX:
        return str(value)
    return value

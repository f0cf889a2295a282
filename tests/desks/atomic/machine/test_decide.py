"""Deciding: one input, one answer; every reason; and any recorded decision replays to itself."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tidegate.desks.atomic import DeskConfig, DeskInputs, Event, Tried, decide, decision_body, replay
from tidegate.desks.atomic.machine.decide import BoundRule, Obstacle, Outlook, hold, intent_id
from tidegate.desks.atomic.machine.triggers import AllOf, AnyOf, AtBlocks, AtLevel, AtTimes, ByHand
from tidegate.model import Reason, canonical_json, sha256_hex

GWEI, WETH = 10**9, 10**18
CONFIG = DeskConfig(
    subject="arb",
    chain_id=31_337,
    strategy_digest="d1",
    blinds_hash="b1",
    trigger=AtBlocks(1),
    cooldown_blocks=2,
    cooldown_s=0,
    max_in_flight=1,
    deadline_s=36,
    max_gas=900_000,
    gas_margin_bps=1_500,
    max_base_fee_wei=40 * GWEI,
    priority_fee_wei=GWEI,
    bounds=(BoundRule("WETH", 18, 10**15, net_of_gas=True), BoundRule("USDC", 6, 0, net_of_gas=False)),
    searched_blind="size",
    objective="WETH",
)
PRICES = {"WETH": 3_000 * 10**8, "USDC": 10**8, "native": 3_000 * 10**8}
FLOOR = 10**15 + 345_000 * 21 * GWEI
INPUTS = DeskInputs(
    block_number=100,
    block_timestamp_s=1_800_000_000,
    base_fee_wei=10 * GWEI,
    event=Event("block:100", "block"),
    prices_usd_e8=PRICES,
    gas_used=300_000,
    tried=(Tried(WETH, FLOOR - 1), Tried(2 * WETH, FLOOR), Tried(4 * WETH, None)),
    outlook=Outlook({"WETH": FLOOR, "USDC": 0}, flow_usd_e6=6_000 * 10**6, size=2 * WETH),
)


def given_that(**changes: Any) -> DeskInputs:
    return msgspec.structs.replace(INPUTS, **changes)


def test_a_gain_at_the_floor_is_acted_on_with_its_numbers() -> None:
    decision = decide(INPUTS, CONFIG)
    assert decision.acted
    assert (decision.expected, decision.threshold, decision.margin) == (FLOOR, FLOOR, 0)
    assert decision.gas_cost == 345_000 * 21 * GWEI
    intent = decision.intent
    assert intent is not None
    assert (intent.subject, intent.chain_id, intent.desk) == ("arb", 31_337, "atomic")
    assert (intent.deadline_s, intent.notional_usd_e6) == (1_800_000_036, 6_000 * 10**6)
    assert intent.body == {
        "blinds_hash": "b1",
        "block": 100,
        "event": "block:100",
        "size": str(2 * WETH),
        "strategy_digest": "d1",
    }


def test_one_base_unit_less_is_refused_with_the_same_numbers() -> None:
    poor = given_that(outlook=Outlook({"WETH": FLOOR - 1, "USDC": 0}, 0, WETH))
    decision = decide(poor, CONFIG)
    assert (decision.acted, decision.reason, decision.margin) == (False, Reason.UNPROFITABLE, -1)
    assert "needed" in decision.detail
    assert decision.intent is None


def test_a_plain_bound_that_breaks_is_another_reason() -> None:
    decision = decide(given_that(outlook=Outlook({"WETH": FLOOR, "USDC": -1}, 0, WETH)), CONFIG)
    assert (decision.acted, decision.reason) == (False, Reason.BOUNDS)


LEVEL = AtLevel("price", "above", 2**60, 10)
REFUSED = [
    ({"event": Event("x", "block"), "block_number": 101}, {"trigger": AtBlocks(2)}, Reason.TRIGGER_QUIET),
    ({}, {"trigger": ByHand()}, Reason.TRIGGER_QUIET),
    ({"memory": {"0": 1}}, {"trigger": LEVEL}, Reason.UNAVAILABLE),
    ({"readings": {"price": 2**60}}, {"trigger": LEVEL}, Reason.TRIGGER_QUIET),
    (
        {"readings": {"price": 2**70}, "memory": {"0.0": 1_800_000_000}},
        {"trigger": AllOf((AtTimes("0 0 * * *", "UTC"), AnyOf((LEVEL, ByHand()))))},
        Reason.TRIGGER_QUIET,
    ),
    ({"open_attempts": 1}, {}, Reason.IN_FLIGHT),
    ({"last_action_block": 99}, {}, Reason.COOLDOWN),
    ({"last_action_s": 1_799_999_990}, {"cooldown_s": 11}, Reason.COOLDOWN),
    ({"base_fee_wei": 40 * GWEI + 1}, {}, Reason.GAS_CAP),
    ({"obstacle": Obstacle(Reason.FLASH_LIQUIDITY, "nobody lends")}, {}, Reason.FLASH_LIQUIDITY),
    ({"outlook": None}, {}, Reason.NO_OPPORTUNITY),
    ({"outlook": None, "tried": ()}, {}, Reason.NO_OPPORTUNITY),
]


@pytest.mark.parametrize(("inputs", "config", "reason"), REFUSED)
def test_every_reason_for_not_acting(inputs: dict[str, Any], config: dict[str, Any], reason: Reason) -> None:
    decision = decide(given_that(**inputs), msgspec.structs.replace(CONFIG, **config))
    assert (decision.acted, decision.reason, decision.intent) == (False, reason, None)
    assert decision.detail


ALLOWED = [
    ({"block_number": 102}, {"trigger": AtBlocks(2)}),
    ({"event": Event("m", "manual")}, {"trigger": ByHand()}),
    ({"readings": {"price": 2**60 + 1}}, {"trigger": LEVEL}),
    ({"event": Event("m", "manual")}, {"trigger": LEVEL}),
    ({"open_attempts": 1}, {"max_in_flight": 2}),
    ({"last_action_block": 98}, {}),
    ({"last_action_block": 99}, {"cooldown_blocks": 1}),
    ({"last_action_s": 1_799_999_989}, {"cooldown_s": 11}),
    ({"base_fee_wei": 40 * GWEI, "outlook": Outlook({"WETH": WETH, "USDC": 0}, 0)}, {}),
]


@pytest.mark.parametrize(("inputs", "config"), ALLOWED)
def test_the_adjacent_case_of_each_reason_acts(inputs: dict[str, Any], config: dict[str, Any]) -> None:
    assert decide(given_that(**inputs), msgspec.structs.replace(CONFIG, **config)).acted


CROSSED = {"0": 0, "0!": 1_799_999_000}
"""The price was above, crossed, and lies below."""


@pytest.mark.parametrize(
    ("state", "inputs", "acted", "reason", "is_spent"),
    [
        ("armed; nothing fired", {"memory": {"0": 0}}, False, Reason.TRIGGER_QUIET, True),
        ("armed; a trigger fires: deciding, accepted: in flight", {}, True, None, True),
        ("deciding; unprofitable: cooling", {"outlook": Outlook({"WETH": 0, "USDC": 0}, 0)}, False,
         Reason.UNPROFITABLE, True),
        ("in flight; a trigger fires: as many are open as may be", {"open_attempts": 1}, False,
         Reason.IN_FLIGHT, False),
        ("cooling; a trigger fires", {"last_action_block": 99}, False, Reason.COOLDOWN, False),
        ("cooling; cooldown over: armed, the event was kept", {"last_action_block": 98}, True, None, True),
        ("a person starts it: the event is kept", {"event": Event("m", "manual")}, True, None, False),
    ],
)  # fmt: skip
def test_the_state_table_row_by_row(
    state: str, inputs: dict[str, Any], acted: bool, reason: Reason | None, is_spent: bool
) -> None:
    """An event is spent by the decision that is made by it, and by nothing else."""
    config = msgspec.structs.replace(CONFIG, trigger=AtLevel("price", "crosses", 100))
    decision = decide(given_that(**{"memory": CROSSED, "readings": {"price": 90}} | inputs), config)
    assert (decision.acted, decision.reason) == (acted, reason), state
    assert ("0!" not in decision.memory) is is_spent, state


def test_what_needs_no_quote_is_held_before_one_is_made() -> None:
    assert hold(INPUTS, CONFIG) is None
    held = hold(given_that(open_attempts=1, outlook=None), CONFIG)
    assert held is not None
    assert held.reason is Reason.IN_FLIGHT


def test_without_known_gas_the_cap_counts() -> None:
    decision = decide(given_that(gas_used=None, outlook=Outlook({"WETH": WETH, "USDC": 0}, 0)), CONFIG)
    assert decision.gas_cost == 900_000 * 21 * GWEI
    capped = decide(given_that(gas_used=10**9, outlook=Outlook({"WETH": WETH, "USDC": 0}, 0)), CONFIG)
    assert capped.gas_cost == decision.gas_cost


def test_without_an_objective_every_bound_counts_and_nothing_is_measured() -> None:
    plain = msgspec.structs.replace(CONFIG, bounds=(BoundRule("USDC", 6, -5, False),), objective="")
    decision = decide(given_that(outlook=Outlook({"USDC": -5}, 0)), plain)
    assert (decision.acted, decision.expected, decision.detail) == (True, None, "every bound holds")


def test_an_intent_is_named_by_desk_strategy_blinds_and_event() -> None:
    expected = {"blinds": "b1", "desk": "atomic", "event": "block:100", "strategy": "d1"}
    assert intent_id(CONFIG, "block:100") == sha256_hex(canonical_json(expected))
    same = decide(given_that(gas_used=1), CONFIG).intent
    first = decide(INPUTS, CONFIG).intent
    assert first is not None
    assert same is not None
    assert same.id == first.id
    others = {
        intent_id(CONFIG, "block:101"),
        intent_id(msgspec.structs.replace(CONFIG, blinds_hash="b2"), "block:100"),
        intent_id(msgspec.structs.replace(CONFIG, strategy_digest="d2"), "block:100"),
    }
    assert len(others | {first.id}) == 4


@pytest.mark.parametrize("index", range(len(REFUSED) + 1))
def test_a_recorded_decision_replays_to_itself(index: int) -> None:
    inputs, config = INPUTS, CONFIG
    if index < len(REFUSED):
        changes, settings, _ = REFUSED[index]
        inputs, config = given_that(**changes), msgspec.structs.replace(CONFIG, **settings)
    decision = decide(inputs, config)
    body = decision_body(inputs, config, decision).to_body()
    stored = json.loads(canonical_json(body))
    assert replay(stored) == body == stored
    assert body["acted"] is decision.acted


def test_numbers_that_json_would_round_are_text_in_the_record() -> None:
    rich = given_that(outlook=Outlook({"WETH": 2**53, "USDC": 2**53 - 1}, 0))
    body = decision_body(rich, CONFIG, decide(rich, CONFIG)).to_body()
    assert body["inputs"]["outlook"]["deltas"] == {"WETH": str(2**53), "USDC": 2**53 - 1}
    assert body["inputs"]["tried"][0] == {"size": str(WETH), "gain": FLOOR - 1}
    assert body["inputs"]["block_number"] == 100


def test_a_changed_input_replays_to_another_answer() -> None:
    body = decision_body(INPUTS, CONFIG, decide(INPUTS, CONFIG)).to_body()
    changed = json.loads(canonical_json(body))
    changed["inputs"]["outlook"]["deltas"]["WETH"] = str(FLOOR - 1)
    assert replay(changed)["acted"] is False
    changed["inputs"] = {"block_number": "soon"}
    with pytest.raises(ValueError, match="not a decision of the atomic desk"):
        replay(changed)


@settings(deadline=None, derandomize=True)
@given(
    delta=some.integers(-(10**20), 10**20),
    base_fee=some.integers(0, 40 * GWEI),
    gas=some.integers(21_000, 10**6),
    native=some.integers(1, 10**12),
)
def test_it_acts_exactly_when_the_gain_pays_for_gas_and_minimum(
    delta: int, base_fee: int, gas: int, native: int
) -> None:
    inputs = given_that(
        base_fee_wei=base_fee,
        gas_used=gas,
        prices_usd_e8=PRICES | {"native": native},
        outlook=Outlook({"WETH": delta, "USDC": 0}, 0),
    )
    decision = decide(inputs, CONFIG)
    limit = min(-(-gas * 115 // 100), 900_000)
    fee = min(2 * base_fee, 40 * GWEI) + GWEI
    pays = (delta - 10**15) * PRICES["WETH"] >= limit * fee * native
    assert decision.acted is pays

"""The desk's word for what a strategy does, held against the signer's own reading of the same bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.example_scenes import brought_about
from tests.desks.atomic.machine.test_desk import BY_HAND, desk_of
from tests.desks.atomic.machine.test_shipped_strategies import land

from tidegate.custody import executor_terms
from tidegate.custody.policies import bind_policy
from tidegate.desks.atomic import (
    TEMPLATES,
    Assignment,
    Situation,
    decision_body,
    draft_plan,
    finish_plan,
    replay,
    strategy_policy,
)
from tidegate.desks.atomic import template_text as shipped_text
from tidegate.model import ZERO_ADDRESS, Denied, Operation, Plan, Reason, UnsignedTransaction
from tidegate.venues.executor import TokenPrice

WETH = 10**18
FIGURES = {
    "deadline_max_s": 120,
    "gas_limit_max": 2**24,
    "at_risk_tx_usd_e6": 10**15,
    "flow_tx_usd_e6": 10**15,
}


def decided(ground: Ground, job: Assignment) -> Operation:
    look = desk_of(ground, job).look(job.strategy.name, BY_HAND, Situation())
    assert look.decision.intent is not None, look.decision
    return look.decision.intent.operation


def planned(ground: Ground, job: Assignment) -> Plan:
    draft = draft_plan(ground.intent(job), job, ground.world)
    return finish_plan(draft, ground.measure(draft.plan))


def is_exit_to_the_signer(ground: Ground, job: Assignment, plan: Plan) -> bool:
    """Ask the signer's policy, under terms that follow what the strategy needs on chain."""
    terms = executor_terms(plan.to, strategy_policy(job, ground.world), FIGURES)
    prices = {
        token.address: TokenPrice(3_000 * 10**8, token.decimals) for token in ground.book.tokens.values()
    }
    transaction = UnsignedTransaction(
        chain_id=plan.chain_id,
        nonce=0,
        to=plan.to,
        data=plan.data,
        value_wei=plan.value_wei,
        gas_limit=plan.gas_limit,
        max_fee_wei=plan.max_fee_wei,
        max_priority_fee_wei=plan.max_priority_fee_wei,
    )
    now_s = ground.world.block().timestamp
    judgement = bind_policy("executor", terms)(
        transaction, prices | {ZERO_ADDRESS: TokenPrice(3_000 * 10**8, 18)}, now_s
    )
    assert judgement is not None
    return judgement.is_exit


def opened(ground: Ground) -> None:
    """Leave a leveraged position open, and inventory beside it."""
    ground.give("WETH", 12 * WETH // 10)
    land(ground, ground.shipped("leverage-open"))
    ground.give("WETH", WETH)
    ground.give("USDC", 1_000 * 10**6)


@pytest.mark.parametrize("template", TEMPLATES)
def test_of_the_shipped_strategies_leverage_close_alone_is_an_exit_to_desk_and_signer(
    ground: Ground, template: str
) -> None:
    job = brought_about(ground, template)
    operation = decided(ground, ground.shipped(template))
    assert operation is (Operation.CLOSE if template == "leverage-close" else Operation.OPEN)
    assert is_exit_to_the_signer(ground, job, planned(ground, job)) is operation.is_exit


@dataclass(frozen=True)
class Variation:
    """``leverage-close`` with steps put in, a guard made weak, or a bound let go."""

    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    health: str = "10.0"
    place: str = "pre, in"
    bound: str = "0.9 WETH"

    def text(self) -> str:
        text = shipped_text("leverage-close").replace("min: 10.0", f"min: {self.health}")
        text = text.replace("place: [pre, in], on_failure", f"place: [{self.place}], on_failure", 1)
        lines = f"min: {self.bound}, payout: true}}\n  - {{token: USDC, min: -200 USDC"
        text = text.replace("min: 0.9 WETH, payout: true", lines)
        inner = "".join(f"        - {OPENINGS[name]}\n".replace("id: ", "id: inner_") for name in self.inside)
        text = text.replace("        - id: repay\n", inner + "        - id: repay\n")
        return text + "".join(f"  - {OPENINGS[name]}\n" for name in self.outside)

    @property
    def opens(self) -> bool:
        """What the test knows by itself: nothing here asks what judges."""
        is_weak = float(self.health) < 10 or "in" not in self.place
        return bool(self.inside or self.outside) or is_weak or self.bound.startswith("-")


OPENINGS = {
    "supply": "{id: more, use: aave_v3.supply, in: {asset: WETH, amount: 0.01 WETH}}",
    "borrow": "{id: debt, use: aave_v3.borrow, in: {asset: USDC, amount: 1 USDC}}",
    "sale": "{id: sale, use: uniswap_v3.exact_input_single, slippage: 50 bps,"
    " in: {token_in: USDC, token_out: WETH, fee: 500, amount: 100 USDC}}",
    "optional": "{group: {id: extra, optional: true,"
    " guards: [{oracle_sanity: {pair: WETH/USDC, max_deviation: 300 bps}, place: [pre, in],"
    " on_failure: skip}],"
    " steps: [{id: hidden, use: aave_v3.supply, in: {asset: WETH, amount: 0.01 WETH}}]}}",
    "send": "{id: send, use: erc20.transfer, in: {token: USDC, amount: 1 USDC, to: treasury}}",
}
VARIATIONS = st.builds(
    Variation,
    outside=st.lists(st.sampled_from(["supply", "sale", "optional", "send"]), max_size=1).map(tuple),
    inside=st.lists(st.sampled_from(["supply", "optional"]), max_size=1).map(tuple),
    health=st.sampled_from(["10.0", "1.3", "9.9", "50"]),
    place=st.sampled_from(["pre, in", "in", "pre"]),
    bound=st.sampled_from(["0.9 WETH", "-0.5 WETH", "0 WETH"]),
)


def looked_at(ground: Ground, job: Assignment) -> tuple[Operation, bool]:
    """What the desk decides, and what the signer says of the very bytes that the desk then plans."""
    look = desk_of(ground, job).look(job.strategy.name, BY_HAND, Situation())
    assert look.inputs.outlook is not None, look.inputs.obstacle
    return look.inputs.outlook.operation, is_exit_to_the_signer(ground, job, planned(ground, job))


def check(ground: Ground, variation: Variation) -> None:
    with ground.world.snapshot():
        job = ground.job(variation.text())
        ground.allow(job)
        operation, is_exit = looked_at(ground, job)
        assert operation.is_exit is is_exit, "desk and signer read the same bytes alike"
        assert operation.is_exit is not variation.opens


DEFAULTS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=10, **DEFAULTS)
@given(variation=VARIATIONS)
@example(variation=Variation())
def test_what_hides_an_opening_is_an_exit_to_nobody(ground: Ground, variation: Variation) -> None:
    opened_once(ground)
    check(ground, variation)


@pytest.mark.slow
@settings(max_examples=300, **DEFAULTS)
@given(variation=VARIATIONS)
def test_what_hides_an_opening_is_an_exit_to_nobody_in_depth(ground: Ground, variation: Variation) -> None:
    opened_once(ground)
    check(ground, variation)


def opened_once(ground: Ground) -> None:
    """The fixture lives as long as all examples do: the position is opened by the first."""
    if ground.balance("USDC") == 0:
        opened(ground)


@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_each_opening_that_a_file_could_hide(ground: Ground, opening: str) -> None:
    opened(ground)
    inside = opening == "borrow"
    check(ground, Variation(**{"inside" if inside else "outside": (opening,)}))


def test_the_plan_of_an_exit_whose_bytes_open_is_refused(ground: Ground) -> None:
    """As when an optional group was left out at the decision, and its guard passes when it is planned."""
    ground.give("WETH", 2 * WETH)
    job = ground.shipped("leverage-open")
    desk, intent = desk_of(ground, job), ground.intent(job)
    asyncio.run(desk.plan(intent))
    with pytest.raises(Denied) as denied:
        asyncio.run(desk.plan(msgspec.structs.replace(intent, operation=Operation.CLOSE)))
    assert denied.value.reason is Reason.NOT_AN_EXIT
    assert denied.value.found == "it neither repays nor withdraws"


def test_a_decision_of_an_exit_replays_as_one(ground: Ground) -> None:
    opened(ground)
    job = ground.shipped("leverage-close")
    look = desk_of(ground, job).look(job.strategy.name, BY_HAND, Situation())
    body = decision_body(look.inputs, look.config, look.decision).to_body()
    assert replay(body) == body
    assert body["inputs"]["outlook"]["operation"] == "close"
    assert body["result"]["intent"]["operation"] == "close"

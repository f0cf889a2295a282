"""P14 through the compiler: tokens of the field in every class of action where they can stand.

Lines measure what truly moved, allowances are zero at the end or the run is not, ``false`` reverts.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.scenes import FEE_ON_TRANSFER, allowance
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.chain import encode_call
from tidegate.desks.atomic import draft_plan, finish_plan
from tidegate.model import UINT256_MAX, Address, Denied, Reason
from tidegate.sim import compile_contract
from tidegate.venues import Token
from tidegate.venues.tokens import approve
from tidegate.venues.uniswap_v2 import add_liquidity, create_pair

TOKEN = Path(__file__).parents[3] / "hostile" / "atomic" / "contracts" / "token.vy"
FEE, FALSE, SILENT, RACE, HOOK, STICKY, REBASING, APPROVES_FALSE = 1, 2, 3, 4, 5, 6, 8, 10
ODD, USDC = 10**18, 10**6
IN, OUT = "uniswap_v2.swap_exact_tokens_for_tokens", "uniswap_v2.swap_tokens_for_exact_tokens"
SELL = "  - {id: last, use: %s, in: {token_in: ODD, token_out: USDC, amount: 10 ODD}, slippage: 300 bps}\n"
STEPS = {
    "transfer": "  - {id: last, use: erc20.transfer, in: {token: ODD, to: treasury, amount: 10 ODD}}\n",
    "sell": SELL % IN,
    "sell by balance": SELL % f"uniswap_v2.{FEE_ON_TRANSFER}",
    "sell for exactly": (
        f"  - {{id: last, use: {OUT}, in: {{token_in: ODD, token_out: USDC, amount_out: 10 USDC}}, "
        "slippage: 300 bps}\n"
    ),
    "buy": (
        f"  - {{id: last, use: {IN}, in: {{token_in: USDC, token_out: ODD, amount: 10 USDC}}, "
        "slippage: 300 bps}\n"
    ),
    "buy by balance, sell what came": (
        f"  - {{id: buy, use: uniswap_v2.{FEE_ON_TRANSFER}, "
        "in: {token_in: USDC, token_out: ODD, amount: 10 USDC}, slippage: 300 bps}\n"
        + SELL.replace("10 ODD", "$buy.amount_out")
        % f"uniswap_v2.{FEE_ON_TRANSFER}"
    ),
    "raw": (
        "  - {id: last, use: raw.call, in: {target: uniswap_v2.router, "
        'function: "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", '
        "args: [10 ODD, 1, [ODD, USDC], executor, 549755813888], "
        "token: ODD, spend: 10 ODD, moves: [USDC]}, because: a test, policy: [pin@2=0xa0, self@3]}\n"
    ),
}
LANDS = dict.fromkeys(STEPS, "")
"""What a run of each class says; empty where it lands."""
FROM_FAILED = "TRANSFER_FROM_FAILED"
EXPECTED: dict[str, tuple[int, dict[str, str]]] = {
    "ordinary": (0, LANDS),
    "fee on transfer": (FEE, {**LANDS, "sell": "K", "sell for exactly": "K", "raw": "K"}),
    "answers nothing": (SILENT, LANDS),
    "answers false": (
        FALSE,
        {**dict.fromkeys(STEPS, FROM_FAILED), "transfer": "last", "buy": "TRANSFER_FAILED"}
        | {"buy by balance, sell what came": "TRANSFER_FAILED"},
    ),
    "approves falsely": (APPROVES_FALSE, {**dict.fromkeys(STEPS, "approve"), "transfer": "", "buy": ""}),
    "approve race": (RACE, LANDS),
    "keeps allowances": (
        STICKY,
        {**LANDS, "sell": "an allowance of ODD", "sell by balance": "an allowance of ODD"}
        | {"buy by balance, sell what came": "an allowance of ODD"},
    ),
    "rebased": (REBASING, LANDS),
    "calls a hook": (HOOK, LANDS),
}
CASES = [(name, step) for name in EXPECTED for step in STEPS]


@dataclasses.dataclass(frozen=True)
class Odd:
    """The devnet with one token more, in a pair with USDC, and some of it in the executor."""

    ground: Ground
    token: Address

    def send(self, signature: str, *arguments: object) -> None:
        data = encode_call(signature, *arguments)
        self.ground.world.transact(self.token, data, sender=self.ground.operator)

    def holds(self, symbol: str) -> int:
        if symbol != "ODD":
            return self.ground.holds(symbol)
        return int.from_bytes(
            self.ground.world.call(self.token, encode_call("balanceOf(address)", self.ground.executor))
        )


@pytest.fixture
def odd(ground: Ground) -> Odd:
    world, devnet = ground.world, ground.devnet
    provider = devnet.accounts["provider"]
    token = world.deploy(compile_contract(TOKEN).initcode, sender=devnet.accounts["trader"])
    entry = Token("ODD", token, 18, "feed.USDC/USD")
    book = msgspec.structs.replace(ground.book, tokens={**ground.book.tokens, "ODD": entry})
    found = Odd(dataclasses.replace(ground, book=book), token)
    found.send("mint(address,uint256)", provider, 100_000 * ODD)
    found.send("mint(address,uint256)", ground.executor, 1_000 * ODD)
    approve(world, token, devnet.uniswap_v2.router, UINT256_MAX, holder=provider)
    pair = create_pair(world, devnet.uniswap_v2, token, devnet.token("USDC"), sender=provider)
    sides = {token: 100_000 * ODD, devnet.token("USDC"): 100_000 * USDC}
    add_liquidity(world, devnet.uniswap_v2, pair, sides[pair.token0], sides[pair.token1], provider=provider)
    ground.give("USDC", 1_000 * USDC)
    return found


def make_odd(odd: Odd, quirk: int, hook: Address) -> None:
    odd.send("set_quirk(uint256,address)", quirk, hook)
    if quirk == REBASING:
        odd.send("rebase(uint256)", 10_100)


def text(step: str) -> str:
    head = HEAD.replace("tokens: [", "tokens: [ODD, ").replace(
        "bounds: [", "bounds: [{token: ODD, min: -100 ODD}, "
    )
    return head + STEPS[step]


@pytest.mark.parametrize(("kind", "step"), CASES, ids=[f"{kind}, {step}" for kind, step in CASES])
def test_p14_an_odd_token_lands_as_measured_or_says_why_not(odd: Odd, kind: str, step: str) -> None:
    quirk, says = EXPECTED[kind]
    ground, job = odd.ground, odd.ground.job(text(step))
    ground.allow(job)
    make_odd(odd, quirk, ground.devnet.accounts["trader"])
    if says[step]:
        with pytest.raises(Denied) as caught:
            draft_plan(ground.intent(job), job, ground.world)
        assert caught.value.reason is Reason.SIMULATION_REVERTED
        assert says[step] in caught.value.message
        return
    draft = draft_plan(ground.intent(job), job, ground.world)
    plan = finish_plan(draft, 700_000)
    before = {symbol: odd.holds(symbol) for symbol in ("ODD", "USDC")}
    assert ground.world.transact(plan.to, plan.data, sender=ground.operator).status == 1
    changed = {symbol: odd.holds(symbol) - amount for symbol, amount in before.items()}
    assert changed == {symbol: draft.prospect.quoted.deltas.get(symbol, 0) for symbol in changed}
    assert allowance(ground, odd.token, ground.devnet.uniswap_v2.router) == 0


def test_p14_what_a_router_says_is_not_what_came_and_the_line_knows(odd: Odd) -> None:
    """A token that keeps 1 %: the word says 100, the balance 99; the measured output says 99 too."""
    ground = odd.ground
    make_odd(odd, FEE, ground.devnet.accounts["trader"])
    told, measured = (_bought(odd, use) for use in (IN, f"uniswap_v2.{FEE_ON_TRANSFER}"))
    assert told["value"] > told["delta"]
    assert told["delta"] == told["value"] - told["value"] // 100
    assert measured["value"] == measured["delta"] == told["delta"]


def _bought(odd: Odd, use: str) -> dict[str, int]:
    ground = odd.ground
    job = ground.job(text("buy").replace(IN, use))
    ground.allow(job)
    quoted = draft_plan(ground.intent(job), job, ground.world).prospect.quoted
    return {"value": quoted.values["last", "amount_out"], "delta": quoted.deltas["ODD"]}


@pytest.mark.parametrize("step", sorted(STEPS))
def test_p14_a_hook_into_the_executor_meets_the_lock(odd: Odd, step: str) -> None:
    ground, job = odd.ground, odd.ground.job(text(step))
    ground.allow(job)
    make_odd(odd, HOOK, ground.executor)
    with pytest.raises(Denied) as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.reason is Reason.SIMULATION_REVERTED

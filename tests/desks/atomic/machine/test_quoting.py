"""Quotes are what the protocols' own quoters say, and refusals say which step and why."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from tests.desks.atomic.machine.conftest import FIRST, Ground

from tidegate.app.devnet import change_executor
from tidegate.chain import decode_output, encode_call
from tidegate.desks.atomic import Assignment, Quoted
from tidegate.desks.atomic.machine.enforcing import enforcement_of
from tidegate.desks.atomic.machine.prospect import guard_context
from tidegate.desks.atomic.machine.quoting import DoesNotPay, quote_deltas, run_quote, watch_list
from tidegate.desks.atomic.machine.safeguards import safeguards_of
from tidegate.model import Address, ConfigError, Denied, Divergence, Halted, Reason, Tampered
from tidegate.venues.executor import Change, encode_pause

WETH, USDC = 10**18, 10**6

HEAD = """
strategy: 1
name: test
chain: devnet
executor: main1
tokens: [WETH, USDC, DAI, WBTC]
trigger: {manual: {}}
once: false
gas: {max_gas: 2000000, max_base_fee: 40 gwei, priority_fee: 1 gwei}
deadline: 36 s
bounds: [{token: WETH, min: -10 WETH}, {token: USDC, min: -10000 USDC}]
steps:
"""
V3_IN = "uniswap_v3.exact_input_single"
V3_OUT = "uniswap_v3.exact_output_single"
V2_IN = "uniswap_v2.swap_exact_tokens_for_tokens"
V2_OUT = "uniswap_v2.swap_tokens_for_exact_tokens"
SWAPS = {
    V3_IN: "{token_in: WETH, token_out: USDC, fee: 500, amount: 1 WETH}",
    V3_OUT: "{token_in: WETH, token_out: USDC, fee: 3000, amount_out: 1000 USDC}",
    V2_IN: "{token_in: WETH, token_out: USDC, amount: 1 WETH}",
    V2_OUT: "{token_in: WETH, token_out: USDC, amount_out: 1000 USDC}",
}


@pytest.fixture
def ground(ground: Ground) -> Ground:
    """The executor may do what the first shipped strategies need, and nothing else."""
    ground.allow_no_more_than(*FIRST)
    return ground


def swap(use: str, name: str = "swap", inputs: str | None = None) -> str:
    return f"  - {{id: {name}, use: {use}, in: {inputs or SWAPS[use]}, slippage: 30 bps}}\n"


def quoted(ground: Ground, text: str) -> Quoted:
    job = ground.job(HEAD + text)
    ground.allow(job)
    ground.give("WETH", 5 * WETH)
    return run_quote(job, {}, ground.world, {})


def ask(ground: Ground, to: Address, signature: str, kinds: tuple[str, ...], *arguments: object) -> Any:
    """The first value that a quoter answers."""
    answer = ground.world.call(to, encode_call(signature, *arguments))
    return decode_output(kinds, answer)[0]


V3_QUOTE = ("uint256", "uint160", "uint32", "uint256")


def test_v3_exact_input_is_what_quoter_v2_says(ground: Ground) -> None:
    weth, usdc = ground.devnet.weth, ground.devnet.token("USDC")
    signature = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
    quoter = ground.devnet.uniswap_v3.quoter
    expected = ask(ground, quoter, signature, V3_QUOTE, (weth, usdc, WETH, 500, 0))
    found = quoted(ground, swap(V3_IN))
    assert found.values == {("swap", "amount_out"): expected, ("swap", "in.amount"): WETH}
    assert found.deltas == {"WETH": -WETH, "USDC": expected}


def test_v3_exact_output_is_what_quoter_v2_says(ground: Ground) -> None:
    weth, usdc = ground.devnet.weth, ground.devnet.token("USDC")
    signature = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"
    quoter = ground.devnet.uniswap_v3.quoter
    expected = ask(ground, quoter, signature, V3_QUOTE, (weth, usdc, 1_000 * USDC, 3_000, 0))
    found = quoted(ground, swap(V3_OUT))
    assert found.values == {("swap", "amount_in"): expected, ("swap", "in.amount_out"): 1_000 * USDC}
    assert found.deltas == {"WETH": -expected, "USDC": 1_000 * USDC}


def test_v2_quotes_are_what_the_router_says(ground: Ground) -> None:
    router, path = ground.devnet.uniswap_v2.router, [ground.devnet.weth, ground.devnet.token("USDC")]
    out = ask(ground, router, "getAmountsOut(uint256,address[])", ("uint256[]",), WETH, path)
    into = ask(ground, router, "getAmountsIn(uint256,address[])", ("uint256[]",), 1_000 * USDC, path)
    assert quoted(ground, swap(V2_IN)).values["swap", "amount_out"] == out[-1]
    assert quoted(ground, swap(V2_OUT)).values["swap", "amount_in"] == into[0]


def test_the_second_swap_is_quoted_after_the_first(ground: Ground) -> None:
    """There and back through one pair: each way meets the price that the other left, and pays its fee."""
    back = swap(V2_IN, "back", "{token_in: USDC, token_out: WETH, amount: $there.amount_out}")
    both = quoted(ground, swap(V2_IN, "there") + back)
    assert both.values["back", "in.amount"] == both.values["there", "amount_out"]
    assert both.deltas == {"USDC": 0, "WETH": both.values["back", "amount_out"] - WETH}
    assert 9_930 * WETH < both.values["back", "amount_out"] * 10_000 < 9_950 * WETH


def test_what_does_not_fit_the_registers_is_quoted_in_parts(ground: Ground) -> None:
    guards = "".join(
        f"  - {{oracle_sanity: {{pair: WETH/USDC, max_deviation: {bps} bps}}, place: [in]}}\n"
        for bps in range(100, 110)
    )
    head = HEAD.replace("steps:", f"guards:\n{guards}steps:")
    job = ground.job(head + swap(V3_IN))
    ground.allow(job)
    ground.give("WETH", 5 * WETH)
    base = guard_context(job, ground.world.block(), 2**39, 0, 0)
    checks = enforcement_of(safeguards_of(job.strategy, {}), base, ground.world).checks
    assert len(watch_list(job.strategy, checks)) == 22
    found = run_quote(job, {}, ground.world, checks)
    assert found.deltas == quote_deltas(job, {}, ground.world)
    assert [found.measured["", index] for index in range(10)] == [
        {"price of WETH": 3_000 * 10**8, "price of USDC": 10**8}
    ] * 10


def prepared(ground: Ground) -> Assignment:
    job = ground.job(HEAD + swap(V3_IN))
    ground.allow(job)
    return job


def refusal(ground: Ground, job: Assignment) -> Denied:
    with pytest.raises(Denied) as caught:
        run_quote(job, {}, ground.world, {})
    return caught.value


def test_a_step_that_fails_is_named_with_its_own_reason(ground: Ground) -> None:
    denied = refusal(ground, prepared(ground))
    assert denied.reason is Reason.SIMULATION_REVERTED
    assert "step swap" in denied.message
    assert "STF" in denied.message, "the router's own words: the executor holds no WETH"


def test_a_missing_permission_is_told_from_a_missing_role(ground: Ground) -> None:
    enter = "  - {id: enter, use: aave_v3.set_user_e_mode, in: {category: 1}}\n"
    job = ground.job(HEAD + swap(V3_IN) + enter)
    ground.give("WETH", 5 * WETH)
    assert refusal(ground, job).reason is Reason.POLICY_MISSING
    stranger = dataclasses.replace(prepared(ground), operator=ground.devnet.accounts["trader"])
    assert refusal(ground, stranger).reason is Reason.ROLE_MISSING


def test_a_paused_executor_is_halted(ground: Ground) -> None:
    job = prepared(ground)
    ground.world.transact(ground.executor, encode_pause(), sender=ground.devnet.accounts["guardian"])
    with pytest.raises(Halted, match="paused"):
        run_quote(job, {}, ground.world, {})


def test_what_answers_without_reverting_is_not_our_executor(ground: Ground) -> None:
    job = prepared(ground)

    def with_executor(**claims: object) -> Assignment:
        impostor = msgspec.structs.replace(
            job.book.entry("executor.main1"), address=ground.operator, **claims
        )
        contracts = {**job.book.contracts, "executor.main1": impostor}
        return dataclasses.replace(job, book=msgspec.structs.replace(job.book, contracts=contracts))

    with pytest.raises(Tampered, match="not the one that the address book knows") as caught:
        run_quote(with_executor(), {}, ground.world, {})
    assert caught.value.code == "ATM005"
    with pytest.raises(Divergence, match="simulate returned"):
        run_quote(with_executor(code_hash=""), {}, ground.world, {})


def test_a_strategy_that_needs_too_many_registers_itself_is_refused(ground: Ground) -> None:
    names = [f"w{number}" for number in range(17)]
    steps = "".join(
        f"  - {{id: {name}, use: aave_v3.withdraw, in: {{asset: WETH, amount: 1}}}}\n" for name in names
    )
    total = " + ".join(f"${name}.amount" for name in names)
    last = f'  - {{id: all, use: aave_v3.withdraw, in: {{asset: WETH, amount: "{total}"}}}}\n'
    with pytest.raises(ConfigError) as caught:
        run_quote(ground.job(HEAD + steps + last), {}, ground.world, {})
    assert caught.value.code == "ATM115"


def test_a_loss_beyond_the_executors_own_limit_does_not_pay_and_is_told_in_whole_tokens(
    ground: Ground,
) -> None:
    job = ground.job(HEAD + swap(V3_IN))
    ground.allow(job)
    ground.give("WETH", 5 * WETH)
    limit = Change.loss_limit(ground.devnet.weth, per_run=WETH // 2, per_day=WETH)
    change_executor(ground.world, ground.devnet, [limit])
    with pytest.raises(DoesNotPay, match="WETH would lose 1 in this run and 1 today"):
        run_quote(job, {}, ground.world, {})

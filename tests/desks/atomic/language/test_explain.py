from __future__ import annotations

import dataclasses
import json
import re

import pytest

from tidegate.desks.atomic import TEMPLATES, Explanation, as_text, explain, template_text

from .samples import ARB, LEND, TABLES, changed, parsed

TOKENS = TABLES["devnet"]


def explained(text: str) -> Explanation:
    return explain(parsed(text), TOKENS)


def test_every_step_has_a_sentence_and_the_loan_its_repayment() -> None:
    steps = [(step.number, step.id, step.sentence) for step in explained(ARB).steps]
    assert steps == [
        (
            "1",
            "loan",
            "Borrow $size of WETH by flash loan from the cheapest lender that can serve it, "
            "for a fee of at most 5 bps, and with it:",
        ),
        (
            "1.1",
            "sell",
            "Swap $loan.amount of WETH into USDC on uniswap_v3 in the pool of fee 500, "
            "for at least the quote less 30 bps.",
        ),
        (
            "1.2",
            "buy",
            "Swap $sell.amount_out of USDC into WETH on uniswap_v3 in the pool of fee 3000, "
            "for at least the quote less 30 bps.",
        ),
        ("1.3", "loan", "Repay $loan.repay of WETH: the loan and its fee."),
    ]


def test_tokens_flow_in_and_out() -> None:
    flow = [(item.token, item.direction, item.amount, item.step) for item in explained(ARB).flow]
    assert flow == [
        ("WETH", "in", "$size", "loan"),
        ("WETH", "out", "$loan.amount", "sell"),
        ("USDC", "in", "$sell.amount_out", "sell"),
        ("USDC", "out", "$sell.amount_out", "buy"),
        ("WETH", "in", "$buy.amount_out", "buy"),
        ("WETH", "out", "$loan.repay", "loan"),
    ]


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        ("min: 0.01 WETH", "WETH: the executor ends with at least 0.01 WETH more than it began with."),
        ("min: -1.5 WETH", "WETH: at most 1.5 WETH may be spent."),
        ("payout: false", "WETH: the executor ends with no less than it began with."),
        (
            "min: 1 WETH, payout: true",
            "WETH: the executor ends with at least 1 WETH more than it began with; "
            "what is gained goes to the treasury.",
        ),
        (
            "min: 1 WETH, net_of_gas: true",
            "WETH: the executor ends with at least 1 WETH more than it began with, "
            "and the highest possible cost of gas on top of that.",
        ),
    ],
)
def test_bounds_are_sentences_and_what_else_moves_is_named(bound: str, sentence: str) -> None:
    whole = "min: 0.01 WETH, net_of_gas: true, payout: true"
    assert explained(changed(ARB, (whole, bound))).bounds == (
        sentence,
        "USDC: the executor ends with no less than it began with.",
    )


@pytest.mark.parametrize(
    ("placed", "consequence"),
    [
        (
            "place: [pre, in], on_failure: revert",
            "nothing is sent (before sending); the run reverts (inside the transaction)",
        ),
        ("place: [pre, post], on_failure: warn", "an alert (before sending); an alert (after inclusion)"),
    ],
)
def test_guards_say_where_they_stand_and_what_they_do(placed: str, consequence: str) -> None:
    (guard,) = explained(changed(ARB, ("place: [pre, in], on_failure: revert", placed))).guards
    assert (guard.guard, guard.parameters, guard.covers, guard.on_failure) == (
        "oracle_sanity",
        "pair WETH/USDC, max_deviation 100 bps",
        "the whole strategy",
        consequence,
    )


def test_the_chooser_of_lenders_states_its_rule() -> None:
    who, order = explained(ARB).lenders
    assert who.startswith(
        "loan: of every lender of the address book, those that the executor's policy allows"
    )
    assert "hold the loan and 10 % more" in who
    assert "A pool that the loan's own steps swap in does not lend to it." in who
    assert order.startswith("First the one that costs least: its fee, its gas at the highest price allowed")
    assert "then less gas; then the name" in order
    assert "the next is tried, 3 times at most and not past the deadline" in order
    guard = "guards:\n  - {flash_liquidity: {headroom: 25 %}}\n"
    named = changed(ARB, ("provider: auto", "provider: [aave_v3, morpho_blue]"), ("guards:\n", guard))
    who, _ = explained(named).lenders
    assert who.startswith("loan: of aave_v3 or morpho_blue, ")
    assert "hold the loan and 2500 bps more" in who
    assert explained(LEND).lenders == ()


def test_guards_that_stand_by_themselves_are_said_with_their_places() -> None:
    found = {item.guard: item for item in explained(ARB).automatic_guards}
    assert list(found) == ["deadline", "max_base_fee", "max_gas", "code_hash", "slippage"]
    assert found["code_hash"].placements == ("before sending",)
    assert found["deadline"].on_failure == "nothing is sent (before sending); an alert (after inclusion)"
    on_a_rollup = explain(dataclasses.replace(parsed(ARB), chain="base"), TOKENS)
    uptime = next(item for item in on_a_rollup.automatic_guards if item.guard == "sequencer_up")
    assert uptime.placements == ("before sending", "inside the transaction")


def test_what_reverts_names_limits_guards_deadline_and_fee() -> None:
    reverts = explained(ARB).reverts
    assert "sell executes worse than its quote by more than 30 bps." in reverts
    assert "loan can not be repaid, or its fee is above 5 bps." in reverts
    guard = "oracle_sanity (pair WETH/USDC, max_deviation 100 bps)"
    assert f"The guard {guard} does not hold at execution." in reverts
    assert "The block is later than 36 s after planning." in reverts
    assert "The base fee is above 40 gwei." in reverts


def test_a_guard_off_chain_reverts_nothing() -> None:
    reverts = explained(changed(ARB, ("place: [pre, in]", "place: [pre]"))).reverts
    assert not any("oracle_sanity" in sentence for sentence in reverts)


def test_only_an_optional_group_skips() -> None:
    dust = "{id: dust, use: erc20.transfer, in: {token: WETH, to: treasury, amount: 1}}"
    steps = f"steps:\n  - group: {{id: extra, optional: true, steps: [{dust}]}}\n"
    text = ARB[: ARB.index("steps:")] + steps
    (skip,) = explained(text).skips
    assert skip == "The optional group extra, if a guard in it that may skip does not pass."
    assert explained(changed(text, ("optional: true", "optional: false"))).skips == ()


def test_lending_transfers_and_wrapping_have_their_own_sentences() -> None:
    more = """  - id: back
    use: aave_v3.repay
    in: {asset: USDC, amount: 50% of $borrow.amount}
  - id: out
    use: aave_v3.withdraw
    in: {asset: WETH, amount: 115792089237316195423570985008687907853269984665640564039457584007913129639935}
  - id: unwrap
    use: weth.withdraw
    in: {amount: 1 WETH}
  - id: pay
    use: erc20.transfer
    in: {token: USDC, to: treasury, amount: balance(USDC)}
"""
    explanation = explained(changed(LEND, ("[WETH, USDC]", "[WETH, USDC, ETH]")) + more)
    sentences = [step.sentence for step in explanation.steps]
    assert sentences == [
        "Supply 2 WETH to aave_v3 as collateral.",
        "Borrow 1000 USDC from aave_v3 at the variable rate.",
        "Repay 50% of $borrow.amount of USDC of the debt on aave_v3, or all of it if that is less.",
        "Withdraw all WETH from aave_v3.",
        "Turn 1 WETH into ETH, one to one.",
        "Transfer balance(USDC) of USDC to the treasury.",
    ]
    flow = [(item.token, item.direction, item.step) for item in explanation.flow]
    assert ("WETH", "out", "supply") in flow
    assert ("USDC", "in", "borrow") in flow
    assert ("ETH", "in", "unwrap") in flow
    assert ("WETH", "out", "unwrap") in flow
    assert ("USDC", "out", "pay") in flow


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        ("every_block: {}, cooldown: 1 block", "Looks at every block; rests 1 block after a run."),
        (
            "every_block: {interval: 5}, cooldown: 3 blocks",
            "Looks every 5 blocks; rests 3 blocks after a run.",
        ),
        ("manual: {}, cooldown: 1 min", "Only when a person says so; rests 60 s after a run."),
        (
            "any: [{price: {pair: WETH/USDC, source: chainlink, above: 3000 USDC}}, "
            "{schedule: {cron: 0 0 * * *}}]",
            "When WETH/USDC by chainlink is above 3000 USDC (hysteresis 10 bps) "
            "or at the times 0 0 * * * (UTC); "
            "rests 1 block after a run.",
        ),
        (
            "health_factor: {protocol: aave_v3, user: executor, below: 1.2}",
            "When the health factor of executor on aave_v3 is below 1.2; rests 1 block after a run.",
        ),
    ],
)
def test_when_is_a_sentence(trigger: str, sentence: str) -> None:
    assert explained(changed(ARB, ("every_block: {}, cooldown: 2 blocks", trigger))).when == sentence


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_page_of_each_template_holds_every_part(template: str) -> None:
    explanation = explained(template_text(template))
    page = " ".join(as_text(explanation).split())
    for step in explanation.steps:
        assert step.sentence in page
    for sentence in (*explanation.bounds, *explanation.reverts, *explanation.limits, explanation.digest):
        assert sentence in page
    assert max(len(line) for line in as_text(explanation).splitlines()) <= 100


def test_the_record_is_plain_json() -> None:
    record = explained(ARB).as_record()
    assert json.loads(json.dumps(record))["steps"][1]["id"] == "sell"


def test_a_swap_without_its_own_slippage_has_that_of_the_tightest_guard() -> None:
    guards = "guards:\n  - {slippage: {max: 50 bps}}\n  - {slippage: {max: 20 bps}}\n"
    explanation = explained(changed(ARB, ("          slippage: 30 bps\n", ""), ("guards:\n", guards)))
    assert "sell executes worse than its quote by more than 20 bps." in explanation.reverts
    assert "buy executes worse than its quote by more than 30 bps." in explanation.reverts


def test_the_gas_limit_is_explained_as_it_is_made() -> None:
    assert explained(ARB).limits[0] == (
        "Gas: at most 900,000; a run's limit is 15 % above the smallest under which it succeeds "
        "(refunds come after)."
    )


def test_a_searched_blind_says_that_it_can_be_given() -> None:
    (blind,) = explained(changed(ARB, ("max: 50 WETH", "max: 50 WETH, search: true"))).blinds
    assert blind == (
        "$size: amount, 0.1 WETH to 50 WETH, found by search at each decision so that the net "
        "gain is largest, unless given."
    )


def test_the_worst_case_is_in_tokens_gas_and_runs() -> None:
    kept, gas, day = explained(ARB).worst
    assert kept == "Of WETH and USDC a run that lands takes nothing from the executor."
    # 900,000 gas at 40 + 1.5 gwei
    assert "up to 0.03735 ETH of gas: 900,000 at 41.5 gwei" in gas
    assert "A run that reverts costs nothing else." in gas
    assert day.startswith("After 100 USD lost in a day nothing more is sent")
    spends = explained(changed(ARB, ("min: 0.01 WETH, net_of_gas: true", "min: -0.5 WETH"))).worst
    assert spends[0] == "A run that lands takes 0.5 WETH from the executor, the 60 of an hour 30 WETH."
    assert spends[1] == "Of USDC a run that lands takes nothing from the executor."


def test_the_worst_case_of_a_position_says_what_the_chain_holds() -> None:
    position = "What is supplied and owed on aave_v3 is no balance: "
    assert any(
        line.startswith(position + "the chain itself holds its health factor at 1.3 or more")
        for line in explained(LEND).worst
    )
    unheld = explained(changed(LEND, ("place: [pre, in]", "place: [pre]"))).worst
    assert any(position + "nothing on chain holds its health factor" in line for line in unheld)


def test_the_program_is_told_by_its_parts_until_a_plan_says_which_it_is() -> None:
    made_of, later = explained(ARB).program
    assert re.match(r"\d+ operations in [\d,]+ bytes of 4,096, \d+ registers of 16, 2 balance lines", made_of)
    assert "--planned" in later


def test_explain_says_of_each_route_who_sees_the_bytes_and_what_holds_all_the_same() -> None:
    private = " ".join(explained(ARB).exposure)
    assert "private: the operator of each private endpoint sees the bytes" in private
    assert "bundle:" not in private
    assert "denied (public_relay_forbidden)" in private
    assert "Nobody can change a byte" in private
    assert "private: the sequencer sees" in " ".join(
        explained(changed(ARB, ("chain: devnet", "chain: arbitrum"))).exposure
    )
    relay = "relay: {order: [bundle, public], blocks: 7, builders: [one, two], allow_public: true}"
    bundled = " ".join(explained(changed(ARB, ("deadline: 36 s", f"deadline: 36 s\n{relay}"))).exposure)
    assert bundled.startswith("Sent by: bundle, then public;")
    assert "bundle: one and two and the builders behind see the bytes" in bundled
    assert "each of the next 7 blocks" in bundled
    assert "public: everybody sees the bytes" in bundled
    assert "public_relay_forbidden" not in bundled

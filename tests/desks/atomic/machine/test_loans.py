"""Who serves a loan: allowed, able, cheap, not locked, and the next one if it does not work."""

from __future__ import annotations

import dataclasses

import pytest
from tests.desks.atomic.machine.conftest import FIRST, Ground
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.app.devnet import address_book, change_executor
from tidegate.chain import encode_call
from tidegate.desks.atomic import Assignment, joint_policy, quote, strategy_policy
from tidegate.desks.atomic.machine.loans import candidates, known_amounts, possible_lenders
from tidegate.desks.atomic.machine.valuation import read_prices
from tidegate.model import Address, ConfigError, Denied, Reason, format_units
from tidegate.venues.aave_v3 import set_flash_loans
from tidegate.venues.erc3156 import list_token
from tidegate.venues.executor import Change, ChangeKind, FlashKind
from tidegate.venues.flash import AaveV3Lender, LenderQuote

WETH, USDC = 10**18, 10**6
LOAN = "  - {flash: {id: loan, asset: %s, amount: %s, %ssteps: [%s]}}\n"
PUT = (
    "{id: put, use: weth.withdraw, in: {amount: 1}}, {id: back, use: weth.deposit, in: {amount: $put.amount}}"
)


FREE = ("morpho_blue.morpho", "balancer_v2.vault")
"""Who lends for nothing."""


@pytest.fixture
def ground(ground: Ground) -> Ground:
    """The executor may do what the first shipped strategies need, and nothing else."""
    ground.allow_no_more_than(*FIRST)
    return ground


def loan(
    ground: Ground, *, asset: str = "WETH", amount: str = "1 WETH", more: str = "", steps: str = PUT
) -> Assignment:
    return ground.job(HEAD + LOAN % (asset, amount, more, steps))


def names(job: Assignment) -> list[str]:
    (step,) = (step for step in job.strategy.steps)
    return [lender.name for lender in possible_lenders(step, job)]  # type: ignore[arg-type]


def found(ground: Ground, job: Assignment, amounts: dict[str, int] | None = None) -> list[LenderQuote]:
    prices = read_prices({"WETH", "USDC", "DAI"}, ground.book, ground.world)
    amounts = known_amounts(job) if amounts is None else amounts
    return candidates(job, amounts, ground.world, prices, 10**9)["loan"]


def test_every_lender_of_the_asset_is_possible_unless_the_author_names_some(ground: Ground) -> None:
    every = names(loan(ground))
    assert {"aave_v3.pool", "erc3156.lender", "morpho_blue.morpho", "balancer_v2.vault"} <= set(every)
    assert not any("DAI/USDC" in name for name in every), "a pool lends only its own two tokens"
    assert names(loan(ground, more="provider: aave_v3, ")) == ["aave_v3.pool"]
    assert names(loan(ground, more="provider: [aave_v3.pool, erc3156], ")) == [
        "aave_v3.pool",
        "erc3156.lender",
    ]


@pytest.mark.parametrize("fee", ["500", "$tier"])
def test_a_pool_that_is_swapped_inside_is_locked(ground: Ground, fee: str) -> None:
    inputs = f"{{token_in: WETH, token_out: USDC, fee: {fee}, amount: 1}}"
    swap = f"{{id: s, use: uniswap_v3.exact_input_single, in: {inputs}}}"
    blind = "blinds: {tier: {type: uint256, min: 1, max: 10000, default: 500}}\n"
    head = HEAD.replace("trigger:", f"{blind}trigger:")
    job = ground.job(head + LOAN % ("WETH", "1 WETH", "", swap))
    open_pools = [name for name in names(job) if "USDC" in name]
    assert sorted(name.rpartition(".")[2] for name in open_pools) == ["10000", "3000"]


def test_only_allowed_lenders_with_liquidity_and_an_acceptable_fee(ground: Ground) -> None:
    job = loan(ground)
    with pytest.raises(Denied, match=r"no lender serves loan: 1000000 WETH \(ATM114\)") as caught:
        found(ground, loan(ground, amount="1000000 WETH"))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    why = {name: text for name, text in reasons(caught.value).items() if name not in FREE}
    lends = AaveV3Lender("", ground.devnet.aave_v3.pool).liquidity(ground.devnet.weth, ground.world)
    assert why.pop("aave_v3.pool") == (
        f"can lend {format_units(lends, 18)}, 1100000 needed (the loan and headroom)"
    )
    assert set(why.values()) == {"the executor's policy does not allow it"}
    assert [quote.name for quote in found(ground, job)] == [FREE[0], "aave_v3.pool", FREE[1]], (
        "the shipped strategies allow these; Balancer costs a penalty"
    )
    pool = ground.devnet.pool("WETH", "USDC", 10_000)
    change_executor(ground.world, ground.devnet, [Change.lender(pool.address, FlashKind.UNISWAP_V3)])
    assert len(found(ground, job)) == 4
    assert len(found(ground, loan(ground, more="max_fee: 9 bps, "))) == 3
    assert [quote.name for quote in found(ground, loan(ground, more="max_fee: 1 bps, "))] == [*FREE]
    with pytest.raises(Denied) as caught:
        found(ground, loan(ground, more="max_fee: 1 bps, provider: [aave_v3, uniswap_v3], "))
    why = reasons(caught.value)
    assert why["aave_v3.pool"] == "its fee 0.0005 is above max_fee, 0.0001 WETH (1 bps)"
    assert why[ground.book.name_of(pool.address)] == "its fee 0.01 is above max_fee, 0.0001 WETH (1 bps)"


def test_a_loan_that_only_the_policy_forbids_lacks_policy_and_not_liquidity(ground: Ground) -> None:
    with pytest.raises(Denied, match="allows no lender that can serve loan") as caught:
        found(ground, loan(ground, more="provider: uniswap_v3, "))
    assert caught.value.reason is Reason.POLICY_MISSING
    assert "not allowed: uniswap_v3." in str(caught.value.found)
    assert "tidegate devnet allow" in str(caught.value.fix)


def test_a_loan_for_a_stranger_lacks_the_role_and_not_liquidity(ground: Ground) -> None:
    trader = ground.devnet.accounts["trader"]
    stranger = dataclasses.replace(loan(ground, more="provider: uniswap_v3, "), operator=trader)
    with pytest.raises(Denied, match=f"{trader} is no operator of") as caught:
        found(ground, stranger)
    assert caught.value.reason is Reason.ROLE_MISSING
    assert f"--account {trader}" in str(caught.value.fix)


def test_locked_and_silent_lenders_are_named_with_their_reason(ground: Ground) -> None:
    inputs = "{token_in: WETH, token_out: USDC, fee: 500, amount: 1}"
    swap = f"{{id: s, use: uniswap_v3.exact_input_single, in: {inputs}}}"
    locked = ground.book.name_of(ground.devnet.pool("WETH", "USDC", 500).address)
    ground = with_code(ground, ground.devnet.aave_v3.pool, bytes.fromhex("5f5ffd"))
    job = loan(ground, more=f"provider: [{locked}, aave_v3], ", steps=swap)
    with pytest.raises(Denied) as caught:
        found(ground, job)
    why = reasons(caught.value)
    assert why[locked] == "locked: the loan's own steps swap in it"
    assert why["aave_v3.pool"].startswith("does not answer: ")


def test_a_lender_whose_code_changed_does_not_serve(ground: Ground) -> None:
    """As the book says it: the same proxy, another code; with the book of that code it would."""
    pool, code = ground.devnet.morpho_blue.morpho, ground.world.code(ground.devnet.morpho_blue.morpho)
    ground.world.set_code(pool, code + b"\x00")
    with pytest.raises(Denied) as caught:
        found(ground, loan(ground, more="provider: morpho_blue, "))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert (
        reasons(caught.value)["morpho_blue.morpho"] == "its code is not the one that the address book knows"
    )
    assert "morpho_blue.morpho" not in [quote.name for quote in found(ground, loan(ground))]
    ground.world.set_code(pool, code)
    assert found(ground, loan(ground))[0].name == "morpho_blue.morpho"


def with_code(ground: Ground, account: Address, code: bytes) -> Ground:
    """Put code at an account, in the world and in the book: whoever wrote the book knew it."""
    ground.world.set_code(account, code)
    return dataclasses.replace(ground, book=address_book(ground.devnet, ground.world))


def reasons(denied: Denied) -> dict[str, str]:
    """Why each lender does not serve, by its name."""
    assert denied.found is not None
    return dict(part.split(": ", 1) for part in denied.found.split("; "))  # type: ignore[misc]


def test_amounts_are_known_from_literals_and_blinds_alone(ground: Ground) -> None:
    assert known_amounts(loan(ground)) == {"loan": WETH}
    assert known_amounts(loan(ground, amount="balance(WETH)")) == {}
    late = "  - {id: put, use: aave_v3.withdraw, in: {asset: WETH, amount: 1}}\n"
    job = ground.job(
        HEAD + late + LOAN % ("WETH", "$put.amount", "", PUT.replace("put", "x").replace("back", "y"))
    )
    assert known_amounts(job) == {}
    broken = dataclasses.replace(loan(ground, amount="1 WETH"), blinds={})
    assert known_amounts(broken) == {"loan": WETH}


def test_a_blind_without_a_value_is_no_unknown_amount(ground: Ground) -> None:
    searched = ground.shipped("flash-arb")
    with pytest.raises(ConfigError) as caught:
        known_amounts(dataclasses.replace(searched, blinds={}))
    assert caught.value.code == "ATM113"


CHEAT = bytes.fromhex(
    "5f3560e01c"  # the selector
    "80635cffe9de14602457"  # flashLoan: revert
    "8063d9d98ce414602857"  # flashFee: 0
    "600160c81b5f5260205ff3"  # anything else, maxFlashLoan too: 2²⁰⁰
    "5b5f5ffd"
    "5b60205ff3"
)
"""A lender that promises all and lends nothing."""


def test_the_next_lender_serves_when_the_cheapest_does_not(ground: Ground) -> None:
    ground = with_code(ground, ground.devnet.erc3156_lender, CHEAT)
    job = loan(ground, more="provider: [erc3156, aave_v3], ", amount="1000 WETH")
    ground.allow(job)
    ground.give("WETH", 3 * WETH)
    assert [quote.name for quote in found(ground, job)] == ["erc3156.lender", "aave_v3.pool"]
    assert quote(job, ground.world).quoted.loans["loan"].lender_name == "aave_v3.pool"
    admin = ground.devnet.accounts["admin"]
    set_flash_loans(
        ground.world, ground.devnet.aave_v3.configurator, ground.devnet.weth, enabled=False, admin=admin
    )
    with pytest.raises(Denied, match="no lender serves loan: 1000 WETH") as caught:
        quote(job, ground.world)
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert reasons(caught.value)["erc3156.lender"].startswith("does not lend: ")


def test_a_loan_known_only_once_quoted_is_chosen_for_again(ground: Ground) -> None:
    """For one base unit Aave is cheapest, by its gas; for what the quote shows its fee is too much."""
    world, devnet = ground.world, ground.devnet
    list_token(world, devnet.erc3156_lender, devnet.weth, fee_bps=0, owner=devnet.accounts["admin"])
    ground.give("WETH", 100 * WETH)
    enough = encode_call("transfer(address,uint256)", devnet.erc3156_lender, 200 * WETH)
    world.transact(devnet.weth, enough, sender=devnet.accounts["trader"])
    job = loan(ground, amount="balance(WETH)", more="provider: [erc3156, aave_v3], ")
    ground.allow(job)
    assert [item.name for item in found(ground, job, {})] == ["aave_v3.pool", "erc3156.lender"]
    prospect = quote(job, world)
    assert prospect.quoted.values["loan", "amount"] == 100 * WETH
    assert prospect.quoted.loans["loan"].lender_name == "erc3156.lender"


def test_the_policy_names_every_lender_that_may_serve_and_nothing_else(ground: Ground) -> None:
    changes = strategy_policy(ground.shipped("flash-arb"), ground.world)
    lenders = [change for change in changes if change.kind is ChangeKind.LENDER]
    aave = ground.book.entry("aave_v3.pool").address
    free = {ground.book.entry(name).address for name in FREE}
    assert {change.account for change in lenders} == {aave, *free}, "pools take more than 9 bps"
    dear = strategy_policy(loan(ground, more="max_fee: 30 bps, "), ground.world)
    assert len([change for change in dear if change.kind is ChangeKind.LENDER]) == 6
    every = strategy_policy(loan(ground), ground.world)
    assert len([change for change in every if change.kind is ChangeKind.LENDER]) == 7
    assert not [change for change in changes if change.kind is ChangeKind.ROLE]


def test_a_cap_is_the_blinds_maximum(ground: Ground) -> None:
    changes = strategy_policy(ground.shipped("leverage-open"), ground.world)
    (cap,) = (change for change in changes if change.kind is ChangeKind.CAP)
    assert (int.from_bytes(cap.key), cap.word) == (64, 3_600 * USDC)
    twice = "".join(
        f"  - {{id: owe{amount}, use: aave_v3.borrow, in: {{asset: USDC, amount: {amount}}}}}\n"
        for amount in (7, 9, 8)
    )
    changes = strategy_policy(ground.job(HEAD + twice), ground.world)
    assert [change.word for change in changes if change.kind is ChangeKind.CAP] == [9]
    dynamic = "  - {id: owe, use: aave_v3.borrow, in: {asset: USDC, amount: balance(USDC)}}\n"
    with pytest.raises(ConfigError, match="cap 64"):
        strategy_policy(ground.job(HEAD + dynamic), ground.world)


def test_a_cap_stands_for_one_token(ground: Ground) -> None:
    usdc = ground.shipped("leverage-open")
    weth = ground.job(HEAD + "  - {id: owe, use: aave_v3.borrow, in: {asset: WETH, amount: 0.5 WETH}}\n")
    assert joint_policy([usdc, usdc], ground.world) == strategy_policy(usdc, ground.world)
    with pytest.raises(ConfigError, match="two tokens under cap 64") as caught:
        joint_policy([usdc, weth], ground.world)
    assert caught.value.found == "USDC and WETH"


def test_a_loan_that_nobody_of_the_book_gives_has_no_policy(ground: Ground) -> None:
    job = loan(ground, more="provider: balancer_v2.safe, ")
    with pytest.raises(Denied) as caught:
        strategy_policy(job, ground.world)
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert caught.value.found == "no lender of WETH among balancer_v2.safe"


def test_a_policy_without_a_lender_says_why_each_is_none(ground: Ground) -> None:
    with pytest.raises(Denied) as caught:
        strategy_policy(loan(ground, more="provider: [aave_v3, erc3156], max_fee: 1 bps, "), ground.world)
    assert reasons(caught.value) == {
        "aave_v3.pool": "for 1 WETH its fee 0.0005 is above max_fee, 0.0001 WETH (1 bps)",
        "erc3156.lender": "has no WETH to lend",
    }

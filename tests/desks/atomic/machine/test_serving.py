"""Lenders of loans inside each other, and what happens when one is paused, dearer, drained or changed."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping

import pytest
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_desk import desk_of, land
from tests.desks.atomic.machine.test_quoting import HEAD

from tidegate.app.devnet import DevnetSpec, change_executor
from tidegate.desks.atomic import Assignment, draft_plan, finish_plan
from tidegate.desks.atomic.machine.loans import candidates, known_amounts
from tidegate.desks.atomic.machine.quoting import DoesNotPay
from tidegate.desks.atomic.machine.serving import REPLANS_MAX, attempts, first_that_works
from tidegate.desks.atomic.machine.terms import Loan
from tidegate.desks.atomic.machine.valuation import read_prices
from tidegate.model import Denied, Plan, Reason
from tidegate.pipeline import Rehearsal
from tidegate.venues.balancer_v2 import set_flash_fee, set_paused
from tidegate.venues.calls import send
from tidegate.venues.erc3156 import list_token
from tidegate.venues.executor import Change, FlashKind
from tidegate.venues.flash import LenderQuote, lenders_of
from tidegate.venues.morpho_blue import withdraw
from tidegate.venues.tokens import transfer

WETH, USDC = 10**18, 10**6
SYMBOLS = {"WETH", "USDC", "DAI"}


def flash(name: str, asset: str, amount: str, inner: str, provider: str = "auto") -> str:
    parts = f"id: {name}, asset: {asset}, amount: {amount}, provider: {provider}, steps: [{inner}]"
    return f"{{flash: {{{parts}}}}}"


def put(name: str) -> str:
    """Steps that change nothing."""
    out, back = f"{name}_out", f"{name}_back"
    return (
        f"{{id: {out}, use: weth.withdraw, in: {{amount: 1}}}}, "
        f"{{id: {back}, use: weth.deposit, in: {{amount: ${out}.amount}}}}"
    )


def job_of(ground: Ground, steps: str, *, guards: str = "") -> Assignment:
    job = ground.job(HEAD.replace("steps:", f"{guards}steps:") + f"  - {steps}\n")
    ground.allow(job)
    return job


def planned(ground: Ground, job: Assignment) -> Plan:
    draft = draft_plan(ground.intent(job), job, ground.world)
    return finish_plan(draft, ground.measure(draft.plan))


def chosen(ground: Ground, job: Assignment) -> dict[str, str]:
    return dict(planned(ground, job).notes["loans"])


def found_for(ground: Ground, job: Assignment) -> dict[str, list[LenderQuote]]:
    prices = read_prices(SYMBOLS, ground.book, ground.world)
    return candidates(job, known_amounts(job), ground.world, prices, 10**9)


# Loans inside each other


def test_a_loan_inside_a_loan_takes_the_same_lender_twice_where_it_may(ground: Ground) -> None:
    inner = flash("inner", "WETH", "2 WETH", put("a"))
    job = job_of(ground, flash("outer", "WETH", "1 WETH", inner))
    plan = planned(ground, job)
    assert plan.notes["loans"] == dict.fromkeys(("outer", "inner"), "morpho_blue.morpho")
    land(ground, plan)
    assert ground.holds("WETH") == 0


def test_what_is_locked_while_it_lends_does_not_lend_to_what_is_inside(ground: Ground) -> None:
    inner = flash("inner", "WETH", "2 WETH", put("a"), "[balancer_v2, aave_v3]")
    job = job_of(ground, flash("outer", "WETH", "700 WETH", inner, "[balancer_v2, aave_v3]"))
    assert chosen_alone(ground, job, "inner") == ["aave_v3.pool", "balancer_v2.vault"]
    ground.give("WETH", 2 * WETH)
    assert chosen(ground, job) == {"outer": "balancer_v2.vault", "inner": "aave_v3.pool"}


def chosen_alone(ground: Ground, job: Assignment, step: str) -> list[str]:
    return [quote.name for quote in found_for(ground, job)[step]]


def test_the_choice_is_the_cheapest_for_all_loans_together(ground: Ground) -> None:
    """The inner loan has one lender only, so the outer one leaves it to it, though it would be cheaper."""
    inner = flash("inner", "WETH", "2 WETH", put("a"), "balancer_v2")
    job = job_of(ground, flash("outer", "WETH", "700 WETH", inner, "[balancer_v2, aave_v3]"))
    assert chosen_alone(ground, job, "outer")[0] == "balancer_v2.vault"
    ground.give("WETH", 2 * WETH)
    assert chosen(ground, job) == {"outer": "aave_v3.pool", "inner": "balancer_v2.vault"}


def test_no_choice_that_serves_both_is_a_refusal_that_says_so(ground: Ground) -> None:
    inner = flash("inner", "WETH", "2 WETH", put("a"), "balancer_v2")
    job = job_of(ground, flash("outer", "WETH", "1 WETH", inner, "balancer_v2"))
    with pytest.raises(Denied, match="no choice of lenders serves the loans inside each other") as caught:
        planned(ground, job)
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert caught.value.found == "outer: balancer_v2.vault; inner: balancer_v2.vault"


@pytest.mark.parametrize(("outer_weth", "inner"), [(700, "morpho_blue.morpho"), (800, "aave_v3.pool")])
def test_loans_inside_each_other_share_what_their_lender_has(
    ground: Ground, outer_weth: int, inner: str
) -> None:
    """Morpho holds 1,333 WETH: 700 leave enough for 500 and a tenth, 800 do not."""
    inside = flash("inner", "WETH", "500 WETH", put("a"), "[morpho_blue, aave_v3]")
    job = job_of(ground, flash("outer", "WETH", f"{outer_weth} WETH", inside, "morpho_blue"))
    ground.give("WETH", WETH)
    assert chosen(ground, job)["inner"] == inner


def test_loans_after_each_other_do_not_share(ground: Ground) -> None:
    """Not even Balancer's lock: what is repaid is free again."""
    first = flash("first", "WETH", "700 WETH", put("a"), "balancer_v2")
    second = flash("second", "WETH", "700 WETH", put("b"), "balancer_v2")
    job = ground.job(HEAD + f"  - {first}\n  - {second}\n")
    ground.allow(job)
    assert set(chosen(ground, job).values()) == {"balancer_v2.vault"}


def test_all_five_kinds_four_deep_are_planned_and_land(ground: Ground) -> None:
    pool = ground.book.name_of(ground.devnet.pool("WETH", "USDC", 500).address)
    fourth = flash("d", "WETH", "3 WETH", put("x"), "balancer_v2")
    beside = flash("e", "USDC", "4000 USDC", put("y"), f"[{pool}]")
    third = flash("c", "USDC", "2000 USDC", f"{fourth}, {beside}", "aave_v3")
    second = flash("b", "WETH", "5 WETH", third, "morpho_blue")
    job = job_of(ground, flash("a", "DAI", "1000 DAI", second, "erc3156"))
    ground.give("USDC", 10 * USDC)
    plan = planned(ground, job)
    assert plan.notes["loans"] == {
        "a": "erc3156.lender",
        "b": "morpho_blue.morpho",
        "c": "aave_v3.pool",
        "d": "balancer_v2.vault",
        "e": pool,
    }
    land(ground, plan)
    assert (ground.holds("DAI"), ground.holds("WETH")) == (0, 0)
    assert ground.holds("USDC") == 10 * USDC - USDC - 2 * USDC, "5 bps of 2,000 and of 4,000"


# Which choices are tried


def test_choices_are_tried_by_cost_and_three_after_the_first(ground: Ground) -> None:
    job = job_of(ground, flash("loan", "WETH", "1 WETH", put("a")))
    found, amounts = found_for(ground, job), known_amounts(job)
    tried: list[str] = []

    def run(loans: Mapping[str, Loan]) -> None:
        tried.append(loans["loan"].lender_name)
        raise DoesNotPay(Reason.SIMULATION_REVERTED, f"revert {len(tried)}")

    with pytest.raises(DoesNotPay, match="revert 1"):
        first_that_works(job, found, amounts, ground.world, run)
    assert tried == [quote.name for quote in found["loan"]][: REPLANS_MAX + 1]
    assert len(found["loan"]) > len(tried) == 4


def test_another_refusal_than_a_revert_is_not_tried_again(ground: Ground) -> None:
    job = job_of(ground, flash("loan", "WETH", "1 WETH", put("a")))
    calls = []

    def run(loans: Mapping[str, Loan]) -> None:
        calls.append(loans)
        raise Denied(Reason.ROLE_MISSING, "no operator")

    with pytest.raises(Denied, match="no operator"):
        first_that_works(job, found_for(ground, job), known_amounts(job), ground.world, run)
    assert len(calls) == 1


def test_every_combination_comes_once_by_cost(ground: Ground) -> None:
    inner = flash("inner", "USDC", "10 USDC", put("a"), "[morpho_blue, aave_v3]")
    job = job_of(ground, flash("outer", "WETH", "1 WETH", inner, "[morpho_blue, aave_v3]"))
    found = found_for(ground, job)
    cost = {(step, quote.name): quote.cost_usd_e6 for step, quotes in found.items() for quote in quotes}
    choices = [
        tuple((step, loan.lender_name) for step, loan in loans.items())
        for loans in attempts(job, found, known_amounts(job))
    ]
    assert len(choices) == len(set(choices)) == 4
    costs = [sum(cost[one] for one in choice) for choice in choices]
    assert costs == sorted(costs)


# A lender vanishes after planning

Fault = Callable[[Ground], object]


def pause_balancer(ground: Ground) -> None:
    set_paused(ground.world, ground.devnet.balancer_v2, paused=True)


def pause_reserve(ground: Ground) -> None:
    market, weth = ground.devnet.aave_v3, ground.devnet.weth
    send(ground.world, market.configurator, "setReservePause(address,bool)", weth, True, sender=market.admin)


def drain_morpho(ground: Ground) -> None:
    spec, holder = DevnetSpec(), ground.devnet.accounts["lender"]
    amount = spec.worth("WETH", dict(spec.morpho_idle)["WETH"])
    withdraw(ground.world, ground.devnet.morpho_blue, ground.devnet.weth, amount, holder=holder)


def raise_fee(ground: Ground) -> None:
    set_flash_fee(ground.world, ground.devnet.balancer_v2, 10**16)


def change_code(ground: Ground) -> None:
    ground.world.set_code(ground.devnet.morpho_blue.morpho, bytes.fromhex("5f5ffd"))


FAULTS: dict[str, tuple[str, Fault]] = {
    "paused": ("balancer_v2.vault", pause_balancer),
    "reserve paused": ("aave_v3.pool", pause_reserve),
    "drained": ("morpho_blue.morpho", drain_morpho),
    "fee raised": ("balancer_v2.vault", raise_fee),
    "code changed": ("morpho_blue.morpho", change_code),
}


class Rehearsals:
    """Rehearses in the world, and lets something happen before some of them; counts drafts."""

    def __init__(self, ground: Ground, happen: Fault, *, only_first: bool = True) -> None:
        self._ground, self._happen, self._only_first = ground, happen, only_first
        self.drafts: list[str | None] = []

    async def __call__(self, plan: Plan) -> Rehearsal:
        if plan.program_hash not in self.drafts:
            if not self.drafts or not self._only_first:
                self._happen(self._ground)
            self.drafts.append(plan.program_hash)
        return await self._ground.rehearse(plan)


def two_lenders(ground: Ground, first: str) -> Assignment:
    """A loan for which ``first`` is the cheapest, and another lender stands by; funds for its fee."""
    backup, amount = ("balancer_v2", "10 WETH") if first.startswith("aave") else ("aave_v3", "600 WETH")
    ground.give("WETH", 10 * WETH)
    return job_of(ground, flash("loan", "WETH", amount, put("a"), f"[{first}, {backup}]"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lender_that_vanishes_between_plan_and_sending_is_followed_by_the_next(
    ground: Ground, fault: str
) -> None:
    first, happen = FAULTS[fault]
    job = two_lenders(ground, first)
    assert chosen(ground, job) == {"loan": first}
    rehearse = Rehearsals(ground, happen)
    plan = asyncio.run(desk_of(ground, job, rehearse=rehearse).plan(ground.intent(job)))
    assert plan.notes["loans"]["loan"] != first
    assert len(rehearse.drafts) == 2
    land(ground, plan)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_another_lender_it_is_denied_with_the_lenders_reason(ground: Ground, fault: str) -> None:
    first, happen = FAULTS[fault]
    ground.give("WETH", 10 * WETH)
    parts = "id: loan, asset: WETH, amount: 100 WETH, max_fee: 9 bps"
    job = job_of(ground, f"{{flash: {{{parts}, provider: {first}, steps: [{put('a')}]}}}}")
    with pytest.raises(Denied) as caught:
        asyncio.run(desk_of(ground, job, rehearse=Rehearsals(ground, happen)).plan(ground.intent(job)))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert str(caught.value.found).startswith(f"{first}: ")


def test_after_three_replans_it_is_denied(ground: Ground) -> None:
    """The only lender asks for more each time after the plan was made."""
    fee = iter(range(1, 99))

    def dearer(ground: Ground) -> None:
        set_flash_fee(ground.world, ground.devnet.balancer_v2, next(fee) * 10**14)

    ground.give("WETH", 10 * WETH)
    job = job_of(ground, flash("loan", "WETH", "100 WETH", put("a"), "balancer_v2"))
    rehearse = Rehearsals(ground, dearer, only_first=False)
    with pytest.raises(Denied, match="no lender serves loan: 100 WETH") as caught:
        asyncio.run(desk_of(ground, job, rehearse=rehearse).plan(ground.intent(job)))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert "balancer_v2.vault: does not lend: the loan's fee is" in str(caught.value.found)
    assert len(rehearse.drafts) == REPLANS_MAX + 1 == 4


def test_past_the_deadline_nothing_is_planned_again(ground: Ground) -> None:
    def late(ground: Ground) -> None:
        pause_balancer(ground)
        ground.world.mine(timestamp=ground.world.block().timestamp + 36)

    job = two_lenders(ground, "balancer_v2.vault")
    rehearse = Rehearsals(ground, late)
    with pytest.raises(Denied) as caught:
        asyncio.run(desk_of(ground, job, rehearse=rehearse).plan(ground.intent(job)))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY
    assert len(rehearse.drafts) == 1


def test_a_revert_that_is_no_lenders_fault_is_not_planned_again(ground: Ground) -> None:
    job = two_lenders(ground, "morpho_blue.morpho")
    drafts = []

    async def refuse(plan: Plan) -> Rehearsal:
        drafts.append(plan.program_hash)
        return Rehearsal(ground.world.block().number, False, 0, 0, (), b"")

    with pytest.raises(Denied) as caught:
        asyncio.run(desk_of(ground, job, rehearse=refuse).plan(ground.intent(job)))
    assert caught.value.reason is Reason.SIMULATION_REVERTED
    assert len(set(drafts)) == 1


def test_a_fee_raised_between_plan_and_inclusion_reverts_on_chain(ground: Ground) -> None:
    """The fee of the quote is the most that the program pays, where the author names no maximum."""
    ground.give("WETH", 10 * WETH)
    job = job_of(ground, flash("loan", "WETH", "100 WETH", put("a"), "balancer_v2"))
    plan = planned(ground, job)
    raise_fee(ground)
    revert = ground.revert_of(plan).revert
    assert revert.name == "FeeTooHigh"
    assert dict(revert.arguments) == {"fee": WETH, "max": 0}


# The guard


def test_the_guard_looks_at_the_lender_once_more_before_sending(ground: Ground) -> None:
    guards = "guards: [{flash_liquidity: {headroom: 20 %}}]\n"
    job = job_of(ground, flash("loan", "WETH", "1000 WETH", put("a"), "morpho_blue"), guards=guards)
    desk = desk_of(ground, job)
    plan = asyncio.run(desk.plan(ground.intent(job)))

    def verdict() -> tuple[bool, str]:
        results = asyncio.run(desk_of(ground, job).guards_before(plan))  # a restart loses nothing
        (result,) = (one for one in results if one.guard == "flash_liquidity")
        return result.passed, result.code

    assert verdict() == (True, "ok")
    holder, weth = ground.devnet.accounts["lender"], ground.devnet.weth
    withdraw(ground.world, ground.devnet.morpho_blue, weth, 134 * WETH, holder=holder)
    assert verdict() == (False, "lender_too_small")


def test_the_guards_headroom_is_the_choosers(ground: Ground) -> None:
    """Morpho holds 1,333 WETH: enough for 1,200 and a tenth, too little for 1,200 and a fifth."""
    loan = flash("loan", "WETH", "1200 WETH", put("a"), "[morpho_blue, aave_v3]")
    ground.give("WETH", 2 * WETH)
    assert chosen(ground, job_of(ground, loan)) == {"loan": "morpho_blue.morpho"}
    guards = "guards: [{flash_liquidity: {headroom: 20 %}}]\n"
    assert chosen(ground, job_of(ground, loan, guards=guards)) == {"loan": "aave_v3.pool"}
    none = "guards: [{flash_liquidity: {headroom: 100 %}}]\n"
    with pytest.raises(Denied) as caught:
        chosen(ground, job_of(ground, loan.replace(", aave_v3", ""), guards=none))
    assert caught.value.reason is Reason.FLASH_LIQUIDITY


def test_penalties_of_the_assignment_decide(ground: Ground) -> None:
    job = two_lenders(ground, "morpho_blue.morpho")
    dear = dataclasses.replace(job, lender_penalties_usd_e6={FlashKind.MORPHO_BLUE: 10**6 * 2_000})
    assert chosen(ground, dear) == {"loan": "aave_v3.pool"}


def test_a_lender_by_the_standard_is_taken_when_it_is_the_cheapest(ground: Ground) -> None:
    world, devnet = ground.world, ground.devnet
    list_token(world, devnet.erc3156_lender, devnet.weth, fee_bps=0, owner=devnet.accounts["admin"])
    transfer(world, devnet.weth, devnet.erc3156_lender, 300 * WETH, holder=devnet.accounts["trader"])
    change_executor(world, devnet, [Change.lender(devnet.erc3156_lender, FlashKind.ERC3156)])
    job = job_of(ground, flash("loan", "WETH", "200 WETH", put("a"), "[erc3156, aave_v3]"))
    assert chosen(ground, job) == {"loan": "erc3156.lender"}
    assert {lender.kind for lender in lenders_of(ground.book)} == set(FlashKind)

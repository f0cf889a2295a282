"""Checks that can not fail are left out, and the program does the same without them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.test_compiler import GUARD, LOAN, SELL, check
from tests.desks.atomic.machine.test_quoting import HEAD as QUOTED_HEAD
from tests.desks.atomic.machine.texts import HEAD, book, closed, compiled, strategy

from tidegate.desks.atomic import Assignment, SignableProgram, compile_program, draft_plan
from tidegate.desks.atomic.machine.proofs import Proofs
from tidegate.risk.guards import OnChainCheck, Position
from tidegate.sim import WorldReverted
from tidegate.venues.chainlink import set_answer
from tidegate.venues.executor import Call, Check, Comparison, decode_simulated, encode_simulate, walk

BEFORE = check(Position.BEFORE)


@pytest.mark.parametrize(
    ("comparison", "held", "asked", "is_covered"),
    [
        (Comparison.AT_LEAST, (5, 0), (5, 0), True),
        (Comparison.AT_LEAST, (6, 0), (5, 0), True),
        (Comparison.AT_LEAST, (5, 0), (6, 0), False),
        (Comparison.AT_MOST, (5, 0), (6, 0), True),
        (Comparison.AT_MOST, (6, 0), (5, 0), False),
        (Comparison.EQUAL, (5, 0), (5, 0), True),
        (Comparison.EQUAL, (5, 0), (6, 0), False),
        (Comparison.NEAR, (5, 30), (5, 30), True),
        (Comparison.NEAR, (5, 30), (5, 50), True),
        (Comparison.NEAR, (5, 50), (5, 30), False),
        (Comparison.NEAR, (5, 30), (6, 50), False),
    ],
)
def test_a_check_covers_what_asks_for_no_more(
    comparison: Comparison, held: tuple[int, int], asked: tuple[int, int], is_covered: bool
) -> None:
    def asking(terms: tuple[int, int]) -> OnChainCheck:
        return replace(BEFORE, comparison=comparison, bound=terms[0], bps=terms[1])

    proofs = Proofs()
    assert not proofs.cover(asking(asked))
    proofs.note(asking(held))
    assert proofs.cover(asking(asked)) is is_covered
    other = Comparison.AT_MOST if comparison is not Comparison.AT_MOST else Comparison.AT_LEAST
    assert not proofs.cover(replace(asking(asked), comparison=other))
    assert not proofs.cover(replace(asking(asked), over=BEFORE.read))
    proofs.forget()
    assert not proofs.cover(asking(asked))


def kinds(made: SignableProgram) -> list[str]:
    return [type(op).__name__ for op in walk(made.program.ops)]


GUARDED = SELL.replace("slippage: 30 bps}", f"slippage: 30 bps, guards: [{GUARD % 'revert'}]}}")
BOTH = {("", 0): (BEFORE,), ("sell", 0): (BEFORE,)}


def test_the_same_check_of_strategy_and_step_is_made_once_where_nothing_lies_between() -> None:
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    made = compiled(GUARDED, {"sell": 1}, head=head, checks=BOTH)
    assert kinds(made) == ["Call", "Check", "Load", "Approve", "Call"]
    terms = closed({"sell": 1}, checks=BOTH)
    plain = compile_program(strategy(GUARDED, head), book(), {}, terms, is_plain=True)
    assert kinds(plain) == ["Call", "Check", "Call", "Check", "Load", "Approve", "Call"]


def test_a_check_is_made_again_after_a_step_and_inside_a_loan() -> None:
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    after = {("", 0): (BEFORE, check(Position.AFTER))}
    assert kinds(compiled(SELL, {"sell": 1}, head=head, checks=after)).count("Check") == 2
    lent = compiled(LOAN % ("$size", GUARDED), {"sell": 1}, head=head, checks=BOTH, loans=("loan",))
    assert kinds(lent).count("Check") == 2


def test_what_was_checked_in_an_optional_group_is_not_known_after_it() -> None:
    group = f"{{group: {{id: maybe, optional: true, guards: [{GUARD % 'skip'}], steps: []}}}}"
    group = group.replace(
        "steps: []", "steps: [{id: end, use: aave_v3.withdraw, in: {asset: DAI, amount: 1}}]"
    )
    checks = {("maybe", 0): (BEFORE,), ("sell", 0): (BEFORE,)}
    assert kinds(compiled(f"{group}\n{GUARDED}", {"sell": 1}, checks=checks)).count("Check") == 2


def test_a_skip_that_can_not_happen_is_no_skip() -> None:
    head = HEAD + f"guards: [{GUARD % 'revert'}]\n"
    group = f"{{group: {{id: maybe, optional: true, guards: [{GUARD % 'skip'}], steps: [{SELL}]}}}}"
    made = compiled(group, {"sell": 1}, head=head, checks={("", 0): (BEFORE,), ("maybe", 0): (BEFORE,)})
    checks = [op for op in made.program.ops if isinstance(op, Check)]
    assert [one.skip for one in checks] == [0]


PRICE = "{oracle_sanity: {pair: WETH/USDC, max_deviation: %d bps}, place: [in], on_failure: %s}"


def guarded(ground: Ground, whole: int, outer: int, inner: int, mode: str) -> Assignment:
    """Two swaps, the second in an optional group; price guards on everything."""
    head = QUOTED_HEAD.replace("steps:\n", f"guards: [{PRICE % (whole, 'revert')}]\nsteps:\n")
    pool = "token_in: WETH, token_out: USDC"
    first = (
        f"  - {{id: one, use: uniswap_v3.exact_input_single, in: {{{pool}, fee: 500, amount: 1 WETH}}, "
        f"slippage: 50 bps, guards: [{PRICE % (outer, 'revert')}]}}\n"
    )
    second = (
        f"  - {{group: {{id: maybe, optional: true, guards: [{PRICE % (inner, mode)}], steps: "
        f"[{{id: two, use: uniswap_v2.swap_exact_tokens_for_tokens, in: {{{pool}, amount: 1 WETH}}, "
        f"slippage: 50 bps, guards: [{PRICE % (outer, 'revert')}]}}]}}}}\n"
    )
    return ground.job(head + first + second)


def told(ground: Ground, made: SignableProgram, job: Assignment) -> object:
    """What a program does: its balance changes, or what it reverts with (a tag may be another)."""
    with pytest.raises(WorldReverted) as caught:
        ground.world.call(job.executor, encode_simulate(made.raw), sender=ground.operator)
    simulated = decode_simulated(caught.value.data)
    return caught.value.data[:4] if simulated is None else simulated.deltas


BPS = some.integers(30, 400)
MOVED_BPS = some.integers(-450, 450)
MODES = some.sampled_from(["skip", "revert"])


@settings(
    deadline=None,
    derandomize=True,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    whole=BPS,
    outer=BPS,
    inner=BPS,
    mode=some.sampled_from(["skip", "revert"]),
    moved=some.integers(-450, 450),
)
def test_without_its_proven_checks_a_program_changes_and_refuses_the_same(
    ground: Ground, whole: int, outer: int, inner: int, mode: str, moved: int
) -> None:
    job = guarded(ground, whole, outer, inner, mode)
    with ground.world.snapshot():
        ground.allow(job)
        ground.give("WETH", 5 * 10**18)
        draft = draft_plan(ground.intent(job), job, ground.world)
        shorter, plain = (
            compile_program(draft.job.strategy, job.book, job.blinds, draft.terms, is_plain=is_plain)
            for is_plain in (False, True)
        )
        assert len(shorter.raw) <= len(plain.raw)
        assert [op for op in walk(shorter.program.ops) if isinstance(op, Call) and not op.is_read] != []
        price = 3_000 * 10**8
        set_answer(ground.world, ground.devnet.feeds["ETH/USD"], price + price * moved // 10_000)
        assert told(ground, shorter, job) == told(ground, plain, job)

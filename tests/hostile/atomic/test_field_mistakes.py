"""Mistakes seen in the field (specification, section 17), each as the loss happened.

Where a property already holds the whole class, the case here is the shortest telling of it.
"""

from dataclasses import replace

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    KEEP,
    OPERATOR,
    OWNER,
    PULL,
    PUSH,
    STRANGER,
    SWAP,
    Action,
    callback,
)

from tidegate.chain import encode_call, selector
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Change,
    ChangeKind,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    Patch,
    Permission,
    Role,
    Take,
    assemble,
    decode_executed,
    deploy_executor,
    encode_schedule,
    encode_tighten,
    executor_build,
    policy_key,
    required_policy,
)

LOAN = 10_000


def arbitrage(house, earned, **fields):
    """Borrow, swap a for b, swap back for more, keep at least 50."""
    there = house.call(12, SWAP, house.a, house.b, LOAN, LOAN, capture=Capture(2))
    back = house.call(14, SWAP, house.b, house.a, 0, LOAN + earned, patches=(Patch(2, 2),))
    loan = house.loan(
        10,
        FlashKind.MORPHO_BLUE,
        Approve(11, house.a, house.target, 0),
        there,
        Approve(13, house.b, house.target, 2),
        back,
    )
    lines = [Line(house.a, 50, payout=True), Line(house.b, 0)]
    return house.program(Load.literal(0, 0, LOAN), loan, lines=lines, **fields)


def test_the_arbitrage_lands(house):
    (run,) = decode_executed(house.run(arbitrage(house, 50)).logs, house.executor)
    assert run.delta == 50


@attack("F1", "move the state between plan and inclusion")
def test_guards_only_off_chain(house):
    """The state moves between plan and inclusion: the bound is on chain, so the run reverts there."""
    program = arbitrage(house, 60)
    assert house.simulate(program).deltas == (60, 0)
    house.send(house.a, "drain(address,uint256)", house.target, house.balance(house.a, house.target))
    assert house.refusal(program).tag == 14
    assert house.refusal(arbitrage(house, 49)).revert.name in ("DeltaTooLow", "StepFailed")
    house.mint(house.a, 10**6, house.target)
    assert house.refusal(arbitrage(house, 49)).revert.name == "DeltaTooLow"


@attack("F2", "skip the step that a bound needs")
def test_a_skip_can_not_starve_a_bound(house):
    """A CHECK skips the step that earns; what was to follow finds nothing, and the line says so."""
    earn = house.call(2, PUSH, house.a, 100)
    skip = Check(1, Comparison.EQUAL, 0, immediate=1, skip=28 + len(earn.data))
    lines = [Line(house.a, 100)]
    assert house.refusal(house.program(skip, earn, lines=lines)).revert.name == "DeltaTooLow"
    house.run(house.program(Load.literal(0, 0, 1), skip, earn, lines=lines))


@attack("F3", "call transferFrom of a listed token, look for a switch")
def test_an_allow_list_by_address_with_an_off_switch(house):
    """No function takes an enforcement flag, and none but the delay widens the policy."""
    names = {entry["name"] for entry in executor_build().abi if entry["type"] == "function"}
    assert not [name for name in names if "able" in name or "enforce" in name]
    move = Call(0, house.a, encode_call("transferFrom(address,address,uint256)", OWNER, STRANGER, 1))
    assert house.refusal(house.program(move)).rule == 1


@attack("F4", "a fake pool as the lender")
def test_a_lender_taken_from_user_input(house):
    """RouteProcessor2: the fake pool calls back with a loan that never was."""
    program = house.program(house.loan(1, FlashKind.UNISWAP_V3, lender=house.puppet))
    assert house.refusal(program).rule == 6


@attack("F5", "ask a real lender to call us with the attacker's program")
def test_a_callback_that_runs_an_unchecked_payload(house):
    """Dough: the attacker is the one who asks the lender, and names us as the receiver."""
    house.mint(house.a, LOAN)
    theft = house.program(Load.literal(0, 0, LOAN), house.loan(1, FlashKind.AAVE_V3))
    ask = encode_call(
        "flashLoanSimple(address,address,uint256,bytes,uint16)",
        house.executor, house.a, LOAN, assemble(theft), 0,
    )  # fmt: skip
    house.play(Action(house.pool, ask))
    assert house.reasons() == ["atomic: bad callback"]
    assert house.balance(house.a) == LOAN


@attack("F7", "direct the executor's tokens by calling its callbacks")
def test_a_callback_open_to_strangers(house):
    """0xbadc0de: whoever calls the callback directs what we hold."""
    house.mint(house.a, LOAN)
    payload = assemble(house.program(*house.pull(0, house.a, LOAN), lines=[Line(house.a, -LOAN)]))
    for kind in FlashKind:
        data = callback(kind, house, payload, amount=LOAN)
        assert house.refused_call(data, sender=STRANGER) == "atomic: bad callback"
    assert house.balance(house.a) == LOAN


@attack("F8", "have the executor approve a contract of the attacker's")
def test_attackers_that_were_approved(house):
    """jaredfromsubway: a bait has the bot approve a contract of the attacker's."""
    house.mint(house.a, LOAN)
    bait = house.program(Load.literal(0, 0, LOAN), Approve(1, house.a, house.puppet, 0))
    assert house.refusal(bait).rule == 5
    house.allow(Change.spender(house.puppet))
    assert house.refusal(bait).revert.name == "AllowanceLeft"


@attack("F10 F15", "pull from the executor between runs")
def test_a_trusted_spender_holds_nothing_between_runs(house):
    house.mint(house.a, LOAN)
    house.run(house.program(*house.pull(0, house.a, 10), lines=[Line(house.a, -10)]))
    assert house.allowance(house.a, house.target) == 0
    pull = encode_call("transferFrom(address,address,uint256)", house.executor, STRANGER, 1)
    house.play(Action(house.a, pull))
    assert house.outcomes() == [False]


@attack("F11", "step through an address whose code is gone")
def test_calls_to_empty_addresses(house):
    house.allow(Change.policy(house.accomplice, selector(KEEP), Permission(call=True)))
    house.world.set_code(house.accomplice, b"")
    step = Call(0, house.accomplice, encode_call(KEEP, 0, 0))
    assert house.refusal(house.program(step)).rule == 4


@attack("F14", "donate to the lender during the loan", stops="repaid and no more, donated or not")
def test_repayment_by_exact_equality(house):
    """A donation to the lender during the loan must not stop it; nor may too much go back."""
    house.terms(house.balancer, fee_bps=5)
    gift = encode_call("mint(address,uint256)", house.balancer, 1)
    house.teach(Action(house.a, gift, swallow=False))
    house.mint(house.a, 100)
    loan = house.loan(1, FlashKind.BALANCER_V2, house.poke(2), max_fee=5)
    before = house.balance(house.a, house.balancer)
    house.run(house.program(Load.literal(0, 0, LOAN), loan, lines=[Line(house.a, -5)]))
    assert house.balance(house.a, house.balancer) == before + 1 + 5


@attack("F16", "fail in the third of four steps, three scopes deep")
def test_an_error_that_names_the_wrong_step(house):
    """The index that was always 0: the third of four steps fails, three scopes deep."""
    op = house.call(63, PULL, house.a, 1)
    steps = (house.call(61, ANSWER, 0, 0), house.call(62, ANSWER, 32, 0), op, house.call(64, ANSWER, 0, 0))
    loan = house.loan(50, FlashKind.AAVE_V3, *steps)
    loan = house.loan(51, FlashKind.BALANCER_V2, loan)
    loan = house.loan(52, FlashKind.MORPHO_BLUE, loan)
    error = house.refusal(house.program(Load.literal(0, 0, 10), loan))
    assert (error.tag, error.target, error.selector) == (63, house.target, selector(PULL))


@attack(
    "F17",
    "capture, take and patch words beside each other",
    stops="each word arrives where it was meant",
)
def test_an_extended_command_that_reads_the_wrong_word(house):
    """Words captured, taken and patched arrive where they were meant, and nowhere else."""
    source = house.call(0, ANSWER, 256, 1_000, capture=Capture(3, 5))
    taken = Take(1, 4, 2)
    use = house.call(2, KEEP, 7, 8, patches=(Patch(0, 4), Patch(1, 3)))
    house.run(house.program(source, taken, use))
    kept = [house.read(house.target, "kept(uint256)", "uint256", place) for place in (0, 1)]
    assert kept == [1_002, 1_005]


@attack(
    "F19",
    "skip the end of a program, to strand its gain",
    stops="the payout is no op: it can not be skipped",
)
def test_cleanup_that_can_be_skipped(house):
    """Stranded tokens: the payout and the resets stand outside the program; no op reaches them."""
    lines = [Line(house.a, 0, payout=True)]
    check = Check(9, Comparison.EQUAL, 0, immediate=1, skip=32)
    program = house.program(house.call(0, PUSH, house.a, 40), check, Load.literal(10, 0, 0), lines=lines)
    held = house.balance(house.a)
    house.run(program)
    assert house.balance(house.a) == held


@attack("F20", "run what was simulated", stops="deltas of both are equal")
def test_a_dry_run_that_differs_from_the_run(house):
    """The same bytes, the same caller: simulate says what execute then does (P22 fuzzes it)."""
    program = arbitrage(house, 73)
    found = house.simulate(program)
    (run,) = decode_executed(house.run(program).logs, house.executor)
    assert found.deltas[0] == run.delta == 73


@attack("P4", "run with one entry of the minimal policy missing")
def test_the_required_policy_lets_exactly_its_program_run(house):
    """A fresh executor given what ``required_policy`` says: it runs; one entry less, and it does not."""
    program = arbitrage(house, 50)
    rules = Permission()
    policy = required_policy(program, lambda target, function: rules)
    fresh = deploy_executor(house.world, owner=OWNER, treasury=STRANGER, weth=STRANGER, deployer=STRANGER)
    other = replace(house, executor=fresh)
    other.allow(Change.role(OPERATOR, Role.OPERATOR), *policy)
    with house.world.snapshot():
        other.run(program)
    for left_out in policy:
        with house.world.snapshot():
            house.world.transact(fresh, encode_tighten([left_out.removed()]), sender=OWNER)
            assert other.refusal(program).revert.name == "PolicyDenied"
    unlisted = other.program(other.call(0, PUSH, house.a, 1))
    assert other.refusal(unlisted).rule == 1


@attack("P4", "schedule approve and transfer without their rules")
@pytest.mark.parametrize("signature", ["approve(address,uint256)", "transfer(address,uint256)"])
def test_a_token_function_is_never_allowed_without_its_bounds(house, signature):
    change = Change(ChangeKind.POLICY, policy_key(house.a, selector(signature)), 1)
    assert house.refused_call(encode_schedule([change]), sender=OWNER) == "atomic: inadmissible"

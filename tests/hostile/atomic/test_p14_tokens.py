"""P14: tokens that take a fee, rebase, say nothing, lie, race, or call out."""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    PULL,
    PUSH,
    STRANGER,
    TREASURY,
    Action,
)

from tidegate.chain import encode_call
from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    Approve,
    Capture,
    FlashKind,
    Line,
    Load,
    Math,
    MathFunction,
    Patch,
    encode_sweep,
)

AMOUNT = 10_000
KINDS = list(FlashKind)
PUSHED = (FlashKind.UNISWAP_V3, FlashKind.BALANCER_V2)


def loan(house, kind, *ops):
    return house.program(Load.literal(0, 0, AMOUNT), house.loan(1, kind, *ops), lines=[Line(house.a, -500)])


@pytest.mark.parametrize("kind", KINDS)
def test_p14_a_token_that_answers_nothing_works_everywhere(house, kind):
    house.quirk(house.a, "silent")
    house.mint(house.a, 100)
    house.run(loan(house, kind, *house.pull(10, house.a, 100)))
    gain = house.call(0, PUSH, house.a, 5)
    house.run(house.program(gain, lines=[Line(house.a, 5, payout=True)]))
    assert house.balance(house.a, TREASURY) == 5


@attack("P14", "take a fee on each transfer")
@pytest.mark.parametrize("kind", KINDS)
def test_p14_a_token_that_takes_a_fee_is_measured_by_the_line(house, kind):
    """The loan arrives 1 % short and goes back 1 % short: whoever counts, the line counts true."""
    house.quirk(house.a, "fee")
    house.mint(house.a, 1_000)
    if kind in PUSHED:
        assert house.refusal(loan(house, kind)).meaning == "lender: not repaid"
    else:
        assert house.simulate(loan(house, kind)).deltas == (-100,)
    short = house.program(house.call(0, PUSH, house.a, 1_000), lines=[Line(house.a, 1_000)])
    assert dict(house.refusal(short).revert.arguments)["delta"] == 990
    house.run(house.program(house.call(0, PUSH, house.a, 1_000), lines=[Line(house.a, 990)]))


def test_p14_what_arrived_is_known_by_balance_difference(house):
    """The variant for fee-on-transfer tokens: two balances and a subtraction, not the answer."""
    house.quirk(house.a, "fee")
    house.mint(house.a, 50)
    steps = (
        Load.balance(0, 1, house.a),
        house.call(1, PUSH, house.a, 1_000),
        Load.balance(2, 2, house.a),
        Math(3, 3, MathFunction.SUBTRACT, 2, 1),
        Approve(4, house.a, house.target, 3),
        house.call(5, PULL, house.a, 0, patches=(Patch(1, 3),)),
    )
    found = house.simulate(house.program(*steps))
    assert found.registers[3] == 990
    house.run(house.program(*steps))
    assert house.balance(house.a) == 50


@attack("P14", "rebase during a run")
@pytest.mark.parametrize("bps", [9_000, 11_000])
def test_p14_a_rebase_during_the_run_is_a_loss_or_a_gain_like_any_other(house, bps):
    house.quirk(house.a, "rebasing")
    house.mint(house.a, 1_000)
    house.teach(Action(house.a, encode_call("rebase(uint256)", bps), swallow=False))
    delta = 1_000 * (bps - 10_000) // 10_000
    house.run(house.program(house.poke(0), lines=[Line(house.a, delta)]))
    house.teach(Action(house.a, encode_call("rebase(uint256)", 10_000), swallow=False))
    back = house.program(house.poke(0), lines=[Line(house.a, -delta + 1)])
    assert house.refusal(back).revert.name == "DeltaTooLow"


@attack(
    "P14",
    "leave rounding dust of an allowance",
    stops="the reset to zero",
)
def test_p14_rounding_dust_of_a_rebasing_token_leaves_no_allowance(house):
    house.quirk(house.a, "rebasing")
    house.send(house.a, "rebase(uint256)", 30_001)
    house.mint(house.a, 1_000)
    held = house.balance(house.a)
    steps = house.pull(0, house.a, held - 1, zero_after=True)
    house.run(house.program(*steps, lines=[Line(house.a, -held)]))
    assert house.allowance(house.a, house.target) == 0


@attack("P14", "answer false to the repayment")
@pytest.mark.parametrize("kind", KINDS)
def test_p14_a_token_that_answers_false_is_not_believed(house, kind):
    house.quirk(house.a, "answers_false")
    house.mint(house.a, 2 * AMOUNT)
    error = house.refusal(loan(house, kind))
    assert error.meaning in ("lender: pull", "atomic: transfer", "lender: not repaid")
    assert house.refused_call(encode_sweep([house.a]), sender=house.view("owner", "address")) == (
        "atomic: transfer"
    )


@attack("P14", "answer false to an approval")
@pytest.mark.parametrize("kind", KINDS)
def test_p14_an_approval_that_answers_false_reverts(house, kind):
    house.quirk(house.a, "approves_false")
    assert house.refusal(house.program(Approve(0, house.a, house.target, 0))).meaning == "atomic: approve"
    if kind in PUSHED:
        house.run(loan(house, kind))
    else:
        assert house.refusal(loan(house, kind)).meaning == "atomic: approve"


@attack("P14", "approve twice a token that forbids it")
def test_p14_a_token_that_forbids_the_approve_race_works_once_a_frame(house):
    house.quirk(house.a, "race")
    house.mint(house.a, 1_000)
    lines = [Line(house.a, -200)]
    house.run(house.program(*house.pull(0, house.a, 100), *house.pull(10, house.a, 100), lines=lines))
    rest = (Load.literal(0, 0, 9), Approve(1, house.a, house.target, 0, zero_after=True))
    again = (Load.literal(2, 0, 7), Approve(3, house.a, house.target, 0))
    assert house.refusal(house.program(*rest, *again, lines=lines)).meaning == "token: race"
    house.run(house.program(*rest, lines=lines))


@attack("P14", "enter from a token's hook during loans")
@pytest.mark.parametrize("kind", KINDS)
def test_p14_a_hooked_token_can_be_used_and_its_hook_gets_nowhere(house, kind):
    house.quirk(house.a, "hook", house.puppet)
    house.mint(house.a, 1_000)
    inside = encode_call("approve(address,uint256)", house.accomplice, 2**256 - 1)
    house.teach(
        Action(house.a, inside),  # approves in the puppet's own name, nobody else's
        Action(house.executor, encode_call("pause()")),
    )
    house.run(loan(house, kind, *house.pull(10, house.a, 100)))
    assert house.allowance(house.a, house.accomplice) == 0
    assert "atomic: locked" in house.reasons()
    assert house.view("paused", "bool") is False
    assert house.balance(house.a) == 900


@attack("P14", "revert in a token's hook")
def test_p14_a_hook_that_reverts_stops_its_token_alone(house):
    house.quirk(house.a, "hook", house.puppet)
    house.teach(Action(house.executor, encode_call("nothing()"), swallow=False))
    assert house.refusal(house.program(house.call(3, PUSH, house.a, 1))).tag == 3
    house.run(house.program(house.call(3, PUSH, house.b, 1)))


@attack("P14", "claim every balance")
def test_p14_a_token_that_claims_to_be_everywhere_fails_closed(house):
    """A balance that no signed number holds: the line can not be computed, so nothing runs."""
    house.quirk(house.a, "liar")
    assert house.refusal(house.program(house.call(0, ANSWER, 0, 0))).revert.kind == "empty"
    house.run(house.program(house.call(0, ANSWER, 0, 0), lines=[Line(house.b, 0)]))


@attack("P14", "name as token an address without code")
def test_p14_a_line_of_an_account_without_code_fails_closed(house):
    lines = [Line(STRANGER, 0)]
    assert house.refusal(house.program(lines=lines)).revert.kind == "empty"
    house.run(house.program(lines=[Line(ZERO_ADDRESS, 0)]))


@attack("P14", "answer that more was paid than was")
def test_p14_a_captured_answer_is_a_claim_and_the_line_is_the_truth(house):
    """A target that says it paid more than it did: the captured word lies, the balance does not."""
    lie = house.call(0, ANSWER, 32, 1_000, capture=Capture(0))
    program = house.program(lie, house.call(1, PUSH, house.a, 10), lines=[Line(house.a, 11)])
    assert house.refusal(program).revert.name == "DeltaTooLow"

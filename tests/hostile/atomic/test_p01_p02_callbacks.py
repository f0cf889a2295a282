"""P1, P2: no callback acts unless it is expected, and each scope acts at most once."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    GUARDIAN,
    OPERATOR,
    OWNER,
    PUSH,
    RESCUER,
    STRANGER,
    Action,
    callback,
)

from tidegate.chain import encode_call
from tidegate.venues.executor import Change, FlashKind, Line, Load, assemble

AMOUNT = 10_000
KINDS = list(FlashKind)
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def lending(house, kind, *ops, fee=0, **fields):
    """A program that borrows 10,000 and earns 100 inside the scope."""
    earn = ops or (house.call(2, PUSH, house.a, 100),)
    return house.program(Load.literal(0, 0, AMOUNT), house.loan(1, kind, *earn, max_fee=fee), **fields)


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_loan_works(house, kind):
    house.terms(house.lender(kind), fee_bps=5)
    house.run(lending(house, kind, fee=5))
    assert house.balance(house.a) == (100 if kind is FlashKind.MORPHO_BLUE else 95)
    assert house.allowance(house.a, house.lender(kind)) == 0


@attack("P1", "every account calls every callback with no loan under way")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("caller", [STRANGER, OPERATOR, OWNER, GUARDIAN, RESCUER])
def test_p1_nobody_can_call_back_out_of_the_blue(house, kind, caller):
    data = callback(kind, house, assemble(lending(house, kind)), amount=AMOUNT)
    assert house.refused_call(data, sender=caller) == "atomic: bad callback"


@attack("P1", "an allowed lender that was not asked calls back")
@pytest.mark.parametrize("kind", KINDS)
def test_p1_not_even_an_allowed_lender_that_was_not_asked(house, kind):
    house.allow(Change.lender(house.puppet, *FlashKind))
    data = callback(kind, house, assemble(lending(house, kind)), amount=AMOUNT)
    house.play(Action(house.executor, data))
    assert house.reasons() == ["atomic: bad callback"]


@attack("P1", "call back with fuzzed kind, caller, payload, amount and fee")
@FUZZ
@given(data=st.data())
def test_p1_fuzzed_arguments_from_fuzzed_callers(house, data):
    kind = data.draw(st.sampled_from(KINDS))
    caller = data.draw(st.sampled_from([STRANGER, OPERATOR, OWNER, RESCUER]))
    program = data.draw(st.binary(min_size=0, max_size=300) | st.just(assemble(lending(house, kind))))
    amount, fee = data.draw(st.integers(0, 2**128)), data.draw(st.integers(0, 2**128))
    calldata = callback(kind, house, program, amount=amount, fee=fee)
    before = house.state()
    # A payload shorter than a header is refused by the read of the header, without text.
    expected = {"atomic: bad callback"} | ({"reverted without data"} if len(program) < 32 else set())
    assert house.refused_call(calldata, sender=caller) in expected
    assert house.state() == before


@attack("P1 P2", "the lender that was asked answers by each kind's callback, having lent nothing")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_p1_p2_only_the_callback_of_the_kind_is_answered(house, kind, other):
    house.allow(Change.lender(house.puppet, *FlashKind))
    house.mint(house.a, AMOUNT)
    program = house.program(
        Load.literal(0, 0, AMOUNT), house.loan(1, kind, house.call(2, ANSWER, 0, 0), lender=house.puppet)
    )
    house.teach(
        Action(house.executor, callback(other, house, assemble(program), amount=AMOUNT), swallow=False)
    )
    if kind is not other:
        assert house.refusal(program).meaning == "atomic: bad callback"
    else:
        # A lender that lent nothing, called back and was given what it asked for: the line finds it.
        root = house.refusal(program).root
        assert root.revert.name in ("DeltaTooLow", "AllowanceLeft")


@attack("P1", "an accomplice of the lender calls back in its place")
@pytest.mark.parametrize("kind", KINDS)
def test_p1_an_accomplice_can_not_call_back_in_the_lenders_place(house, kind):
    house.allow(Change.lender(house.puppet, kind), Change.lender(house.accomplice, kind))
    program = lending(house, kind)
    wrong = house.program(
        Load.literal(0, 0, AMOUNT),
        house.loan(1, kind, house.call(2, PUSH, house.a, 100), lender=house.puppet),
    )
    for payload in (program, wrong):
        data = callback(kind, house, assemble(payload), amount=AMOUNT)
        house.teach(Action(house.executor, data), puppet=house.accomplice)
        house.teach(Action(house.accomplice, b"now"))
        assert house.refusal(wrong).meaning == "atomic: no callback"


WRONG = {
    "no callback": (KINDS, "atomic: no callback"),
    "twice": (KINDS, "atomic: bad callback"),
    "other data": (KINDS, "atomic: payload"),
    "shorter data": (KINDS, "atomic: payload"),
    "other token": ([FlashKind.AAVE_V3, FlashKind.ERC3156, FlashKind.BALANCER_V2], "atomic: terms"),
    "other amount": ([kind for kind in KINDS if kind is not FlashKind.UNISWAP_V3], "atomic: terms"),
    "other initiator": ([FlashKind.AAVE_V3, FlashKind.ERC3156], "atomic: initiator"),
    "other side": ([FlashKind.UNISWAP_V3], "lender: not repaid"),
    "two tokens": ([FlashKind.BALANCER_V2], "reverted without data"),
}


@attack("P2", "a lender calls back never, twice, or with other data, token, amount, initiator or side")
@pytest.mark.parametrize(
    ("trick", "kind"), [(trick, kind) for trick, (kinds, _) in WRONG.items() for kind in kinds]
)
def test_p2_a_lender_that_cheats_reverts_the_run(house, trick, kind):
    house.mint(house.a, 50 * AMOUNT)  # so that no transfer fails for want of funds
    house.terms(house.lender(kind), fee_bps=5, trick=trick)
    assert house.refusal(lending(house, kind, fee=5)).meaning == WRONG[trick][1]


@attack("P2", "a lender asks a higher fee than was planned")
@pytest.mark.parametrize("kind", KINDS)
def test_p2_a_higher_fee_than_planned_is_refused(house, kind):
    fee = 0 if kind is FlashKind.MORPHO_BLUE else 5
    house.terms(house.lender(kind), fee_bps=5)
    house.run(lending(house, kind, fee=fee))
    house.terms(house.lender(kind), fee_bps=5, trick="higher fee")
    error = house.refusal(lending(house, kind, fee=fee))
    if kind is FlashKind.MORPHO_BLUE:
        # Morpho has no fee to report: it can only pull more than it was approved for.
        assert error.revert.kind != "custom"
    else:
        assert (error.revert.name, error.revert.arguments) == ("FeeTooHigh", (("fee", 6), ("max", 5)))


@attack("P2", "a lender lends nothing and wants to be repaid")
@pytest.mark.parametrize("kind", KINDS)
def test_p2_nothing_lent_reverts_with_and_without_inventory(house, kind):
    house.terms(house.lender(kind), trick="lends nothing")
    program = lending(house, kind)
    assert house.refusal(program).revert.kind in ("panic", "empty", "error")
    house.mint(house.a, 2 * AMOUNT)
    assert house.refusal(program).revert.name == "DeltaTooLow"


@attack("P2", "a lender pulls less than it is owed, to keep the rest of its allowance")
@pytest.mark.parametrize("kind", KINDS)
def test_p2_what_the_lender_leaves_is_found(house, kind):
    house.terms(house.lender(kind), trick="pulls less")
    if kind in (FlashKind.UNISWAP_V3, FlashKind.BALANCER_V2):
        house.run(lending(house, kind))  # pushed: the lender has nothing to pull
    else:
        assert house.refusal(lending(house, kind)).revert.name == "AllowanceLeft"


@attack("P2 F6", "after a loan inside its loan, the outer lender calls back once more")
def test_p2_a_second_loan_inside_the_first_does_not_reopen_it(house):
    """The flag-as-proof finding: after an inner loan the outer lender calls back once more."""
    inner = house.loan(2, FlashKind.AAVE_V3, house.call(3, PUSH, house.a, 100))
    program = house.program(Load.literal(0, 0, AMOUNT), house.loan(1, FlashKind.MORPHO_BLUE, inner))
    house.run(program)
    house.terms(house.morpho, trick="twice")
    assert house.refusal(program).meaning == "atomic: bad callback"


def test_p2_the_scope_runs_once_for_one_loan_and_twice_for_two(house):
    count = house.call(2, ANSWER, 0, 0)
    before = house.read(house.target, "calls()", "uint256")
    house.run(lending(house, FlashKind.AAVE_V3, count))
    again = house.loan(3, FlashKind.AAVE_V3, house.call(4, ANSWER, 0, 0))
    house.run(
        house.program(
            Load.literal(0, 0, AMOUNT),
            house.loan(1, FlashKind.AAVE_V3, count),
            again,
            lines=[Line(house.a, 0)],
        )
    )
    assert house.read(house.target, "calls()", "uint256") == before + 3


@attack("P2", "a lender hands over another program than the signed one")
def test_p2_the_lender_can_not_hand_over_another_program(house):
    """The Dough case: the payload is not what the operator signed."""
    house.allow(Change.lender(house.puppet, FlashKind.AAVE_V3))
    signed = house.program(Load.literal(0, 0, AMOUNT), house.loan(1, FlashKind.AAVE_V3, lender=house.puppet))
    thief = house.program(
        Load.literal(0, 0, AMOUNT),
        house.loan(1, FlashKind.AAVE_V3, house.call(2, ANSWER, 0, 0), lender=house.puppet),
    )
    data = callback(FlashKind.AAVE_V3, house, assemble(thief), amount=AMOUNT)
    house.teach(Action(house.executor, data, swallow=False))
    assert house.refusal(signed).meaning == "atomic: payload"


@attack("P2", "call back with a list of nothing lent")
@pytest.mark.parametrize("empty", range(3))
def test_p2_a_callback_with_an_empty_list_is_refused_by_its_terms(house, empty):
    lists = [[house.a], [AMOUNT], [0]]
    lists[empty] = []
    data = encode_call("receiveFlashLoan(address[],uint256[],uint256[],bytes)", *lists, b"")
    assert house.refused_call(data, sender=STRANGER) == "atomic: terms"


@attack("P1", "call a callback with garbage behind its arguments, or with none")
def test_the_right_callback_with_garbage_behind_its_arguments_is_bound_too(house):
    data = callback(FlashKind.AAVE_V3, house, b"", amount=1) + b"garbage"
    assert house.refused_call(data, sender=STRANGER) == "reverted without data"
    assert house.refused_call(encode_call("executeOperation()"), sender=STRANGER) == "atomic: unknown call"

"""P12: results of every size, accounts without code, huge reverts, gas burners."""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    BURN_GAS,
    CALL,
    LOOK,
    OPERATOR,
    OWNER,
    POKE,
    PUSH,
    REFUSE,
    STRANGER,
)

from tidegate.chain import encode_call, selector
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Call,
    Capture,
    Change,
    FlashKind,
    Line,
    Load,
    Permission,
    Take,
    assemble,
    decode_error,
    encode_execute,
    encode_schedule,
)


def answering(house, size, word, *, is_read=False):
    """Capture ``word`` of a result of ``size`` bytes: the words 100, 101, ..."""
    signature = LOOK if is_read else ANSWER
    return house.program(house.call(0, signature, size, 100, is_read=is_read, capture=Capture(3, word)))


@attack("P12", "answer 0, 31, 33 or 10,000 bytes where a word is captured")
@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 255, 256, 257, 10_000])
@pytest.mark.parametrize("word", [0, 1, 7])
def test_p12_a_word_is_captured_whole_or_the_run_reverts(house, size, word, is_read):
    program = answering(house, size, word, is_read=is_read)
    if 32 * (word + 1) <= min(size, 256):
        assert house.simulate(program).registers[3] == 100 + word
    else:
        error = house.refusal(program)
        assert (error.revert.name, error.tag) == ("StepFailed", 0)


@attack("P12", "take a word of another frame's result")
def test_p12_take_reads_the_last_result_of_its_own_frame(house):
    first = house.call(0, ANSWER, 256, 100)
    second = house.call(1, ANSWER, 64, 200)
    program = house.program(first, Take(2, 0, 7), second, Take(3, 1, 1))
    assert house.simulate(program).registers[:2] == (107, 201)
    assert house.refusal(house.program(first, second, Take(3, 1, 2))).tag == 3
    assert house.refusal(house.program(Take(3, 1, 0))).tag == 3
    inside = house.loan(1, FlashKind.MORPHO_BLUE, Take(2, 0, 0))
    assert house.refusal(house.program(first, inside)).root.revert.kind != "custom"
    after = house.program(
        first, house.loan(1, FlashKind.MORPHO_BLUE, house.call(2, ANSWER, 32, 500)), Take(3, 0, 0)
    )
    assert house.simulate(after).registers[0] == 100


@attack("F11", "step through an address without code")
@pytest.mark.parametrize("is_read", [False, True])
def test_p12_an_account_without_code_is_not_called(house, is_read):
    """Its call would succeed with nothing: the Furucombo class."""
    house.allow(Change.policy(house.accomplice, selector(POKE), Permission(call=True, read=True)))
    house.world.set_code(house.accomplice, b"")
    error = house.refusal(house.program(Call(0, house.accomplice, selector(POKE), is_read=is_read)))
    assert error.rule == 4


def test_p12_an_empty_result_of_code_is_fine(house):
    house.run(house.program(house.call(0, ANSWER, 0, 0), house.call(1, PUSH, house.a, 1)))


@attack("P12", "revert with up to 10,000 bytes")
@pytest.mark.parametrize("size", [0, 4, 31, 32, 256, 257, 10_000])
def test_p12_a_reverting_step_reports_at_most_256_bytes(house, size):
    error = house.refusal(house.program(house.call(9, REFUSE, size, 1)))
    arguments = dict(error.revert.arguments)
    assert (error.tag, len(arguments["reason"])) == (9, min(size, 256))
    assert (error.target, error.selector) == (house.target, selector(REFUSE))


@attack("P12", "burn the step's gas")
def test_p12_a_gas_burner_takes_its_63_64ths_and_reverts_the_run(house):
    program = house.program(house.call(5, BURN_GAS))
    with pytest.raises(WorldReverted) as caught:
        house.world.transact(
            house.executor, encode_execute(assemble(program)), sender=OPERATOR, gas_limit=3_000_000
        )
    error = decode_error(caught.value.data)
    assert (error.revert.name, error.tag, error.cause.revert.kind) == ("StepFailed", 5, "empty")


@attack("P12", "burn all gas, to leave none for the report")
def test_p12_a_burner_that_leaves_too_little_to_report_still_reverts(house):
    deep = house.loan(1, FlashKind.MORPHO_BLUE, house.loan(2, FlashKind.AAVE_V3, house.call(5, BURN_GAS)))
    before = house.state()
    with pytest.raises(WorldReverted):
        house.world.transact(
            house.executor, encode_execute(assemble(house.program(deep))), sender=OPERATOR, gas_limit=600_000
        )
    assert house.state() == before


@attack("P12", "answer a word that is not true, or half a word")
@pytest.mark.parametrize(
    ("answer", "lands"), [("empty", True), ("true", True), ("other", False), ("short", False)]
)
def test_p12_the_result_rule(house, answer, lands):
    """With bit 4 a result is empty or the word 1; any other word, or part of one, fails the step."""
    strict = Permission(call=True, result_boolean=True, value=True)
    house.allow(Change.policy(house.target, selector(ANSWER), strict))
    size, seed = {"empty": (0, 0), "true": (32, 1), "other": (32, 2), "short": (31, 1)}[answer]
    program = house.program(house.call(3, ANSWER, size, seed))
    if lands:
        house.run(program)
        house.run(house.program(house.call(3, ANSWER, 64, 1)))
    else:
        error = house.refusal(program)
        assert (error.revert.name, error.tag) == ("StepFailed", 3)


@attack("P12", "answer false where true is asked")
def test_p12_false_from_a_transfer_reverts(house):
    house.quirk(house.a, "answers_false")
    move = Call(0, house.a, encode_call("transfer(address,uint256)", house.executor, 0))
    error = house.refusal(house.program(move))
    assert (error.revert.name, error.target) == ("StepFailed", house.a)
    house.quirk(house.a, "silent")
    house.run(house.program(move))


@attack("P12", "change state inside a READ")
def test_p12_a_read_can_not_change_anything(house):
    both = Permission(call=True, read=True)
    house.allow(Change.policy(house.target, selector(ANSWER), both))
    house.run(house.program(house.call(0, ANSWER, 32, 0)))
    assert house.refusal(house.program(house.call(0, ANSWER, 32, 0, is_read=True))).tag == 0


@attack("F16", "fail three scopes deep")
def test_failure_at_depth_three_is_decoded_with_its_own_tag(house):
    """The error index that was always 0, and the reason that was always empty."""
    op = house.call(42, REFUSE, 36, 7)
    for level, kind in enumerate((FlashKind.AAVE_V3, FlashKind.UNISWAP_V3, FlashKind.BALANCER_V2)):
        op = house.loan(10 + level, kind, op)
    error = house.refusal(house.program(Load.literal(1, 0, 10), op))
    assert (error.tag, error.target, error.selector) == (42, house.target, selector(REFUSE))
    assert dict(error.revert.arguments)["reason"] == (7).to_bytes(32) + bytes(3) + b"\0"


@attack("F11", "schedule an address without code")
def test_an_unlisted_account_without_code_can_not_even_be_scheduled(house):
    entry = Change.policy(STRANGER, selector(POKE), CALL)
    assert house.refused_call(encode_schedule([entry]), sender=OWNER) == "atomic: inadmissible"
    house.run(house.program(lines=[Line(house.a, 0)]))

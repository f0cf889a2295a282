"""P5, P6: a patch changes one argument word and nothing else; rules hold on the final data."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import KEEP, OWNER, STRANGER, TREASURY

from tidegate.chain import address, selector
from tidegate.venues.executor import (
    ArgumentRule,
    Call,
    Change,
    Load,
    Patch,
    Permission,
    RuleKind,
    assemble,
    encode_tighten,
)

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OPS_AT = 32 + 64
KEEP_STEP = 28 + 68


def kept(house):
    return tuple(house.read(house.target, "kept(uint256)", "uint256", place) for place in (0, 1))


@FUZZ
@given(
    patches=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 1)), max_size=4),
    values=st.tuples(st.integers(1, 2**224 - 1), st.integers(1, 2**224 - 1)),
)
def test_p5_patches_write_whole_argument_words_last_listed_first(house, patches, values):
    """Whatever word a patch names: the selector, the target and the length stay."""
    step = bytearray(assemble(house.program(house.call(9, KEEP, 111, 222))))[OPS_AT:]
    step[2] = len(patches)
    for word, register in patches:
        step += bytes([word, register])
    loads = assemble(house.program(*(Load.literal(tag, tag, values[tag]) for tag in (0, 1))))
    program = bytes(loads + step)
    with house.world.snapshot():
        if any(word > 1 for word, _ in patches):
            assert house.refusal(program).meaning == "atomic: malformed"
            return
        before = house.state()
        house.run(program)
        expected = [111, 222]
        for word, register in reversed(patches):
            expected[word] = values[register]
        assert kept(house) == tuple(expected)
        assert house.state() == before


@attack("P5", "patch a word that is not wholly inside the data")
@pytest.mark.parametrize("length", [4, 5, 35, 36, 67, 68])
@pytest.mark.parametrize("word", [0, 1, 2])
def test_p5_a_patch_fits_into_the_data_or_reverts(house, length, word):
    raw = bytearray(assemble(house.program(house.call(9, KEEP, 111, 222))))
    raw[OPS_AT + 2] = 1
    raw[OPS_AT + 6 : OPS_AT + 8] = length.to_bytes(2)
    program = bytes(raw[: OPS_AT + 28 + length]) + bytes([word, 0])
    if length == 68 and word < 2:
        house.run(program)
    else:
        error = house.refusal(program)
        fits = 4 + 32 * (word + 1) <= length
        # What fits is patched and called: too few arguments, which the target refuses itself.
        assert (error.revert.name == "StepFailed") if fits else (error.meaning == "atomic: malformed")


def rule_case(kind, word, value=0):
    return ArgumentRule(kind, word, value)


def guard(house, *rules):
    house.allow(Change.policy(house.target, selector(KEEP), Permission(call=True, rules=rules)))


def accepts(house, *arguments, patches=()):
    """Run keep with these arguments; say whether policy let it."""
    loads = [Load.literal(tag, tag, value) for tag, (_, value) in enumerate(patches)]
    step = house.call(
        9, KEEP, *arguments, patches=tuple(Patch(word, tag) for tag, (word, _) in enumerate(patches))
    )
    program = house.program(*loads, step)
    with house.world.snapshot():
        found = house.simulate(program)
        if hasattr(found, "gas_used"):
            house.run(program)
            return True
        error = house.refusal(program)
    assert (error.revert.name, error.tag) == ("PolicyDenied", 9)
    return error.rule


def number(account):
    return int(account, 16)


@attack("P6", "name another recipient than the executor")
def test_p6_the_executor_itself_and_nobody_else(house):
    guard(house, ArgumentRule(RuleKind.EXECUTOR, 0))
    me = number(house.executor)
    assert accepts(house, me, 0) is True
    for wrong in (0, number(TREASURY), number(STRANGER), me | 1 << 160, me | 1 << 255, me ^ 1):
        assert accepts(house, wrong, 0) == 16


@attack("P6", "name another recipient than executor and treasury")
def test_p6_the_executor_or_the_treasury(house):
    guard(house, ArgumentRule(RuleKind.RECIPIENT, 1))
    for right in (number(house.executor), number(TREASURY)):
        assert accepts(house, 0, right) is True
        assert accepts(house, 0, right | 1 << 160) == 16  # dirty upper bits
    assert accepts(house, 0, number(OWNER)) == 16
    house.allow(Change.treasury(STRANGER))
    assert accepts(house, 0, number(TREASURY)) == 16
    assert accepts(house, 0, number(STRANGER)) is True


@attack("P6", "name a token outside the asset set, or dirty its upper bits")
def test_p6_assets(house):
    guard(house, ArgumentRule(RuleKind.ASSET, 0))
    assert accepts(house, number(house.a), 0) == 16
    house.allow(Change.asset(house.a))
    assert accepts(house, number(house.a), 0) is True
    assert accepts(house, number(house.a) | 1 << 160, 0) == 16
    assert accepts(house, number(house.b), 0) == 16
    last = address(2**160 - 1)
    house.allow(Change.asset(last))
    assert accepts(house, number(last), 0) is True
    house.world.transact(house.executor, encode_tighten([Change.asset(house.a).removed()]), sender=OWNER)
    assert accepts(house, number(house.a), 0) == 16


@attack("P6", "go over a cap, or use one that was never set")
def test_p6_caps_block_until_they_are_set(house):
    guard(house, ArgumentRule(RuleKind.CAP, 1, 77))
    assert accepts(house, 0, 0) == 16
    house.allow(Change.cap(77, 1000), Change.cap(78, 2**256 - 1))
    assert [accepts(house, 0, amount) for amount in (0, 999, 1000, 1001, 2**256 - 1)] == [
        True, True, True, 16, 16,
    ]  # fmt: skip
    house.world.transact(house.executor, encode_tighten([Change.cap(77, 0)]), sender=OWNER)
    assert accepts(house, 0, 0) == 16


@attack("P6", "move an ABI offset, to hide the true recipient")
@pytest.mark.parametrize("offset", [0, 32, 64, 4064])
def test_p6_a_pinned_offset_can_not_be_moved(house, offset):
    """A moved tuple offset would hide the true recipient behind a decoy."""
    guard(house, ArgumentRule(RuleKind.PIN, 0, offset))
    assert accepts(house, offset, 0) is True
    for moved in {offset ^ 32, offset + 1, offset | 1 << 160, 2**256 - 32}:
        assert accepts(house, moved, 0) == 16


@attack("P6", "break each of twelve rules in turn")
def test_p6_each_of_twelve_rules_is_judged_and_named(house):
    guard(house, *(ArgumentRule(RuleKind.PIN, place % 2, 32 * (place % 2)) for place in range(12)))
    assert accepts(house, 0, 32) is True
    assert accepts(house, 1, 32) == 16
    assert accepts(house, 0, 33) == 17
    eleven = [ArgumentRule(RuleKind.PIN, 0, 0)] * 11
    guard(house, *eleven, ArgumentRule(RuleKind.EXECUTOR, 1))
    assert accepts(house, 0, 0) == 16 + 11


@attack("P6", "patch the word after a rule would have judged it")
def test_p6_rules_are_judged_after_the_patches(house):
    guard(house, ArgumentRule(RuleKind.EXECUTOR, 0), ArgumentRule(RuleKind.CAP, 1, 64))
    house.allow(Change.cap(64, 10))
    me = number(house.executor)
    assert accepts(house, number(STRANGER), 5, patches=[(0, me)]) is True
    assert accepts(house, me, 5, patches=[(0, number(STRANGER))]) == 16
    assert accepts(house, me, 99, patches=[(1, 10)]) is True
    assert accepts(house, me, 5, patches=[(1, 11)]) == 17


@attack("P6", "send data too short for the word that a rule judges")
@pytest.mark.parametrize("length", [4, 35, 36, 67])
def test_p6_short_data_is_denied_where_a_rule_looks_for_a_word(house, length):
    guard(house, ArgumentRule(RuleKind.PIN, 1, 0))
    data = (selector(KEEP) + bytes(64))[:length]
    error = house.refusal(house.program(Call(0, house.target, data)))
    assert error.rule == 16
    longer = selector(KEEP) + bytes(64 + 1)
    house.run(house.program(Call(0, house.target, longer)))

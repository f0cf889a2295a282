"""P4: every external call has its (target, selector) in policy at call time, in all scopes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    CALL,
    KEEP,
    LOOK,
    OWNER,
    PULL,
    PUSH,
    READ,
    REFUSE,
    STRANGER,
)

from tidegate.chain import address, encode_call, selector
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    FORBIDDEN_CALLS,
    Approve,
    ArgumentRule,
    Call,
    Capture,
    Change,
    ChangeKind,
    FlashKind,
    Load,
    Permission,
    RuleKind,
    assemble,
    encode_schedule,
    encode_tighten,
    policy_key,
    why_inadmissible,
)

FROM = "transferFrom(address,address,uint256)"
FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def nested(house, depth, op):
    """``op`` inside ``depth`` loans."""
    kinds = list(FlashKind)
    for level in range(depth):
        op = house.loan(100 + level, kinds[level % 5], op)
    return house.program(Load.literal(99, 0, 10), op)


def denied(house, program):
    error = house.refusal(program)
    assert error.revert.name == "PolicyDenied"
    return error.rule


@attack("P4", "call a function without its entry or flag, to three scopes deep")
@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize(
    ("signature", "change"),
    [
        ("balanceOf(address)", {}),  # no entry at all
        (ANSWER, {"is_read": True}),  # an entry, but for CALL
        (LOOK, {}),  # an entry, but for READ
    ],
)
def test_p4_rule_1_without_entry_or_flag_nothing_is_called(house, depth, signature, change):
    arguments = [0] * signature.count("uint256") or [OWNER]
    op = house.call(7, signature, *arguments, **change)
    error = house.refusal(nested(house, depth, op))
    assert (error.rule, error.tag, error.selector) == (1, 7, selector(signature))


@attack("P4", "approve a token without entry")
def test_p4_rule_1_approve_needs_the_tokens_entry(house):
    house.world.transact(house.executor, encode_tighten([Change.approval(house.a).removed()]), sender=OWNER)
    assert denied(house, house.program(Approve(0, house.a, house.target, 0))) == 1
    house.run(house.program(Approve(0, house.b, house.target, 0)))


@attack("P4", "send value where the entry has no bit for it")
@pytest.mark.parametrize("is_read", [False, True])
def test_p4_rule_2_value_needs_its_bit_and_never_goes_with_a_read(house, is_read):
    op = house.call(0, LOOK if is_read else PUSH, *([0, 0] if is_read else [house.a, 0]), is_read=is_read)
    with_value = house.program(Load.literal(9, 0, 1), op)
    raw = bytearray(assemble(with_value))
    house.run(bytes(raw))
    raw[32 + 64 + 32 + 3] = 0  # the value register: 255 none, 0 the first
    assert denied(house, bytes(raw)) == 2


@attack("P4", "send value with a READ")
def test_p4_rule_2_a_read_sends_no_value_though_its_entry_has_the_bit(house):
    both = Permission(call=True, read=True, value=True)
    house.allow(Change.policy(house.target, selector(LOOK), both))
    raw = bytearray(assemble(house.program(house.call(0, LOOK, 32, 0, is_read=True))))
    house.run(bytes(raw))
    raw[32 + 64 + 3] = 0
    assert denied(house, bytes(raw)) == 2


def test_p4_rule_2_value_is_sent_where_it_is_allowed(house):
    before = house.world.balance(house.target)
    sent = house.call(1, KEEP, 0, 0, value_register=0)
    house.run(house.program(Load.literal(0, 0, 5), sent), value=5)
    assert house.world.balance(house.target) == before + 5


@attack("P4", "use an entry one second after it expired")
def test_p4_rule_3_an_entry_expires(house):
    now = house.world.block().timestamp
    timed = Permission(call=True, expires_at_s=now + 100)
    house.allow(Change.policy(house.target, selector(KEEP), timed))
    program = house.program(house.call(0, KEEP, 1, 2))
    house.world.mine(timestamp=now + 99)
    house.run(program)  # in the block of now + 100: the last second counts
    assert denied(house, program) == 3


@attack("P4", "call a listed address that has lost its code")
@pytest.mark.parametrize("is_read", [False, True])
def test_p4_rule_4_an_address_that_lost_its_code_is_not_called_in_vain(house, is_read):
    """The Furucombo class: a call to nothing succeeds, and the program goes on as if it had acted."""
    op = house.call(0, LOOK if is_read else KEEP, 0, 0, is_read=is_read)
    house.run(house.program(op))
    house.world.set_code(house.target, b"")
    assert denied(house, house.program(op)) == 4


@attack("P4", "approve a spender that is not listed")
def test_p4_rule_5_only_listed_spenders_are_approved(house):
    for spender in (STRANGER, house.puppet, house.executor, house.pool):
        error = house.refusal(house.program(Approve(0, house.a, spender, 0)))
        assert (error.rule, error.target) == (5, spender)
    house.allow(Change.spender(house.puppet))
    house.run(house.program(Approve(0, house.a, house.puppet, 0)))
    house.world.transact(
        house.executor, encode_tighten([Change.spender(house.puppet).removed()]), sender=OWNER
    )
    assert denied(house, house.program(Approve(0, house.a, house.puppet, 0))) == 5


@attack("P4", "borrow from a stranger, or from a lender of another kind")
@pytest.mark.parametrize("kind", list(FlashKind))
def test_p4_rule_6_a_lender_is_allowed_kind_by_kind(house, kind):
    """The RouteProcessor2 case: a fake pool is no lender; nor is a real one of another kind."""
    others = [other for other in FlashKind if other is not kind]
    house.allow(Change.lender(house.puppet, *others))
    for lender in (house.puppet, house.accomplice, STRANGER):
        error = house.refusal(house.program(house.loan(3, kind, lender=lender)))
        assert (error.rule, error.tag, error.target) == (6, 3, lender)


@attack("P4", "name a kind of loan that does not exist")
@pytest.mark.parametrize("kind", [0, 6, 7, 159, 160, 255])
def test_p4_rule_6_kinds_that_do_not_exist_have_no_lender(house, kind):
    house.allow(Change.lender(house.puppet, *FlashKind))
    raw = bytearray(assemble(house.program(house.loan(3, FlashKind.AAVE_V3, lender=house.puppet))))
    raw[32 + 64 + 2] = kind
    assert denied(house, bytes(raw)) == 6


@attack("P4", "run the same bytes after their entry was removed")
def test_p4_policy_is_read_when_the_call_is_made(house):
    """Removed between two runs of the same bytes: the second is refused."""
    program = house.program(house.call(0, KEEP, 1, 2))
    house.run(program)
    entry = Change.policy(house.target, selector(KEEP), CALL)
    house.world.transact(house.executor, encode_tighten([entry.removed()]), sender=OWNER)
    assert denied(house, program) == 1


@attack("P4", "call, then schedule, transferFrom of a listed token")
def test_p4_a_listed_token_is_still_not_moved_by_another_right(house):
    """The allow-list by address: the token is listed, transferFrom on it is not, and never can be."""
    move = Call(0, house.a, encode_call(FROM, OWNER, house.executor, 1))
    assert denied(house, house.program(move)) == 1
    wanted = Change.policy(house.a, selector(FROM), CALL)
    assert house.refused_call(encode_schedule([wanted]), sender=OWNER) == "atomic: inadmissible"


@attack("P4", "schedule each of the fifteen forbidden functions")
@pytest.mark.parametrize("function", FORBIDDEN_CALLS, ids=FORBIDDEN_CALLS.values())
@pytest.mark.parametrize("word", [1, 3, 5, 17, 0x2010000000000000001])
def test_p4_forbidden_functions_are_refused_with_any_word(house, function, word):
    change = Change(ChangeKind.POLICY, policy_key(house.target, function), word)
    assert house.refused_call(encode_schedule([change]), sender=OWNER) == "atomic: inadmissible"


@pytest.mark.parametrize("function", FORBIDDEN_CALLS, ids=FORBIDDEN_CALLS.values())
def test_p4_they_may_be_read(house, function):
    house.allow(Change(ChangeKind.POLICY, policy_key(house.target, function), READ.word))


targets = st.sampled_from(["executor", "target", "a", "nobody"])
functions = st.sampled_from(
    [selector(name) for name in (ANSWER, "approve(address,uint256)", "transfer(address,uint256)", FROM)]
)
rules = st.sampled_from(
    [0x0101, 0x0201, 0x0301, 0x0102, 0x4001, 0x7F20, 0x8020, 0xFF01, 0x0121, 0x0401, 0x3F01]
)
words = st.builds(
    lambda flags, expiry, listed, junk: (
        flags | expiry << 8 | sum(rule << 64 + 16 * place for place, rule in enumerate(listed)) | junk
    ),
    st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33]),
    st.sampled_from([0, 1, 2**40 - 1]),
    st.lists(rules, max_size=4),
    st.sampled_from([0, 0, 0, 0, 1 << 48, 1 << 255, 0x0101 << 240]),
)


@attack("P4", "schedule fuzzed policy words: reserved bits, odd rules, no code, the executor")
@FUZZ
@given(target=targets, function=functions, word=words | st.integers(0, 2**256 - 1))
def test_p4_the_contract_admits_exactly_what_the_codec_calls_admissible(house, target, function, word):
    account = address(0xDEAD_BEEF) if target == "nobody" else getattr(house, target)
    change = Change(ChangeKind.POLICY, policy_key(account, function), word)
    agree(house, change)


@attack("P4", "schedule fuzzed changes of every other kind")
@FUZZ
@given(
    kind=st.sampled_from([kind for kind in ChangeKind if kind is not ChangeKind.POLICY]),
    key=st.sampled_from(["zero", "owner", "stranger", "dirty", "63", "64", "127", "128"]),
    word=st.sampled_from([0, 1, 2, 3, 4, 5, 8, 62, 63, 64, 1 << 255, 1 << 255 | 7, 2**256 - 1]),
)
def test_p4_other_changes_are_admitted_as_the_codec_says(house, kind, key, word):
    keys = {
        "zero": bytes(32),
        "owner": bytes(12) + bytes.fromhex(OWNER[2:]),
        "stranger": bytes(12) + bytes.fromhex(STRANGER[2:]),
        "dirty": b"\1" * 32,
    }
    change = Change(kind, keys[key] if key in keys else int(key).to_bytes(32), word)
    if kind is ChangeKind.UNGUARD:
        return  # whether a token is guarded is the chain's to know: P20
    agree(house, change)


def agree(house, change):
    why = why_inadmissible(
        change,
        executor=house.executor,
        owner=OWNER,
        accounts_with_code=[house.executor, house.target, house.a],
    )
    try:
        house.world.call(house.executor, encode_schedule([change]), sender=OWNER)
    except WorldReverted as refused:
        assert "inadmissible" in str(refused), str(refused)  # noqa: PT017
        assert why is not None, (change, "the contract refuses what the codec admits")
    else:
        assert why is None, (change, why)


@attack("P4", "call an address that an earlier step answered")
def test_p4_what_the_target_captured_is_not_reached_without_policy(house):
    """A step may not smuggle a call by what an earlier step returned."""
    sneak = Call(1, house.puppet, encode_call(PULL, house.a, 1))
    program = house.program(house.call(0, ANSWER, 32, 5, capture=Capture(0)), sneak)
    assert denied(house, program) == 1


def test_p4_a_refused_step_names_its_reason(house):
    error = house.refusal(house.program(house.call(4, REFUSE, 8, 3)))
    assert (error.tag, error.target, error.selector) == (4, house.target, selector(REFUSE))


@attack("P6", "call a function whose rule looks for a word that no data has")
def test_p6_a_rule_on_a_word_that_no_data_has_blocks_the_function(house):
    beyond = Permission(call=True, rules=(ArgumentRule(RuleKind.EXECUTOR, 254),))
    house.allow(Change.policy(house.target, selector(KEEP), beyond))
    assert denied(house, house.program(house.call(0, KEEP, 0, 0))) == 16

"""The smallest policy of a program, policies merged, and what changes one into another."""

from dataclasses import replace

import pytest
from tests.venues.executor.golden import MORPHO, PROGRAM, ROUTER, USDC, WETH

from tidegate.chain import selector
from tidegate.model import ZERO_ADDRESS, ConfigError
from tidegate.venues.executor import (
    ArgumentRule,
    Call,
    Change,
    Diff,
    Flash,
    FlashKind,
    Permission,
    Role,
    RuleKind,
    diff_policy,
    merge_policies,
    required_policy,
)

SWAP = selector("exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))")
SWAP_RULES = Permission(
    rules=(
        ArgumentRule(RuleKind.ASSET, 0),
        ArgumentRule(RuleKind.ASSET, 1),
        ArgumentRule(RuleKind.EXECUTOR, 3),
    )
)


def book(target, function):
    return SWAP_RULES if (target, function) == (ROUTER, SWAP) else None


def capped(target, function):
    return Permission(rules=(ArgumentRule(RuleKind.CAP, 0, 64),), result_boolean=True)


def test_the_golden_program_needs_exactly_this():
    swap = Permission(call=True, rules=SWAP_RULES.rules)
    assert swap.word == 0x104030203010000000000000001
    assert set(required_policy(PROGRAM, book)) == {
        Change.policy(ROUTER, SWAP, swap),
        Change.approval(WETH),
        Change.approval(USDC),
        Change.lender(MORPHO, FlashKind.MORPHO_BLUE),
        Change.spender(ROUTER),
        Change.asset(WETH),
        Change.asset(USDC),
    }


def test_it_is_sorted_and_has_nothing_twice():
    policy = required_policy(PROGRAM, book)
    assert policy == tuple(sorted(set(policy), key=lambda change: (change.kind, change.key)))


def test_flags_follow_the_program():
    data = selector("f(uint256)") + bytes(32)
    program = replace(
        PROGRAM, ops=(Call(0, ROUTER, data, is_read=True), Call(1, ROUTER, data, value_register=0))
    )
    (policy, cap) = required_policy(program, capped, caps={64: 5})
    assert policy == Change.policy(
        ROUTER, data[:4], replace(capped(ROUTER, data), call=True, read=True, value=True)
    )
    assert cap == Change.cap(64, 5)


def test_what_the_book_does_not_know_is_refused():
    program = replace(PROGRAM, ops=(Call(7, WETH, b"abcd"),))
    with pytest.raises(ConfigError, match="step 7"):
        required_policy(program, book)


def test_a_cap_without_limit_is_refused():
    program = replace(PROGRAM, ops=(Call(7, WETH, b"abcd" + bytes(32)),))
    with pytest.raises(ConfigError, match="under cap 64"):
        required_policy(program, capped)


def test_policies_merge():
    one = [Change.lender(MORPHO, FlashKind.MORPHO_BLUE), Change.cap(64, 5), Change.spender(ROUTER)]
    other = [Change.lender(MORPHO, FlashKind.AAVE_V3), Change.cap(64, 7), Change.spender(ROUTER)]
    assert merge_policies(one, other) == (
        Change.lender(MORPHO, FlashKind.AAVE_V3, FlashKind.MORPHO_BLUE),
        Change.spender(ROUTER),
        Change.cap(64, 7),
    )
    with pytest.raises(ConfigError, match="disagree"):
        merge_policies([Change.role(ROUTER, Role.OPERATOR)], [Change.role(ROUTER, Role.RESCUER)])


def test_a_diff_schedules_what_widens_and_tightens_the_rest():
    limit = Change.loss_limit(WETH, per_run=5, per_day=8)
    lower = Change.loss_limit(WETH, per_run=5, per_day=7)
    mixed = Change.loss_limit(WETH, per_run=6, per_day=7)
    gone, kept, new = Change.spender(ROUTER), Change.asset(WETH), Change.asset(USDC)
    assert diff_policy([gone, kept, limit], [kept, new, lower]) == Diff((new,), (lower, gone.removed()))
    assert diff_policy([limit], [mixed]) == Diff((mixed,), ())
    assert diff_policy([limit], []) == Diff((Change.unguard(WETH),), ())
    assert diff_policy([Change.cap(64, 5)], [Change.cap(64, 4)]) == Diff((), (Change.cap(64, 4),))
    assert diff_policy([Change.cap(64, 5)], [Change.cap(64, 6)]) == Diff((Change.cap(64, 6),), ())
    assert diff_policy([Change.treasury(ROUTER)], [Change.treasury(USDC)]).schedule == (
        Change.treasury(USDC),
    )
    assert diff_policy([Change.treasury(ROUTER)], []).is_empty
    assert diff_policy([kept, gone], [gone, kept]).is_empty


def test_what_is_wanted_gone_is_tightened():
    gone = Change.spender(ROUTER)
    assert diff_policy([gone], [gone.removed()]) == Diff((), (gone.removed(),))


def test_a_removed_entry_reads_zero_and_is_not_removed_again():
    assert diff_policy([Change.spender(ROUTER).removed()], []).is_empty


def test_a_loan_of_eth_needs_its_lender_alone():
    loan = Flash(0, FlashKind.AAVE_V3, MORPHO, ZERO_ADDRESS, 0, ())
    assert required_policy(replace(PROGRAM, ops=(loan,)), book) == (Change.lender(MORPHO, FlashKind.AAVE_V3),)

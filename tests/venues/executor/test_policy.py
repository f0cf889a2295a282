"""Policy words: the specification's own examples, the inverse, and what is inadmissible."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.venues.executor.golden import ROUTER

from tidegate.chain import selector
from tidegate.model import ConfigError
from tidegate.venues.executor import (
    ArgumentRule,
    Permission,
    RuleKind,
    explain_policy,
    parse_policy,
    parse_policy_key,
    policy_key,
)

SELF, RECIPIENT, ASSET = RuleKind.EXECUTOR, RuleKind.RECIPIENT, RuleKind.ASSET
CAP, PIN = RuleKind.CAP, RuleKind.PIN


def allowed(*rules, **fields):
    return Permission(call=True, rules=tuple(ArgumentRule(*rule) for rule in rules), **fields)


EXAMPLES = {
    "transfer": (0x2010000000000000011, allowed((RECIPIENT, 0), result_boolean=True)),
    "exactInputSingle": (
        0x104030203010000000000000001,
        allowed((ASSET, 0), (ASSET, 1), (SELF, 3)),
    ),
    "exactInput": (0x103840281010000000000000001, allowed((PIN, 0, 32), (PIN, 1, 128), (SELF, 2))),
    "swapExactTokensForTokens": (0x10485030000000000000001, allowed((PIN, 2, 0xA0), (SELF, 3))),
    "borrow": (0x105400203010000000000000001, allowed((ASSET, 0), (CAP, 1, 64), (SELF, 4))),
    "approve": (8, Permission(approve=True)),
    "a read until a time": (0xFFFFFFFFFF02, Permission(read=True, expires_at_s=2**40 - 1)),
    "a call with value": (5, Permission(call=True, value=True)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_specification(name):
    word, permission = EXAMPLES[name]
    assert permission.word == word
    assert parse_policy(word) == permission


@pytest.mark.parametrize(
    ("rule", "encoded"),
    [
        (ArgumentRule(SELF, 0), 0x0101),
        (ArgumentRule(RECIPIENT, 254), 0x02FF),
        (ArgumentRule(CAP, 0, 127), 0x7F01),
        (ArgumentRule(PIN, 0, 0), 0x8001),
        (ArgumentRule(PIN, 0, 4064), 0xFF01),
    ],
)
def test_rules_at_their_edges(rule, encoded):
    assert rule.encoded == encoded


@pytest.mark.parametrize(
    "rule",
    [
        ArgumentRule(SELF, 255),
        ArgumentRule(SELF, -1),
        ArgumentRule(SELF, 0, 1),
        ArgumentRule(CAP, 0, 63),
        ArgumentRule(CAP, 0, 128),
        ArgumentRule(PIN, 0, 33),
        ArgumentRule(PIN, 0, 4096),
        ArgumentRule(PIN, 0, -32),
    ],
)
def test_rules_beyond_their_edges_are_refused(rule):
    with pytest.raises(ConfigError, match="not admissible"):
        _ = rule.encoded


@pytest.mark.parametrize(
    "word",
    [
        1 | 1 << 5,
        1 | 1 << 7,
        1 | 1 << 48,
        1 | 1 << 63,
        1 | 0x0001 << 64,  # kind 0
        1 | 0x0401 << 64,  # kind 4
        1 | 0x3F01 << 64,  # kind 63
        1 | 0x0100 << 64,  # no word
        1 | 0x0101 << 80,  # a rule after the end of the rules
        1 << 256,
        -1,
    ],
)
def test_words_with_reserved_bits_or_unknown_rules_are_refused(word):
    with pytest.raises(ConfigError, match="not admissible"):
        parse_policy(word)


def test_twelve_rules_fit_and_thirteen_do_not():
    twelve = allowed(*[(SELF, word) for word in range(12)])
    assert parse_policy(twelve.word) == twelve
    with pytest.raises(ConfigError, match="number of rules"):
        _ = allowed(*[(SELF, word) for word in range(13)]).word
    with pytest.raises(ConfigError, match="expires_at_s"):
        _ = Permission(call=True, expires_at_s=2**40).word


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 2**256 - 1))
def test_parsing_inverts_or_refuses(word):
    try:
        permission = parse_policy(word & ~(0xFFFF << 48 | 0xE0))
    except ConfigError:
        return
    assert permission.word == word & ~(0xFFFF << 48 | 0xE0)


def test_keys():
    transfer = selector("transfer(address,uint256)")
    key = policy_key(ROUTER, transfer)
    assert key.hex() == ROUTER[2:].lower() + "a9059cbb" + "00" * 8
    assert parse_policy_key(key) == (ROUTER, transfer)
    for wrong in (key[:31], key[:31] + b"\1"):
        with pytest.raises(ConfigError, match="a policy key"):
            parse_policy_key(wrong)
    with pytest.raises(ConfigError, match="a selector"):
        policy_key(ROUTER, b"abc")


def test_explained_in_words():
    permission = allowed((ASSET, 0), (CAP, 1, 64), (SELF, 4), (PIN, 5, 160), (RECIPIENT, 6))
    assert explain_policy(permission) == (
        "call; argument 0 is in the asset set; argument 1 is at most cap 64; "
        "argument 4 is the executor itself; argument 5 is exactly 160; "
        "argument 6 is the executor or the treasury"
    )
    assert explain_policy(Permission()) == "nothing"
    timed = Permission(read=True, value=True, approve=True, result_boolean=True, expires_at_s=9)
    assert explain_policy(timed) == "read, send value, approve; result empty or true; until 9 s"


def test_merging_joins_uses_and_refuses_other_rules():
    read, call = Permission(read=True), Permission(call=True, value=True)
    assert read.merged(call) == Permission(call=True, read=True, value=True)
    with pytest.raises(ConfigError, match="two permissions"):
        read.merged(allowed((SELF, 0)))
    assert str(ArgumentRule(PIN, 1, 0x80)) == "pin@1=0x80"
    assert [str(ArgumentRule(CAP, 4, 64)), str(ArgumentRule(RECIPIENT, 3))] == ["cap@4=64", "recipient@3"]

"""The last word that is admitted beside the first that is not, where no other test stands on the edge.

Each was found by a mutant that nobody killed (``make mutants``).
"""

import pytest
from tests.hostile.atomic.house import (
    GUARDIAN,
    OWNER,
    PULL,
    RESCUER,
    TO_SELF_OR_TREASURY,
    TRANSFER,
    Action,
)

from tidegate.chain import address, event_topic, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    Approve,
    ArgumentRule,
    Change,
    ChangeKind,
    Load,
    Permission,
    Role,
    RuleKind,
    encode_accept_ownership,
    encode_cancel,
    encode_offer_ownership,
    encode_pause,
    encode_schedule,
    encode_sweep,
    encode_sweep_nft,
    encode_tighten,
    encode_unpause,
    policy_key,
)

INADMISSIBLE = "atomic: inadmissible"
NEWCOMER = address(0xBEEF)
CHANGE = Change.cap(64, 9)
CAP = (int(ChangeKind.CAP), 64)
TOLD = {
    "schedule": (OWNER, encode_schedule([CHANGE]), "Scheduled(uint256,bytes32,uint256,uint256)", CAP, 2),
    "cancel": (GUARDIAN, encode_cancel([CHANGE]), "Cancelled(uint256,bytes32,uint256)", CAP, 1),
    "tighten": (
        GUARDIAN, encode_tighten([Change.cap(64, 0)]), "Tightened(uint256,bytes32,uint256,address)", CAP, 2
    ),
    "pause": (GUARDIAN, encode_pause(), "Paused(address)", (int(GUARDIAN, 16),), 0),
    "unpause": (OWNER, encode_unpause(), "Unpaused(address)", (int(OWNER, 16),), 0),
    "sweep": (RESCUER, encode_sweep([ZERO_ADDRESS]), "Swept(address,uint256)", (0,), 1),
    "offer": (
        OWNER, encode_offer_ownership(NEWCOMER), "OwnershipOffered(address)", (int(NEWCOMER, 16),), 0
    ),
}  # fmt: skip
"""By what is done: who does it, the event that tells of it, its indexed words, and how many others it has."""


@pytest.mark.parametrize("done", TOLD)
def test_every_order_tells_what_it_did(house, done):
    sender, data, event, indexed, words = TOLD[done]
    (log,) = house.world.transact(house.executor, data, sender=sender).logs
    assert log.topics[0] == event_topic(event)
    assert tuple(int.from_bytes(topic) for topic in log.topics[1:]) == indexed
    assert len(log.data) == 32 * words


def test_a_hand_over_and_a_sweep_of_one_tell_who_and_what(house):
    house.world.transact(house.executor, encode_offer_ownership(NEWCOMER), sender=OWNER)
    (taken,) = house.world.transact(house.executor, encode_accept_ownership(), sender=NEWCOMER).logs
    assert taken.topics == (event_topic("OwnershipTaken(address)"), bytes(12) + bytes.fromhex(NEWCOMER[2:]))
    assert house.view("pending_owner", "address") == ZERO_ADDRESS
    swept = house.world.transact(house.executor, encode_sweep_nft(house.puppet, 3), sender=RESCUER).logs[-1]
    assert swept.topics == (
        event_topic("Swept(address,uint256)"),
        bytes(12) + bytes.fromhex(house.puppet[2:]),
    )
    assert int.from_bytes(swept.data) == 1


def test_a_cap_is_tightened_to_what_it_is(house):
    house.allow(Change.cap(64, 7))
    house.world.transact(house.executor, encode_tighten([Change.cap(64, 7)]), sender=OWNER)
    assert house.refused_call(encode_tighten([Change.cap(64, 8)]), sender=OWNER) == "atomic: loosens"
    assert house.view("caps", "uint256", 64) == 7


@pytest.mark.parametrize("place", range(24, 32))
def test_a_policy_key_ends_in_zeros(house, place):
    key = bytearray(policy_key(house.target, selector(TRANSFER)))
    word = Permission(read=True, rules=(ArgumentRule(RuleKind.EXECUTOR, 0),)).word
    house.world.call(
        house.executor, encode_schedule([Change(ChangeKind.POLICY, bytes(key), word)]), sender=OWNER
    )
    key[place] = 1
    dirty = encode_schedule([Change(ChangeKind.POLICY, bytes(key), word)])
    assert house.refused_call(dirty, sender=OWNER) == INADMISSIBLE


def test_the_zero_address_is_ether_for_assets_and_nobody_for_the_treasury(house):
    house.allow(Change.asset(ZERO_ADDRESS), Change.spender(ZERO_ADDRESS))
    assert house.view("assets", "bool", ZERO_ADDRESS) is True
    nobody = Change(ChangeKind.TREASURY, bytes(32), 1)
    assert house.refused_call(encode_schedule([nobody]), sender=OWNER) == INADMISSIBLE


@pytest.mark.parametrize(
    ("kind", "word", "is_admissible"),
    [
        (RuleKind.EXECUTOR, 0, True),
        (RuleKind.RECIPIENT, 0, True),
        (RuleKind.ASSET, 0, False),
        (RuleKind.EXECUTOR, 1, False),
    ],
)
def test_a_transfer_goes_home_by_its_first_rule(house, kind, word, is_admissible):
    rules = (ArgumentRule(kind, word),)
    change = Change(
        ChangeKind.POLICY,
        policy_key(house.a, selector(TRANSFER)),
        Permission(call=True, rules=rules).word,
    )
    data = encode_schedule([change])
    if is_admissible:
        house.world.call(house.executor, data, sender=OWNER)
    else:
        assert house.refused_call(data, sender=OWNER) == INADMISSIBLE


def test_unguard_is_word_one_and_leaves_no_trace(house):
    house.allow(Change.loss_limit(house.a, per_run=1, per_day=1))
    key = Change.unguard(house.a).key
    for word in (0, 2, 2**256 - 1):
        change = Change(ChangeKind.UNGUARD, key, word)
        assert house.refused_call(encode_schedule([change]), sender=OWNER) == INADMISSIBLE
    assert house.view("guarded", "address", 0) == house.a
    house.allow(Change.unguard(house.a))
    assert house.view("guarded", "address", 0) == ZERO_ADDRESS
    assert (house.view("guarded_count", "uint256"), house.view("limits", "uint256", house.a)) == (0, 0)


def test_sweeps_in_one_transaction_do_not_lock_each_other_out(house):
    house.allow(Change.role(house.puppet, Role.RESCUER))
    one = encode_sweep_nft(house.accomplice, 1)
    house.play(*(Action(house.executor, data) for data in (one, encode_sweep([house.a]), one)))
    assert house.outcomes() == [True, True, True]


def test_the_last_address_there_is_can_be_a_token(house):
    """Bit 160 beside a token says that its allowance is reset; no address reaches it."""
    last = address(2**160 - 1)
    house.world.set_code(last, house.world.code(house.a))
    house.send(last, "rebase(uint256)", 10_000)
    house.mint(last, 100)
    house.allow(Change.approval(last), Change.policy(last, selector(TRANSFER), TO_SELF_OR_TREASURY))
    partly = house.program(
        Load.literal(0, 15, 50), Approve(1, last, house.target, 15), house.call(2, PULL, last, 40)
    )
    assert house.refusal(partly).revert.name == "AllowanceLeft"
    wholly = house.program(*house.pull(0, last, 50))
    house.run(wholly)
    assert house.balance(last) == 50

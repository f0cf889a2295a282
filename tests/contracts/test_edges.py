"""The last word that is admitted beside the first that is not, where no other test stands on the edge.

Each was found by a mutant that nobody killed (``make mutants``).
"""

import pytest
from tests.hostile.atomic.house import GUARDIAN, OWNER, RESCUER, TRANSFER

from tidegate.chain import address, event_topic, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    ArgumentRule,
    Change,
    ChangeKind,
    Permission,
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

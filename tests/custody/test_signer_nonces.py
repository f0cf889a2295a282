"""One nonce, one content: what may be signed a second time, and what never."""

import pytest
from tests.custody.signer_world import (
    DAY_S,
    GWEI,
    HOT,
    POOL,
    USD,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
    transfer,
)

from tidegate.chain import encode_call
from tidegate.custody.capability import Purpose

REUSED = ("nonce", "nonce_reused")


@pytest.fixture
def world():
    return SignerWorld()


def at_fees(max_fee_gwei, priority_gwei, **changes):
    fees = {"max_fee_wei": max_fee_gwei * GWEI, "max_priority_fee_wei": priority_gwei * GWEI}
    return transaction(**{**fees, **changes})


def cancel(max_fee_gwei, priority_gwei, **changes):
    return at_fees(max_fee_gwei, priority_gwei, to=HOT.address, data=b"", gas_limit=21_000, **changes)


def test_a_second_signature_is_given_when_both_fees_are_higher(world):
    held = world.load()
    assert is_signed(world.sign(held, at_fees(10, 1)))
    assert is_signed(world.sign(held, at_fees(11, 2)))


@pytest.mark.parametrize("fees", [(10, 2), (11, 1), (9, 2), (11, 0), (9, 0)])
def test_a_second_signature_is_refused_unless_both_fees_are_higher(world, fees):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    assert refusal(world.sign(held, at_fees(*fees))) == REUSED


def test_fees_rise_above_the_highest_that_was_ever_signed(world):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    world.sign(held, at_fees(20, 5))
    assert refusal(world.sign(held, at_fees(15, 6))) == REUSED
    assert is_signed(world.sign(held, at_fees(21, 6)))


@pytest.mark.parametrize(
    "changes",
    [
        {"data": transfer(99 * USD)},
        {"to": POOL, "data": b"", "value_wei": 1},
        {"value_wei": 1},
    ],
)
def test_other_content_under_a_used_nonce_is_refused_whatever_it_pays(world, changes):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    assert refusal(world.sign(held, at_fees(20, 2, **changes))) == REUSED


def test_the_very_same_bytes_give_the_very_same_signature(world):
    held = world.load()
    first = world.sign(held, at_fees(10, 1))
    world.sign(held, at_fees(11, 2))
    assert world.sign(held, at_fees(10, 1)) == first


def test_a_used_nonce_is_signed_for_its_cancel_with_both_fees_higher(world):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    assert refusal(world.sign(held, cancel(10, 1))) == REUSED
    assert is_signed(world.sign(held, cancel(11, 2)))


def test_after_a_cancel_only_cancels_are_signed(world):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    world.sign(held, cancel(11, 2))
    assert refusal(world.sign(held, at_fees(12, 3))) == REUSED
    assert is_signed(world.sign(held, cancel(12, 3)))


def test_a_nonce_that_was_never_signed_may_be_cancelled_and_is_used_by_it(world):
    held = world.load()
    assert is_signed(world.sign(held, cancel(10, 1)))
    assert refusal(world.sign(held, at_fees(20, 2))) == REUSED


def test_a_cancel_needs_no_listed_target_and_keeps_the_caps(world):
    held = world.load(targets=())
    assert is_signed(world.sign(held, cancel(10, 1)))
    assert refusal(world.sign(held, cancel(101, 1, nonce=1))) == ("gas", "fee_cap")


def test_nonces_belong_to_key_and_chain_not_to_desk_or_capability(world):
    held = world.load()
    world.sign(held, at_fees(10, 1))
    other = world.load(desk="momentum")
    changed = at_fees(20, 2, data=transfer(1))
    assert refusal(world.sign(other, changed, desk="momentum")) == REUSED
    exits = world.load(purpose=Purpose.EXIT, expires_at=1_800_000_000 + DAY_S)
    assert is_signed(world.sign(exits, cancel(20, 2)))


def test_a_nonce_is_signed_at_most_16_times_and_then_still_cancelled(world):
    held = world.load(notional_day_usd_e6=10**12, at_risk_day_usd_e6=10**12)
    for step in range(16):
        assert is_signed(world.sign(held, at_fees(10 + step, 1 + step)))
    assert refusal(world.sign(held, at_fees(40, 30))) == ("nonce", "count_limit")
    assert is_signed(world.sign(held, cancel(40, 30)))


def test_after_a_kill_between_record_and_answer_the_nonce_is_used_and_the_signature_the_same(world):
    held = world.load()
    world.journal.dies_after = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.sign(held, at_fees(10, 1))
    world.journal.dies_after = None
    again = world.restarted()
    assert refusal(again.sign(held, at_fees(20, 2, data=transfer(1)))) == REUSED
    answer = again.sign(held, at_fees(10, 1))
    never_killed = SignerWorld()
    assert answer == never_killed.sign(never_killed.load(), at_fees(10, 1))


def test_a_kill_before_the_record_leaves_the_nonce_free(world):
    held = world.load()
    world.journal.fails = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.sign(held, at_fees(10, 1))
    world.journal.fails = None
    assert is_signed(world.restarted().sign(held, at_fees(10, 1, data=transfer(1))))


def test_two_contents_for_one_nonce_in_one_frame_give_one_signature(world):
    held = world.load()
    first, second = world.ask(
        world.request(held, at_fees(10, 1)),
        world.request(held, at_fees(11, 2, data=encode_call("transfer(address,uint256)", POOL, 1))),
    )
    assert is_signed(first)
    assert refusal(second) == REUSED

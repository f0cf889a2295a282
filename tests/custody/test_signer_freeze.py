"""Freezing: anyone may, an administrator ends it, exits are spared unless two people say otherwise."""

import pytest
from tests.custody.signer_world import (
    ANN,
    BOB,
    FRIEND,
    GATE,
    HOT,
    POOL,
    REPAY,
    START_S,
    STRANGER,
    SignerWorld,
    is_signed,
    order,
    refusal,
    transaction,
)
from tests.custody.test_signer_checks import typed

from tidegate.custody.capability import Purpose
from tidegate.custody.orders import OrderKind
from tidegate.custody.requests import AddressOf, Freeze, Revoke, Status, Unfreeze

FROZEN = ("freeze", "frozen")
TWO = ("two_people", "two_people")


@pytest.fixture
def world():
    return SignerWorld()


def freeze(**changes):
    return Freeze(reason="odd", by="watch", **changes)


def unfreeze(**changes):
    return Unfreeze(reason="looked", by="ann", **changes)


def repay(nonce=0):
    return transaction(nonce=nonce, to=POOL, data=bytes.fromhex(REPAY[2:]) + bytes(32))


def exits(world):
    return world.load(purpose=Purpose.EXIT)


def two(kind, first=ANN, second=BOB, **changes):
    return order(kind, first, **changes), order(kind, second, **changes)


def test_any_process_freezes_and_nothing_is_signed_then(world):
    held = world.load()
    assert world.ask(freeze()).verb == "freeze"
    assert refusal(world.sign(held)) == FROZEN
    assert world.ask(AddressOf(key="hot")).address == HOT.address
    assert world.ask(Status()).freeze_reason == "odd"


def test_only_an_administrator_unfreezes(world):
    held = world.load()
    world.ask(freeze())
    assert refusal(world.ask(unfreeze())) == ("administrator", "administrator_only")
    assert refusal(world.sign(held)) == FROZEN
    assert world.ask(unfreeze(), is_admin=True).verb == "unfreeze"
    assert is_signed(world.sign(held))


def test_a_freeze_survives_a_restart(world):
    held = world.load()
    world.ask(freeze())
    assert refusal(world.restarted().sign(held)) == FROZEN


def test_a_freeze_spares_exit_capabilities(world):
    held, closing = world.load(), exits(world)
    world.ask(freeze())
    assert refusal(world.sign(held, repay())) == FROZEN
    assert is_signed(world.sign(closing, repay()))


def test_a_freeze_within_a_frame_counts_for_the_requests_after_it(world):
    held = world.load()
    first, _, second = world.ask(
        world.request(held, transaction()), freeze(), world.request(held, transaction(nonce=1))
    )
    assert is_signed(first)
    assert refusal(second) == FROZEN


def test_two_people_freeze_exits_too(world):
    closing = exits(world)
    hard = freeze(allow_exit=False, approvals=two(OrderKind.FREEZE_EXITS))
    assert refusal(world.ask(hard)) == ("administrator", "administrator_only")
    assert is_signed(world.sign(closing, repay()))
    assert world.ask(hard, is_admin=True).verb == "freeze"
    assert refusal(world.sign(closing, repay(1))) == FROZEN
    assert refusal(world.restarted().sign(closing, repay(1))) == FROZEN


@pytest.mark.parametrize(
    "approvals",
    [
        (),
        two(OrderKind.FREEZE_EXITS)[:1],
        two(OrderKind.FREEZE_EXITS, ANN, ANN),
        two(OrderKind.FREEZE_EXITS, ANN, GATE),
        two(OrderKind.FREEZE_EXITS, ANN, STRANGER),
        two(OrderKind.UNFREEZE),
        two(OrderKind.FREEZE_EXITS, subject="x"),
        two(OrderKind.FREEZE_EXITS, signer=FRIEND),
        two(OrderKind.FREEZE_EXITS, at_s=START_S - 3_600),
        two(OrderKind.FREEZE_EXITS, at_s=START_S + 1),
        (b"{}", b"{}"),
    ],
    ids=[
        "none",
        "one",
        "the same",
        "a gate",
        "a stranger",
        "another kind",
        "another subject",
        "another signer",
        "old",
        "future",
        "malformed",
    ],
)
def test_exits_are_frozen_by_fresh_orders_of_two_different_people_alone(world, approvals):
    closing = exits(world)
    assert refusal(world.ask(freeze(allow_exit=False, approvals=approvals), is_admin=True)) == TWO
    assert is_signed(world.sign(closing, repay()))


def test_an_order_is_good_once(world):
    orders = two(OrderKind.FREEZE_EXITS)
    hard = freeze(allow_exit=False, approvals=orders)
    world.ask(hard, is_admin=True)
    world.ask(unfreeze(approvals=two(OrderKind.UNFREEZE)), is_admin=True)
    assert refusal(world.ask(hard, is_admin=True)) == TWO
    assert refusal(world.restarted().ask(hard, is_admin=True)) == TWO


def test_what_two_people_froze_two_people_unfreeze(world):
    closing = exits(world)
    world.ask(freeze(allow_exit=False, approvals=two(OrderKind.FREEZE_EXITS)), is_admin=True)
    assert refusal(world.ask(unfreeze(), is_admin=True)) == TWO
    assert refusal(world.sign(closing, repay())) == FROZEN
    world.ask(unfreeze(approvals=two(OrderKind.UNFREEZE)), is_admin=True)
    assert is_signed(world.sign(closing, repay()))


def test_a_later_freeze_does_not_loosen_what_two_people_froze(world):
    closing = exits(world)
    world.ask(freeze(allow_exit=False, approvals=two(OrderKind.FREEZE_EXITS)), is_admin=True)
    world.ask(freeze())
    assert refusal(world.sign(closing, repay())) == FROZEN
    assert refusal(world.ask(unfreeze(), is_admin=True)) == TWO


def test_an_exit_capability_is_withdrawn_by_two_people(world):
    closing = exits(world)
    alone = Revoke(capability_id=closing, reason="gone", by="ann")
    assert refusal(world.ask(alone, is_admin=True)) == TWO
    assert is_signed(world.sign(closing, repay()))
    orders = two(OrderKind.REVOKE, subject=closing)
    both = Revoke(capability_id=closing, reason="gone", by="ann", approvals=orders)
    assert world.ask(both, is_admin=True).verb == "revoke"
    assert refusal(world.sign(closing, repay(1))) == ("capability", "capability_revoked")


@pytest.mark.parametrize(
    "opening",
    [
        transaction(),
        transaction(to=POOL, data=b"", value_wei=1),
        transaction(to=POOL, data=bytes.fromhex(REPAY[2:]) + bytes(32), value_wei=1),
    ],
    ids=["transfer", "coin", "value"],
)
def test_an_exit_capability_signs_only_what_reduces(world, opening):
    closing = exits(world)
    assert refusal(world.sign(closing, opening)) == ("policies", "policy_refused")
    assert is_signed(world.sign(world.load(), opening))
    assert is_signed(world.sign(closing, repay(1)))


def test_an_exit_capability_signs_no_permit(world):
    closing = exits(world)
    assert refusal(world.sign_typed(closing, typed())) == ("policies", "policy_refused")
    assert is_signed(world.sign_typed(world.load(), typed()))

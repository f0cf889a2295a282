"""Attacks on the clock: forward to free the day's limits, backward to keep what is over."""

from dataclasses import dataclass, field

import pytest
from tests.custody.signer_world import (
    ANN,
    BOB,
    DAY_S,
    START_S,
    USD,
    SignerWorld,
    is_signed,
    order,
    refusal,
    transaction,
    transfer,
)
from tests.custody.witness.test_view import SUBJECT, Scripted, serving

from tidegate.custody import WitnessView
from tidegate.custody.orders import OrderKind
from tidegate.custody.requests import Freeze, Status
from tidegate.model import Stage


@dataclass
class MovedClock:
    """The machine's clock, which someone sets; time itself passes all the same."""

    wall_ms: int = START_S * 1000
    passed_ns: int = field(default=10**12)

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_ns(self) -> int:
        return self.passed_ns

    def set(self, seconds: int) -> None:
        self.wall_ms += seconds * 1000

    def wait(self, seconds: int) -> None:
        self.set(seconds)
        self.passed_ns += seconds * 10**9


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def world(clock) -> SignerWorld:
    return SignerWorld(clock=clock)


def spend_the_day(world: SignerWorld, held: str) -> None:
    for nonce, dollars in enumerate((1_000, 1_000, 500)):
        assert is_signed(world.sign(held, transaction(nonce=nonce, data=transfer(dollars * USD))))


def more(world: SignerWorld, held: str):
    return world.sign(held, transaction(nonce=9, data=transfer(USD)))


def test_a_clock_set_forward_does_not_free_the_day(world, clock):
    held = world.load()
    spend_the_day(world, held)
    clock.set(DAY_S)
    assert refusal(more(world, held)) == ("capability", "capability_expired")
    renewed = world.load(serial=2, not_before=START_S + DAY_S, expires_at=START_S + 2 * DAY_S)
    assert refusal(more(world, renewed)) == ("notional", "notional_limit")
    world.ask(Status())  # looking does not free it either
    assert refusal(more(world, renewed)) == ("notional", "notional_limit")


def test_a_clock_set_back_and_forth_does_not_free_the_day(world, clock):
    clock.wait(2 * DAY_S)
    now = START_S + 2 * DAY_S
    held = world.load(not_before=now - 10, expires_at=now + DAY_S - 10)
    clock.set(-DAY_S)
    spend_the_day(world, held)
    clock.set(DAY_S)
    assert refusal(more(world, held)) == ("notional", "notional_limit")


def test_a_clock_set_back_does_not_keep_a_capability_alive(world, clock):
    held = world.load()
    clock.wait(DAY_S)
    clock.set(-DAY_S // 2)
    assert refusal(more(world, held)) == ("capability", "capability_expired")


def test_a_clock_set_back_does_not_bring_an_old_order_back(world, clock):
    orders = tuple(order(OrderKind.FREEZE_EXITS, who) for who in (ANN, BOB))
    clock.wait(3_600)
    clock.set(-3_600)
    answer = world.ask(Freeze(reason="r", by="me", allow_exit=False, approvals=orders), is_admin=True)
    assert refusal(answer) == ("two_people", "two_people")


def test_a_clock_set_back_keeps_no_reading_of_a_code_young_and_makes_none_unusable(tmp_path, clock):
    async def act(path):
        view = WitnessView(path, age_max_s=600, clock=clock)
        await view.ensure({SUBJECT})
        clock.set(-3_600)
        assert view.missing({SUBJECT}) == set()
        clock.wait(601)
        assert view.missing({SUBJECT}) == {SUBJECT}
        await view.ensure({SUBJECT})
        assert view.missing({SUBJECT}) == set()
        reading = view.code(*SUBJECT)
        assert reading is not None
        assert reading.read_at_ms == START_S * 1000 + 601_000

    serving(tmp_path, Scripted(), act)


def test_the_day_comes_free_when_a_day_has_passed_by_both(world, clock):
    held = world.load()
    spend_the_day(world, held)
    clock.wait(DAY_S)
    renewed = world.load(serial=2, not_before=START_S + DAY_S, expires_at=START_S + 2 * DAY_S)
    assert is_signed(more(world, renewed))


def test_charges_of_a_future_that_was_taken_back_count_over_a_restart(world, clock):
    clock.set(DAY_S)
    held = world.load(not_before=START_S, expires_at=START_S + DAY_S + 10, stage=Stage.PRODUCTION)
    spent = transaction(data=transfer(1_000 * USD))
    assert is_signed(world.sign(held, spent, stage=Stage.PRODUCTION))
    clock.set(-DAY_S)
    [shown] = world.restarted().ask(Status()).capabilities
    assert shown.notional_used_usd_e6 == 1_000 * USD


def test_what_they_do_gain_with_the_clock_and_a_restart_is_a_day_freed_early(world, clock):
    """The stated gap: over a restart only the machine's clock is left."""
    held = world.load()
    spend_the_day(world, held)
    clock.set(DAY_S)
    renewed = {"serial": 2, "not_before": START_S + DAY_S, "expires_at": START_S + 2 * DAY_S}
    assert refusal(more(world, world.load(**renewed))) == ("notional", "notional_limit")
    restarted = world.restarted()
    assert is_signed(more(restarted, restarted.load(**{**renewed, "serial": 3})))

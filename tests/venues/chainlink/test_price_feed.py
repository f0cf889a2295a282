from __future__ import annotations

import pytest

from tidegate.chain import event_topic
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import FastWorld, WorldReverted
from tidegate.venues.calls import read, send
from tidegate.venues.chainlink import PriceFeed, deploy_price_feed, set_answer, set_round

DEPLOYER, OWNER, STRANGER = (Address("0x" + f"{number:040x}") for number in range(0x2001, 0x2004))
PHASE = 1 << 64
ROUND = "(uint80,int256,uint256,uint256,uint80)"


@pytest.fixture
def fresh() -> FastWorld:
    return FastWorld()


@pytest.fixture
def feed(fresh: FastWorld) -> PriceFeed:
    return deploy_price_feed(
        fresh, description="ETH / USD", first_answer=3_000 * 10**8, owner=OWNER, deployer=DEPLOYER
    )


def latest(world: FastWorld, feed: PriceFeed) -> tuple[int, ...]:
    rounded: tuple[int, ...] = read(world, feed.address, f"latestRoundData(){ROUND}")
    return rounded


def test_a_new_feed_answers_at_once(fresh: FastWorld, feed: PriceFeed) -> None:
    now = fresh.block().timestamp
    assert latest(fresh, feed) == (PHASE + 1, 3_000 * 10**8, now, now, PHASE + 1)
    assert read(fresh, feed.address, "decimals()(uint8)") == 8
    assert read(fresh, feed.address, "description()(string)") == "ETH / USD"
    assert read(fresh, feed.address, "heartbeat_s()(uint256)") == 3_600
    assert read(fresh, feed.address, "version()(uint256)") == 4


def test_each_answer_is_a_round_of_its_own(fresh: FastWorld, feed: PriceFeed) -> None:
    first = latest(fresh, feed)
    receipt = set_answer(fresh, feed, 2_900 * 10**8)
    now = fresh.block().timestamp
    assert latest(fresh, feed) == (PHASE + 2, 2_900 * 10**8, now, now, PHASE + 2)
    assert read(fresh, feed.address, f"getRoundData(uint80){ROUND}", PHASE + 1) == first
    assert read(fresh, feed.address, "latestAnswer()(int256)") == 2_900 * 10**8
    assert read(fresh, feed.address, "latestTimestamp()(uint256)") == now
    assert read(fresh, feed.address, "latestRound()(uint256)") == PHASE + 2
    assert [log.topics[0] for log in receipt.logs] == [
        event_topic("NewRound(uint256,address,uint256)"),
        event_topic("AnswerUpdated(int256,uint256,uint256)"),
    ]


@pytest.mark.parametrize("answer", [0, -1, 2**200, -(2**255)])
@pytest.mark.parametrize("age_s", [0, 10**6, -600])
def test_a_round_can_say_anything(fresh: FastWorld, feed: PriceFeed, answer: int, age_s: int) -> None:
    at = fresh.block().timestamp - age_s
    set_round(fresh, feed, answer, started_at_s=at, updated_at_s=at)
    assert latest(fresh, feed)[1:4] == (answer, at, at)


def test_an_incomplete_round_has_no_time(fresh: FastWorld, feed: PriceFeed) -> None:
    set_round(fresh, feed, 1, started_at_s=fresh.block().timestamp, updated_at_s=0)
    assert latest(fresh, feed)[3] == 0


@pytest.mark.parametrize("number", [0, 1, PHASE, PHASE + 2, 2 * PHASE + 1])
def test_a_round_that_never_was_is_refused(fresh: FastWorld, feed: PriceFeed, number: int) -> None:
    with pytest.raises(WorldReverted, match="price_feed: no such round"):
        read(fresh, feed.address, f"getRoundData(uint80){ROUND}", number)


def test_only_the_owner_answers(fresh: FastWorld, feed: PriceFeed) -> None:
    with pytest.raises(WorldReverted, match="price_feed: not the owner"):
        send(fresh, feed.address, "set_answer(int256)", 1, sender=STRANGER)
    with pytest.raises(WorldReverted, match="price_feed: not the owner"):
        send(fresh, feed.address, "set_round(int256,uint256,uint256)", 1, 1, 1, sender=STRANGER)
    assert latest(fresh, feed)[1] == 3_000 * 10**8


def test_a_feed_needs_an_owner(fresh: FastWorld) -> None:
    with pytest.raises(WorldReverted, match="price_feed: owner"):
        deploy_price_feed(
            fresh, description="ETH / USD", first_answer=1, owner=ZERO_ADDRESS, deployer=DEPLOYER
        )

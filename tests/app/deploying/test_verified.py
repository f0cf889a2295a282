"""Production refuses what nobody has confirmed: all that the policy on chain names, and its feeds."""

from __future__ import annotations

import msgspec
import pytest
from tests.app.deploying.conftest import Ground

from tidegate.app.devnet import change_executor
from tidegate.app.running.verified import demand_verified
from tidegate.model import ConfigError
from tidegate.venues.executor import Change


def demanded(ground: Ground, book) -> None:
    ground.run(lambda pool: demand_verified(pool, book, {"main1"}))


def test_production_runs_when_every_address_of_the_policy_is_confirmed(ground: Ground) -> None:
    router = ground.devnet.uniswap_v3.router02
    change_executor(ground.world, ground.devnet, [Change.spender(router), Change.asset(ground.devnet.weth)])
    demanded(ground, ground.place.book)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("uniswap_v3.router02", "uniswap_v3.router02"),
        ("feed.ETH/USD", "feed.ETH/USD"),
        ("executor.main1", "executor.main1"),
    ],
)
def test_production_refuses_an_address_that_is_unverified(ground: Ground, name: str, says: str) -> None:
    router = ground.devnet.uniswap_v3.router02
    change_executor(ground.world, ground.devnet, [Change.spender(router), Change.asset(ground.devnet.weth)])
    book = ground.place.book
    blank = msgspec.structs.replace(book.entry(name), code_hash="")
    with pytest.raises(ConfigError, match="nobody has confirmed") as refused:
        demanded(ground, book.with_entries(blank))
    assert refused.value.code == "unverified_addresses"
    assert refused.value.found == says


def test_production_refuses_an_account_that_the_book_does_not_know(ground: Ground) -> None:
    stranger = ground.account("trader")
    change_executor(ground.world, ground.devnet, [Change.spender(stranger)])
    with pytest.raises(ConfigError) as refused:
        demanded(ground, ground.place.book)
    assert refused.value.found == stranger


def test_an_address_that_the_policy_does_not_name_may_stay_unverified(ground: Ground) -> None:
    book = ground.place.book
    blank = msgspec.structs.replace(book.entry("uniswap_v2.router"), code_hash="")
    demanded(ground, book.with_entries(blank))

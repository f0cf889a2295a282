"""Triggers: what is waited for, and what this version refuses to wait for instead of never firing."""

from __future__ import annotations

import pytest
from tests.desks.atomic.machine.texts import DECIMALS, HEAD, SELL

from tidegate.desks.atomic import Strategy, parse_strategy
from tidegate.desks.atomic.machine.triggers import schedule_of
from tidegate.model import ConfigError


def with_trigger(trigger: str) -> Strategy:
    text = HEAD.replace("trigger: {manual: {}}", f"trigger: {trigger}")
    return parse_strategy(f"{text.strip()}\nsteps:\n  - {SELL}\n".encode(), "t.yaml", {"ethereum": DECIMALS})


@pytest.mark.parametrize(
    ("trigger", "every_blocks"),
    [
        ("{manual: {}}", 0),
        ("{every_block: {}}", 1),
        ("{every_block: {interval: 7}}", 7),
        ("{any: [{every_block: {interval: 4}}, {every_block: {interval: 6}}]}", 2),
        ("{any: [{manual: {}}, {every_block: {interval: 6}}]}", 6),
        ("{all: [{every_block: {interval: 4}}, {every_block: {interval: 6}}]}", 12),
        ("{all: [{manual: {}}, {every_block: {interval: 6}}]}", 0),
    ],
)
def test_blocks_and_people_are_waited_for(trigger: str, every_blocks: int) -> None:
    assert schedule_of(with_trigger(trigger).trigger).every_blocks == every_blocks


@pytest.mark.parametrize(
    ("trigger", "name"),
    [
        ("{price: {pair: WETH/USDC, source: chainlink, above: 4000 USDC}}", "price"),
        ("{schedule: {cron: '0 * * * *'}}", "schedule"),
        ("{health_factor: {protocol: aave_v3, user: executor, below: 1.2}}", "health_factor"),
        ("{any: [{every_block: {}}, {schedule: {cron: '0 * * * *'}}]}", "schedule"),
    ],
)
def test_other_triggers_say_that_they_are_not_waited_for(trigger: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"the {name} trigger can not be waited for yet") as caught:
        schedule_of(with_trigger(trigger).trigger)
    assert caught.value.position is not None

"""The registry: names, parameters and their ranges, guards from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from tidegate.model import ConfigError, GuardResult, Placement
from tidegate.risk import guards as room
from tidegate.risk.guards import (
    ENTRY_POINT_GROUP,
    Guard,
    GuardContext,
    Parameter,
    ParameterKind,
    fill_parameters,
    find_guard,
    guards,
    judge,
    registry,
    verdict,
)
from tidegate.risk.guards.deadline import Deadline


class Mood:
    """A guard from outside: it passes, and its parameter is a word."""

    name = "mood"
    placements = frozenset({Placement.PRE})
    parameters: ClassVar = {"is": Parameter(ParameterKind.NAME, default="calm", choices=("calm", "sea"))}

    def reads(self, context: GuardContext) -> tuple[()]:
        return ()

    def pre(self, context: GuardContext) -> GuardResult:
        calm = context.text("is") == "calm"
        return verdict(
            "mood", Placement.PRE, passed=calm, code="rough", measured=None, bound=None, unit="", at_block=1
        )

    def ops(self, context: GuardContext) -> tuple[()]:
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        raise NotImplementedError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points as packages would bring them."""
    points: list[EntryPoint] = []

    def found(*, group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr(registry, "entry_points", found)
    guards.cache_clear()
    yield points
    guards.cache_clear()


def test_the_built_in_guards_are_there() -> None:
    assert list(guards()) == [
        "balance_floor",
        "code_hash",
        "deadline",
        "flash_liquidity",
        "lender_concentration",
        "max_base_fee",
        "max_gas",
        "min_health_factor",
        "min_profit",
        "oracle_sanity",
        "position_delta",
        "price_impact",
        "price_range",
        "reserve_active",
        "sequencer_up",
        "slippage",
        "twap_sanity",
    ]
    assert all(isinstance(guard.name, str) and guard.name == name for name, guard in guards().items())


def test_a_guard_from_outside_is_one_entry_point(installed: list[EntryPoint], context: GuardContext) -> None:
    installed.append(EntryPoint("mood", f"{__name__}:Mood", ENTRY_POINT_GROUP))
    guard: Guard = find_guard("mood")
    for word, passed in (("calm", True), ("sea", False)):
        filled = fill_parameters(guard, {"is": word})
        result = judge(guard, Placement.PRE, _with(context, filled), on_failure="warn")
        assert (result.passed, result.on_failure) == (passed, "warn")


def test_two_guards_of_one_name_are_refused(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("again", f"{Deadline.__module__}:Deadline", ENTRY_POINT_GROUP))
    with pytest.raises(ConfigError, match="two guards are called deadline"):
        guards()


def test_an_unknown_guard_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean slippage") as caught:
        find_guard("slipage")
    assert caught.value.code == "ATM111"
    with pytest.raises(ConfigError, match="use one of these"):
        find_guard("zzz")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("slippage", {}, "needs max"),
        ("slippage", {"max": 0}, "out of range"),
        ("slippage", {"max": 301}, "out of range"),
        ("slippage", {"max": "many"}, "wrong type"),
        ("slippage", {"max": True}, "wrong type"),
        ("slippage", {"max": 30, "maks": 1}, "did you mean max"),
        ("deadline", {"when": 1}, "has no parameter when"),
        ("oracle_sanity", {"max_deviation": 5}, "needs pair"),
        ("oracle_sanity", {"pair": 5}, "wrong type"),
        ("oracle_sanity", {"pair": "WETH/USDC", "max_deviation": 2_001}, "out of range"),
        ("min_health_factor", {"min": 101 * 10**16 - 1}, "out of range"),
        ("min_health_factor", {"protocol": "compound"}, "protocol is not known"),
    ],
)
def test_wrong_parameters_are_refused(name: str, given: dict[str, int | str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        fill_parameters(find_guard(name), given)
    assert caught.value.code == "ATM112"


def test_defaults_are_filled_in() -> None:
    assert fill_parameters(find_guard("min_health_factor"), {}) == {
        "min": 12 * 10**17,
        "protocol": "aave_v3",
        "user": "executor",
    }
    given = fill_parameters(find_guard("oracle_sanity"), {"pair": "WETH/USDC"})
    assert given == {"pair": "WETH/USDC", "max_deviation": 100}


def test_placement_in_is_judged_on_chain_alone(context: GuardContext) -> None:
    with pytest.raises(ValueError, match="on chain"):
        judge(find_guard("deadline"), Placement.IN, context)


def test_parameters_are_asked_for_by_type(context: GuardContext) -> None:
    given = _with(context, {"number": 1, "word": "x"})
    assert (given.integer("number"), given.text("word")) == (1, "x")
    with pytest.raises(AssertionError):
        given.integer("word")
    with pytest.raises(AssertionError):
        given.text("number")


def test_the_front_door() -> None:
    assert sorted(room.__all__) == [
        "BalanceOf",
        "Before",
        "CodeOf",
        "ENTRY_POINT_GROUP",
        "Guard",
        "GuardContext",
        "Hop",
        "LendingFacts",
        "LentFacts",
        "LoanFacts",
        "OnChain",
        "OnChainCheck",
        "OnChainLine",
        "PASSED",
        "Parameter",
        "ParameterKind",
        "Position",
        "Question",
        "Read",
        "RunFacts",
        "StepFacts",
        "feeds_of",
        "fill_parameters",
        "find_guard",
        "guards",
        "judge",
        "verdict",
        "word",
    ]


def _with(context: GuardContext, parameters: dict[str, int | str]) -> GuardContext:
    return replace(context, parameters=parameters)


@pytest.mark.parametrize(
    ("guard", "given", "found", "allowed"),
    [
        ("min_health_factor", {"min": 10**18}, "1", "1.01 to 100"),
        ("slippage", {"max": 301}, "301 bps", "1 bps to 300 bps"),
    ],
)
def test_ranges_are_shown_in_units_that_people_write(
    guard: str, given: dict[str, int | str], found: str, allowed: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        fill_parameters(find_guard(guard), given)
    assert (caught.value.found, caught.value.allowed) == (found, allowed)

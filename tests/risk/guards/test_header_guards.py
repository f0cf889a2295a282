"""Deadline, gas and base fee: each fires one step beyond its bound and not at it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from tidegate.model import Placement, Receipt
from tidegate.risk.guards import GuardContext, find_guard, judge


def at(context: GuardContext, **block: int) -> GuardContext:
    return replace(context, block=msgspec.structs.replace(context.block, **block))


@pytest.mark.parametrize(("late_s", "passed"), [(-1, True), (0, False), (1, False)])
def test_deadline_before_sending(context: GuardContext, late_s: int, passed: bool) -> None:
    result = judge(
        find_guard("deadline"), Placement.PRE, at(context, timestamp=context.run.deadline_s + late_s)
    )
    assert (result.passed, result.unit) == (passed, "seconds")
    assert result.code == ("ok" if passed else "deadline_passed")


@pytest.mark.parametrize(("late_s", "passed"), [(0, True), (1, False)])
def test_deadline_after_inclusion(context: GuardContext, late_s: int, passed: bool) -> None:
    included = at(context, timestamp=context.run.deadline_s + late_s)
    assert judge(find_guard("deadline"), Placement.POST, included).passed is passed


@pytest.mark.parametrize(("gas", "passed"), [(900_000, True), (900_001, False)])
def test_max_gas(context: GuardContext, gas: int, passed: bool) -> None:
    planned = replace(context, run=replace(context.run, gas_limit=gas))
    result = judge(find_guard("max_gas"), Placement.PRE, planned)
    assert (result.passed, result.measured, result.bound) == (passed, gas, 900_000)
    receipt = Receipt(transaction_hash=b"", status=1, gas_used=gas, block_number=101, logs=())
    included = judge(find_guard("max_gas"), Placement.POST, replace(context, receipt=receipt))
    assert included.passed is passed


def test_max_gas_without_a_receipt_has_not_passed(context: GuardContext) -> None:
    result = judge(find_guard("max_gas"), Placement.POST, context)
    assert (result.passed, result.code) == (False, "guard_error")


@pytest.mark.parametrize("placement", [Placement.PRE, Placement.POST])
@pytest.mark.parametrize(("fee_wei", "passed"), [(40 * 10**9, True), (40 * 10**9 + 1, False)])
def test_max_base_fee(context: GuardContext, placement: Placement, fee_wei: int, passed: bool) -> None:
    result = judge(find_guard("max_base_fee"), placement, at(context, base_fee_wei=fee_wei))
    assert (result.passed, result.measured) == (passed, fee_wei)
    assert result.code == ("ok" if passed else "base_fee_above_max")


@pytest.mark.parametrize("name", ["deadline", "max_gas", "max_base_fee"])
def test_inside_the_transaction_header_and_gas_limit_stand_for_them(context: GuardContext, name: str) -> None:
    guard = find_guard(name)
    assert guard.ops(context) == ()
    assert guard.reads(context) == ()
    assert guard.placements == frozenset(Placement)

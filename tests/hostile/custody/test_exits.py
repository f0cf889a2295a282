"""A worker in other hands asks for an exit whose swap brings what was withdrawn to somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.venues.executor.golden import EXECUTOR, ROUTER, USDC, WETH
from tests.venues.test_exits import CHECK, FUNCTIONS, SOLD, THIEF, health, judged, program, withdraw

from tidegate.chain import selector
from tidegate.model import Operation
from tidegate.venues import BESIDE, WordSource, catalogue, judge_operation
from tidegate.venues.actions import ActionSpec
from tidegate.venues.executor import Approve, Call, Patch, Program

SWAPS: list[ActionSpec] = [
    edition
    for spec in catalogue().values()
    if spec.kind in BESIDE
    for edition in spec.all_editions
    if edition.recipient_word is not None
]
FUNCTIONS_HERE = replace(
    FUNCTIONS, beside=frozenset((ROUTER, one.selector) for one in SWAPS) | FUNCTIONS.beside
)


def selling(spec: ActionSpec, changed: dict[int, int], *patches: Patch) -> Program:
    own = {
        place: int(EXECUTOR, 16) if word.source is WordSource.SELF else word.constant
        for place, word in enumerate(spec.words)
        if word.source in (WordSource.SELF, WordSource.CONSTANT)
    }
    words = [({**own, **changed}.get(place) or 0).to_bytes(32) for place in range(len(spec.words) + 4)]
    swap = Call(14, ROUTER, spec.selector + b"".join(words), patches=patches)
    return program(withdraw(), Approve(13, WETH, ROUTER, SOLD, zero_after=True), swap, health(), CHECK)


def verdict(made: Program) -> tuple[Operation, str]:
    found = judge_operation(made, EXECUTOR, FUNCTIONS_HERE)
    return found.operation, found.why_no_exit


@pytest.mark.parametrize("spec", SWAPS, ids=lambda spec: spec.signature)
def test_an_exit_whose_swap_pays_somebody_else_is_no_exit(spec: ActionSpec) -> None:
    place = spec.recipient_word
    assert place is not None
    assert verdict(selling(spec, {})) == (Operation.WITHDRAW, "")
    for made in (
        selling(spec, {place: int(THIEF, 16)}),
        selling(spec, {place: int(EXECUTOR, 16) + 2**160}),
        selling(spec, {}, Patch(place, SOLD)),
    ):
        operation, why = verdict(made)
        assert operation is Operation.OPEN
        assert "to the executor" in why


@pytest.mark.parametrize("spec", SWAPS, ids=lambda spec: spec.signature)
def test_an_exit_whose_swap_hides_its_recipient_behind_an_offset_is_no_exit(spec: ActionSpec) -> None:
    for place, word in enumerate(spec.words):
        if word.source is WordSource.CONSTANT:
            for made in (selling(spec, {place: 0x160}), selling(spec, {}, Patch(place, SOLD))):
                assert verdict(made)[0] is Operation.OPEN


def test_a_function_that_no_adapter_knows_is_no_exit_although_a_capability_lists_it_beside() -> None:
    foreign = selector("swapAndSend(address,address)")
    functions = replace(FUNCTIONS, beside=frozenset({(ROUTER, foreign)}))
    swap = Call(14, ROUTER, foreign + bytes(12) + bytes.fromhex(USDC[2:]) + bytes(32))
    made = program(withdraw(), Approve(13, WETH, ROUTER, SOLD, zero_after=True), swap, health(), CHECK)
    assert judge_operation(made, EXECUTOR, functions).operation is Operation.OPEN
    assert judged(program(withdraw(), health(), CHECK))[0] is Operation.WITHDRAW

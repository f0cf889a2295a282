"""The executor's own refusals in a person's words: tokens by symbol, amounts in whole tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tidegate.model import UINT256_MAX, ZERO_ADDRESS, Address, Plan, Revert, format_units
from tidegate.venues.executor.abi import decode_execute
from tidegate.venues.executor.disassembler import disassemble
from tidegate.venues.executor.errors import Glossary
from tidegate.venues.executor.program import Check, Comparison, Flash, Op, walk

_PLACES = 6
_DEMANDS = {
    Comparison.AT_LEAST: "at least {}",
    Comparison.AT_MOST: "at most {}",
    Comparison.EQUAL: "exactly {}",
    Comparison.NEAR: "close to {}",
}


def worded(revert: Revert, plan: Plan, glossary: Glossary) -> Revert:
    """Return a refusal of the run as a whole with a sentence for its name; any other as it is.

    Amounts are cut toward zero after six places, unless two that differ would read alike. A token
    that the plan does not bound has no decimals here: its amounts stay base units. ``data`` is kept.
    """
    if revert.kind != "custom":
        return revert
    values: dict[str, Any] = dict(revert.arguments)
    tokens = _Tokens(plan, glossary)
    match revert.name:
        case "DeltaTooLow":
            delta, floor = tokens.amounts(values["token"], values["delta"], values["floor"])
            sign = "+" if values["delta"] > 0 else ""
            text = f"{tokens.name(values['token'])} changed by {sign}{delta}, at least {floor} was demanded"
        case "LossTooHigh":
            run, day = tokens.amounts(values["token"], values["run"], values["day"])
            text = (
                f"{tokens.name(values['token'])} would lose {run} in this run and {day} today, "
                "more than the executor allows"
            )
        case "AllowanceLeft":
            spender = glossary.account(values["spender"])
            text = f"an allowance of {tokens.name(values['token'])} to {spender} would be left"
        case "FeeTooHigh":
            text = _fee(values, tokens, _operations(plan))
        case "CheckFailed":
            text = _check(values, plan, _operations(plan))
        case _:
            return revert
    return msgspec.structs.replace(revert, name=text, arguments=())


class _Tokens:
    """Names and decimals of the tokens that a plan bounds."""

    def __init__(self, plan: Plan, glossary: Glossary) -> None:
        self._bounds = {bound.token: bound for bound in plan.bounds}
        self._glossary = glossary

    def name(self, token: Address) -> str:
        if token in self._bounds:
            return self._bounds[token].symbol
        return "ETH" if token == ZERO_ADDRESS else self._glossary.account(token)

    def amounts(self, token: Address | None, *amounts: int) -> tuple[str, ...]:
        bound = None if token is None else self._bounds.get(token)
        if bound is None:
            return tuple(f"{amount} base units" for amount in amounts)
        cut = tuple(format_units(amount, bound.decimals, _PLACES) for amount in amounts)
        if len(set(cut)) == len(set(amounts)) and "-0" not in cut:
            return cut
        return tuple(format_units(amount, bound.decimals) for amount in amounts)


def _operations(plan: Plan) -> tuple[Op, ...]:
    return tuple(walk(disassemble(decode_execute(plan.data)).ops))


def _fee(values: Mapping[str, Any], tokens: _Tokens, operations: tuple[Op, ...]) -> str:
    lent = {op.token for op in operations if isinstance(op, Flash)}
    token = lent.pop() if len(lent) == 1 else None
    fee, most = tokens.amounts(token, values["fee"], values["max"])
    symbol = "" if token is None else f" {tokens.name(token)}"
    return f"the loan's fee is {fee}{symbol}, at most {most} was planned"


def _check(values: Mapping[str, Any], plan: Plan, operations: tuple[Op, ...]) -> str:
    """Return what a check asked; its label alone tells the unit, the bytes have none."""
    label = next((step.label for step in plan.steps if step.tag == values["tag"]), "").removeprefix("check ")
    found = [op.comparison for op in operations if isinstance(op, Check) and op.tag == values["tag"]]
    demand = _DEMANDS[found[0]] if found else "{}"
    left, right = (_checked(values[side], label) for side in ("left", "right"))
    return f"{label or 'a checked value'} was {left}, {demand.format(right)} was demanded"


def _checked(value: int, label: str) -> str:
    if value == UINT256_MAX:
        return "without limit"
    if "health factor" in label:  # WAD, as lending protocols give it
        return format_units(value, 18, 4)
    return f"{value:,}"

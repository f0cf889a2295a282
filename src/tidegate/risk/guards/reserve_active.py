"""A lending market whose reserve is paused, frozen or full refuses: better to know before sending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.chain import address, encode_call
from tidegate.model import Address, GuardResult, Placement
from tidegate.risk.guards.facts import LendingFacts, Question, Read, word
from tidegate.risk.guards.interface import GuardContext, Parameter, verdict
from tidegate.risk.guards.onchain import OnChainCheck
from tidegate.venues import ActionKind

TOTAL_SUPPLY = encode_call("totalSupply()")
A_TOKEN_WORD, DEBT_TOKEN_WORD = 8, 10
"""Words of ``Pool.getReserveData``, whose word 0 is the reserve's configuration."""

# Bits of the configuration: ReserveConfiguration.sol of Aave v3.
_DECIMALS, _ACTIVE, _FROZEN, _BORROWING, _PAUSED, _BORROW_CAP, _SUPPLY_CAP = 48, 56, 57, 58, 60, 80, 116
_CAP_MASK = 2**36 - 1
_GROWS = frozenset({ActionKind.SUPPLY, ActionKind.BORROW})


class ReserveActive:
    """Each reserve that a step uses is active and not paused.

    One that a step supplies or borrows is not frozen either, may be borrowed if it is, and has not
    reached its cap. Every strategy with a step on Aave v3 has it by itself. Inside, the market itself
    refuses.
    """

    name = "reserve_active"
    placements = frozenset({Placement.PRE})
    parameters: Mapping[str, Parameter] = {}

    def reads(self, context: GuardContext) -> tuple[Question, ...]:
        """Return each reserve's data, and once that is known, what is supplied and owed of it."""
        found: dict[Question, None] = {}
        for step in context.lendings:
            found[reserve_data(context, step.protocol, step.asset)] = None
            found.update(dict.fromkeys(_totals(context, step)))
        return tuple(found)

    def pre(self, context: GuardContext) -> GuardResult:
        """Judge the head: the first step that its market would refuse."""
        for step in context.lendings:
            code = _refusal(context, step)
            if code is not None:
                return self._judged(context, code, f"{step.asset} on {step.protocol} for {step.step_id}")
        return self._judged(context, None, "")

    def ops(self, context: GuardContext) -> tuple[OnChainCheck, ...]:  # noqa: ARG002 - the interface
        """Return nothing: the market itself refuses."""
        return ()

    def post(self, context: GuardContext) -> GuardResult:
        """Refuse: what was included was not refused."""
        raise NotImplementedError(f"{self.name} does not stand after inclusion")

    def _judged(self, context: GuardContext, code: str | None, note: str) -> GuardResult:
        return verdict(
            self.name,
            Placement.PRE,
            passed=code is None,
            code=code or "",
            measured=None,
            bound=None,
            unit="",
            at_block=context.block.number,
            note=note,
        )


def reserve_data(context: GuardContext, protocol: str, asset: str) -> Read:
    """Return the question for a reserve's data, of which word 0 is its configuration."""
    pool = context.book.entry(f"{protocol}.pool").address
    return Read(pool, encode_call("getReserveData(address)", context.book.token(asset).address))


def token_of(answer: bytes, index: int) -> Address:
    """Return the token that stands in a word of a reserve's data."""
    return address(word(answer, index).to_bytes(32)[12:])


def _totals(context: GuardContext, step: LendingFacts) -> Iterator[Read]:
    answer = context.answers.get(reserve_data(context, step.protocol, step.asset))
    if answer is not None and step.kind in _GROWS:
        index = A_TOKEN_WORD if step.kind is ActionKind.SUPPLY else DEBT_TOKEN_WORD
        yield Read(token_of(answer, index), TOTAL_SUPPLY)


def _refusal(context: GuardContext, step: LendingFacts) -> str | None:
    """Return why the market would refuse the step; None if it would not."""
    configuration = word(context.answers[reserve_data(context, step.protocol, step.asset)])

    def is_set(bit: int) -> bool:
        return bool(configuration >> bit & 1)

    if not is_set(_ACTIVE):
        return "reserve_inactive"
    if is_set(_PAUSED):
        return "reserve_paused"
    if step.kind not in _GROWS:
        return None
    if is_set(_FROZEN):
        return "reserve_frozen"
    if step.kind is ActionKind.BORROW and not is_set(_BORROWING):
        return "borrowing_closed"
    place = _SUPPLY_CAP if step.kind is ActionKind.SUPPLY else _BORROW_CAP
    cap = configuration >> place & _CAP_MASK  # in whole tokens, 0 is none
    (total,) = _totals(context, step)
    reached = cap and word(context.answers[total]) >= cap * 10 ** (configuration >> _DECIMALS & 0xFF)
    return f"{step.kind.value}_cap_reached" if reached else None

"""What a block of inclusion changed of the executor's balance of a token, payouts counted as its own."""

from __future__ import annotations

from tidegate.risk.guards.facts import BalanceOf, Before, Question, word
from tidegate.risk.guards.interface import GuardContext


def change_questions(context: GuardContext, symbol: str) -> tuple[Question, ...]:
    """Return the balances now and one block earlier: the executor's, and of a payout the treasury's."""
    return tuple(question for now in _balances(context, symbol) for question in (now, Before(now)))


def realised_change(context: GuardContext, symbol: str) -> int:
    """Return the change in base units over the block, from the answers to ``change_questions``.

    It is what the block changed: of two runs in one block, or a donation, it sees the sum.
    """
    return sum(
        word(context.answers[now]) - word(context.answers[Before(now)]) for now in _balances(context, symbol)
    )


def _balances(context: GuardContext, symbol: str) -> tuple[BalanceOf, ...]:
    token = context.book.token(symbol).address
    holders = [context.executor]
    if symbol in context.paid_out:
        holders.append(context.book.entry("treasury").address)
    return tuple(BalanceOf(token, holder) for holder in holders)

"""The questions of a guard, answered by the state of one block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tidegate.chain import encode_call
from tidegate.model import ZERO_ADDRESS, TidegateError, Unavailable
from tidegate.risk.guards import BalanceOf, Before, CodeOf, Guard, GuardContext, Question
from tidegate.venues import StateView

_ROUNDS_MAX = 4
"""How often a guard may ask again by what it has learnt: a registry, what it names, what that names."""


def answers_of(
    guard: Guard, context: GuardContext, view: StateView, parent: Callable[[], StateView] | None = None
) -> dict[Question, bytes]:
    """Return the answers to a guard's questions; one that reverts, or that can not be asked, is left out.

    A guard is asked again while what it has learnt makes it ask more. ``Before`` is answered at ``parent``,
    which is opened only then; at ``view`` where there is none.
    """
    answers: dict[Question, bytes] = {}
    asked: set[Question] = set()
    for _ in range(_ROUNDS_MAX):
        try:
            new = set(guard.reads(replace(context, answers=answers))) - asked
        except Exception:  # noqa: BLE001 - the guard fails when it is judged, with the same error
            return answers
        if not new:
            break
        asked |= new
        for question in new:
            try:
                answers[question] = _answer(question, view, parent)
            except Unavailable:
                raise  # a node that is gone is no verdict of a guard
            except TidegateError:
                continue
    return answers


def _answer(question: Question, view: StateView, parent: Callable[[], StateView] | None) -> bytes:
    match question:
        case Before():
            return _answer(question.of, view if parent is None else parent(), None)
        case CodeOf():
            return view.code(question.account)
        case BalanceOf() if question.token == ZERO_ADDRESS:
            return view.balance(question.holder).to_bytes(32)
        case BalanceOf():
            return view.call(question.token, encode_call("balanceOf(address)", question.holder))
        case _:
            return view.call(question.target, question.data)

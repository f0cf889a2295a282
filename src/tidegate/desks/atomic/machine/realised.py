"""What swaps really gave, read from the transfers in a receipt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.chain import event_topic
from tidegate.model import Address, Log
from tidegate.risk.guards import StepFacts
from tidegate.venues import AddressBook, LimitKind

_TRANSFER = event_topic("Transfer(address,address,uint256)")


def realised_amounts(
    logs: Iterable[Log], steps: Sequence[StepFacts], executor: Address, book: AddressBook
) -> dict[str, int]:
    """Return each swap's real amount by step id: what came out, or what went in if that was limited.

    A swap is two neighbouring transfers of the executor, one token out and the other in; pools differ
    in which comes first. Swaps appear in the order in which the program ran. One that can not be found
    is left out, and the guard that asks for it fails.
    """
    tokens = {
        book.token(symbol).address: symbol for step in steps for symbol in (step.token_in, step.token_out)
    }
    moves = [move for log in logs if (move := _move(log, executor, tokens)) is not None]
    found: dict[str, int] = {}
    start = 0
    for step in steps:
        place = next((at for at in range(start, len(moves) - 1) if _is_swap(moves[at : at + 2], step)), None)
        if place is None:
            break
        symbol = step.token_out if step.limit_kind is LimitKind.MINIMUM_OUT else step.token_in
        found[step.step_id] = next(move.amount for move in moves[place : place + 2] if move.symbol == symbol)
        start = place + 2
    return found


@dataclass(frozen=True, slots=True)
class _Move:
    symbol: str
    amount: int
    comes_in: bool


def _move(log: Log, executor: Address, tokens: dict[Address, str]) -> _Move | None:
    if log.address not in tokens or len(log.topics) != 3 or log.topics[0] != _TRANSFER:
        return None
    account = bytes.fromhex(executor[2:])
    sender, receiver = log.topics[1][12:], log.topics[2][12:]
    if account not in (sender, receiver):
        return None
    return _Move(tokens[log.address], int.from_bytes(log.data[:32]), comes_in=receiver == account)


def _is_swap(pair: list[_Move], step: StepFacts) -> bool:
    return {(move.symbol, move.comes_in) for move in pair} == {(step.token_in, False), (step.token_out, True)}

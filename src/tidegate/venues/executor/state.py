"""An executor as it stands at one block: its events, compared with what its own views say.

Pure: the questions are call data, the answers words. Who asks, and at which block, is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.chain import address, encode_call
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.venues.executor.change_text import change_text
from tidegate.venues.executor.changes import Change, ChangeKind, Role
from tidegate.venues.executor.history import ExecutorHistory, Scheduled


@dataclass(frozen=True, slots=True)
class Question:
    """A view to ask and the word that the events say it answers; None where no event says it."""

    what: str
    data: bytes
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """Who holds what, what is allowed and what waits, at one block."""

    executor: Address
    owner: Address
    pending_owner: Address
    treasury: Address
    weth: Address
    delay_s: int
    version: int
    is_paused: bool
    entries: tuple[Change, ...]
    scheduled: tuple[Scheduled, ...]

    @property
    def roles(self) -> Mapping[Address, Role]:
        """Return who holds which role."""
        return {
            change.account: Role(change.word) for change in self.entries if change.kind is ChangeKind.ROLE
        }

    def holders(self, role: Role) -> tuple[Address, ...]:
        """Return who holds ``role``, sorted."""
        return tuple(sorted(account for account, held in self.roles.items() if held is role))

    @property
    def permissions(self) -> tuple[Change, ...]:
        """Return what programs may do and lose: everything in force but roles and the treasury."""
        beside = (ChangeKind.ROLE, ChangeKind.TREASURY)
        return tuple(change for change in self.entries if change.kind not in beside)


_FIXED = ("treasury()", "WETH()", "DELAY()", "version()")
_VIEWS = {
    ChangeKind.POLICY: "policy(bytes32)",
    ChangeKind.LENDER: "lenders(address)",
    ChangeKind.SPENDER: "spenders(address)",
    ChangeKind.ASSET: "assets(address)",
    ChangeKind.CAP: "caps(uint256)",
    ChangeKind.LOSS_LIMIT: "limits(address)",
    ChangeKind.ROLE: "roles(address)",
}


def questions(history: ExecutorHistory) -> tuple[Question, ...]:
    """Return what to ask an executor of this history; the first four are what no event says."""
    guarded = sum(change.kind is ChangeKind.LOSS_LIMIT for change in history.entries)
    return (
        *(Question(view, encode_call(view)) for view in _FIXED),
        Question("owner()", encode_call("owner()"), int(history.owner, 16)),
        Question("pending_owner()", encode_call("pending_owner()"), int(history.pending_owner, 16)),
        Question("paused()", encode_call("paused()"), int(history.is_paused)),
        Question("guarded_count()", encode_call("guarded_count()"), guarded),
        *(_entry(change) for change in history.entries if change.kind in _VIEWS),
        *(
            Question(
                f"eta of {change_text(one.change)}", encode_call("eta(bytes32)", one.change.id), one.eta_s
            )
            for one in history.scheduled
        ),
    )


def state_of(
    executor: Address, history: ExecutorHistory, asked: Sequence[Question], answers: Sequence[bytes]
) -> tuple[ExecutorState, tuple[str, ...]]:
    """Return the state, and where events and reads differ, in words.

    Parameters
    ----------
    asked, answers
        What ``questions`` gave, and the 32 bytes that each view answered at the history's last block.
    """
    words = [int.from_bytes(answer) for answer in answers]
    differences = [
        f"{question.what}: events say {question.expected:#x}, the chain {word:#x}"
        for question, word in zip(asked, words, strict=True)
        if question.expected is not None and question.expected != word
    ]
    treasury, weth, delay_s, version = words[:4]
    told = [change.account for change in history.entries if change.kind is ChangeKind.TREASURY]
    if told and told != [address(treasury)]:
        differences.append(f"treasury(): events say {told[0]}, the chain {address(treasury)}")
    state = ExecutorState(
        executor=executor,
        owner=history.owner,
        pending_owner=history.pending_owner,
        treasury=address(treasury) if treasury else ZERO_ADDRESS,
        weth=address(weth) if weth else ZERO_ADDRESS,
        delay_s=delay_s,
        version=version,
        is_paused=history.is_paused,
        entries=history.entries,
        scheduled=history.scheduled,
    )
    return state, tuple(differences)


def _entry(change: Change) -> Question:
    match change.kind:
        case ChangeKind.POLICY:
            key: bytes | int | Address = change.key
        case ChangeKind.CAP:
            key = int.from_bytes(change.key)
        case _:
            key = change.account
    return Question(change_text(change), encode_call(_VIEWS[change.kind], key), change.word)

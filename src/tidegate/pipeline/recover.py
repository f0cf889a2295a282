"""After a start: what an earlier process left open is found and gone on with.

Nothing is judged here. The journal says how far each intent came, and the street takes it up from
there: signed bytes are followed, a reserved nonce is signed for the same plan, anything before is planned
anew if its deadline is not over.
"""

from __future__ import annotations

from tidegate.chain import State
from tidegate.ledger import Journal, RecoveryBody
from tidegate.model import Divergence, RecordKind
from tidegate.pipeline.run import Run, read_run
from tidegate.pipeline.street import Street
from tidegate.risk.limits import WEEK_S


async def recover(street: Street, journal: Journal, *, now_ms: int) -> list[Run]:
    """Count every run of the last week against its limits, then go on with the open ones.

    Runs that have an outcome which a reorg may still take away are watched again, and nonces that ended
    runs left unused are used up.

    Returns
    -------
    list of Run
        The runs that were open, oldest first.

    Raises
    ------
    Divergence
        If the chain has a transaction of our key that the ledger does not know. The key is halted; all that
        is open was taken up before this is raised, for a halt keeps nothing from being followed.
    """
    found, watched = _recall(street, journal, now_ms)
    divergence: Divergence | None = None
    try:
        await street.start([*found, *watched])
    except Divergence as error:
        divergence = error
    for run in watched:
        await street.take_up(run)
    # Whoever holds a nonce comes first, so that nobody is given it again.
    for run in sorted(found, key=lambda run: (not run.may_have_left, run.nonce is None)):
        _note(journal, run, _what_next(run))
        await street.take_up(run)
    if divergence is not None:
        raise divergence
    return found


def drop_orphans(street: Street, journal: Journal, *, now_ms: int) -> list[Run]:
    """Count every run of the last week, and end the open ones as dropped.

    Only for a world that is gone for good, such as a paper node that ended with its process: no chain
    is left on which the bytes could land, and its nonces begin anew.
    """
    found, _ = _recall(street, journal, now_ms)
    street.begin_anew()
    for run in found:
        _note(journal, run, "dropped: the world that it was sent to is gone")
        street.drop(run, "the world that it was sent to is gone")
    return found


def _recall(street: Street, journal: Journal, now_ms: int) -> tuple[list[Run], list[Run]]:
    """Count the ended runs of the last week; return the open ones, and those to be watched, oldest first."""
    street.remember(now_ms=now_ms)
    found: list[Run] = []
    watched: list[Run] = []
    for attempt in journal.unsettled(since_ms=now_ms - WEEK_S * 1000):
        if not street.concerns(attempt):
            continue  # another stage's, desk's or chain's: it is theirs to go on with
        run = read_run(journal.records(correlation_id=attempt.intent_id))
        if run is None:
            continue
        if run.outcome is None:
            found.append(run)
            continue
        if run.tracked is not None and run.nonce is not None and run.tracked.state is not State.FINALISED:
            watched.append(run)
    return found, watched


def _note(journal: Journal, run: Run, done: str) -> None:
    body = RecoveryBody(found=_how_far(run), done=done)
    journal.append(body.KIND, body, actor="recovery", correlation_id=run.intent.id)


def _how_far(run: Run) -> str:
    for kind in (RecordKind.SENT, RecordKind.SIGNATURE, RecordKind.NONCE, RecordKind.PLAN):
        if kind in run.written:
            return kind.value
    return RecordKind.INTENT.value


def _what_next(run: Run) -> str:
    if run.may_have_left:
        return "followed: only the chain decides what became of the bytes"
    if run.nonce is not None:
        return "signed for the recorded plan and nonce: the same bytes as before"
    return "planned anew: nothing was signed"

"""A backtest: the desk decides at every block of a tape and walks the street of every other stage.

The same tape and the same configuration give the same journal, byte for byte: time is the tape's, ids
are hashes, nothing is asked of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tidegate import __version__
from tidegate.app.backtest.chain import TapeChain, TapeFill, TapeReader, refuse_missing
from tidegate.app.backtest.gas import GasProfile
from tidegate.app.progress import Progress
from tidegate.app.session import Session, blinds_hashes, block_event, run_limits
from tidegate.desks.atomic import Assignment, AtomicDesk, Event
from tidegate.ledger import Journal
from tidegate.model import Address, ConfigError, ManualClock, Plan, Reason, RecordKind, Stage, Unavailable
from tidegate.pipeline import Rehearsal, Street
from tidegate.sim import Tape, TapeWorlds
from tidegate.venues import AddressBook, glossary_of, load_book
from tidegate.venues.executor import ExecutorReader

LATENCY_MAX_BLOCKS = 10
Watch = Callable[[Progress], None]


class About(msgspec.Struct, frozen=True):
    """What the recorder writes on a tape of the atomic desk beside the states.

    ``strategies`` holds the text of each file by name. ``source`` says in words where the blocks come
    from. Blinds are not on the tape.
    """

    book: dict[str, Any]
    operator: Address
    strategies: dict[str, str]
    source: str
    recorder: str = __version__

    @classmethod
    def of(cls, tape: Tape) -> About:
        """Return what a tape says of itself.

        Raises
        ------
        ConfigError
            If it is a tape of something else.
        """
        try:
            return msgspec.convert(tape.about, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(
                "the tape is not one of the atomic desk",
                code="no_tape",
                found=str(error),
                allowed="one that `tidegate backtest record` wrote",
            ) from error

    def address_book(self) -> AddressBook:
        """Return the names of the chain at the time of recording."""
        return load_book(self.book, where="the tape's address book")


async def run_backtest(
    tape: Tape,
    assignments: tuple[Assignment, ...],
    journal: Journal,
    clock: ManualClock,
    *,
    latency_blocks: int = 1,
    salt: str = "",
    watch: Watch = lambda _: None,
) -> dict[str, Any]:
    """Decide at every block of the tape, fill what was decided, and return the figures.

    Parameters
    ----------
    journal, clock
        Where it is written, and the clock that the journal stamps its records by.
    latency_blocks
        0 to 10; see ``TapeFill``.
    salt
        Hashed with each strategy's blinds, so that the journal does not give them away.

    Raises
    ------
    ConfigError
        ``not_on_tape`` if a strategy reads what the tape does not hold; if the tape is empty, there is no
        strategy, or the latency is out of range.
    """
    _demand(tape, assignments, latency_blocks)
    gas = GasProfile(tape, {one.strategy.name: one.strategy.gas.max_gas for one in assignments})
    clock.set_ms(tape.blocks[0].block.timestamp * 1000)
    hashes = blinds_hashes(assignments, salt)
    _begin(journal, tape, assignments, hashes, latency_blocks)
    with TapeWorlds(tape) as worlds:
        chain = TapeChain(worlds, gas, first_block=tape.blocks[0].block.number)
        session, fill = _session(chain, gas, assignments, journal, clock, latency_blocks, hashes)
        progress = Progress()
        for one in tape.blocks:
            chain.head = one.block.number
            clock.set_ms(one.block.timestamp * 1000)
            await session.street.follow()
            await _decide(session, block_event(one.block))
            progress.take(journal.records(after=progress.seq))
            watch(progress)
        fill.is_over = True
        await session.street.follow()
    progress.take(journal.records(after=progress.seq))
    summary = {
        "tape": tape.digest,
        "latency_blocks": latency_blocks,
        "gas_profile": {one.strategy.name: gas.source(one.strategy.name) for one in assignments},
        **progress.summary(),
        "blocks": len(tape.blocks),
    }
    journal.append(RecordKind.SUMMARY, summary, actor="backtest")
    journal.flush()
    return summary


def _session(
    chain: TapeChain,
    gas: GasProfile,
    assignments: tuple[Assignment, ...],
    journal: Journal,
    clock: ManualClock,
    latency_blocks: int,
    hashes: Mapping[str, str],
) -> tuple[Session, TapeFill]:
    book, operator = assignments[0].book, assignments[0].operator

    async def rehearse(plan: Plan) -> Rehearsal:
        return await chain.simulate(plan, sender=operator)

    reader = ExecutorReader(
        treasury=book.entry("treasury").address,
        weth=book.entry("weth.weth9").address,
        glossary=glossary_of(book),
    )
    desk = AtomicDesk(
        assignments,
        state_at=chain.at,
        rehearse=rehearse,
        reader=TapeReader(reader),
        blinds_hashes=hashes,
    )
    fill = TapeFill(chain, gas, desk, latency_blocks=latency_blocks, account=operator)
    street = Street(
        stage=Stage.BACKTEST,
        desk=desk,
        chain=chain,
        sender=None,
        account=operator,
        fate=fill,
        journal=journal,
        limits=run_limits(desk, assignments),
    )
    session = Session(desk=desk, street=street, journal=journal, clock=clock, chain=chain, operator=operator)
    return session, fill


async def _decide(session: Session, event: Event) -> None:
    for subject in session.desk.subjects:
        try:
            intent = session.look(subject, event).decision.intent
        except Unavailable as error:
            refuse_missing(error)
        if intent is None:
            continue
        outcome = await session.act(intent)
        if outcome is not None and outcome.reason is Reason.UNAVAILABLE:
            raise ConfigError(
                "a plan could not be made from the tape",
                code="not_on_tape",
                found=outcome.detail,
                fix="record a tape with these strategies and blinds: tidegate backtest record",
            )


def _begin(
    journal: Journal,
    tape: Tape,
    assignments: tuple[Assignment, ...],
    hashes: Mapping[str, str],
    latency_blocks: int,
) -> None:
    body = {
        "backtest": {
            "tape": tape.digest,
            "latency_blocks": latency_blocks,
            "strategies": {one.strategy.name: one.strategy.digest for one in assignments},
            "blinds": dict(sorted(hashes.items())),
            "version": __version__,
        },
        "stage": Stage.BACKTEST.value,
    }
    journal.append(RecordKind.SESSION, body, actor="backtest")


def _demand(tape: Tape, assignments: tuple[Assignment, ...], latency_blocks: int) -> None:
    if not assignments:
        raise ConfigError("there is no strategy to decide with", found="none", allowed="at least one")
    if not 0 <= latency_blocks <= LATENCY_MAX_BLOCKS:
        raise ConfigError(
            "the latency is out of range",
            code="latency_blocks",
            found=str(latency_blocks),
            allowed=f"0 to {LATENCY_MAX_BLOCKS} blocks",
        )
    if not tape.blocks:
        raise ConfigError(
            "the tape is empty", code="no_tape", found="no block", fix="tidegate backtest record"
        )

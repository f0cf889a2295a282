"""The runs to which the chain still owes something, and how a run gets its one outcome."""

from __future__ import annotations

from tidegate.ledger import OutcomeBody
from tidegate.model import Metric, Outcome, OutcomeKind, Reason
from tidegate.pipeline.means import Means
from tidegate.pipeline.pen import Pen
from tidegate.pipeline.run import Run


class Runs:
    """Open runs wait for an outcome; watched ones have one that a reorg may take away, or a nonce to use up.

    Attributes
    ----------
    open, watched
        By the intent's id, in the order in which they came.
    """

    def __init__(self, means: Means, pen: Pen) -> None:
        self.open: dict[str, Run] = {}
        self.watched: dict[str, Run] = {}
        self._means = means
        self._pen = pen

    def finish(
        self,
        run: Run,
        kind: OutcomeKind,
        reason: Reason | None,
        detail: str,
        settlement: Outcome | None = None,
    ) -> Outcome:
        """Write the run's outcome, give back its places in every limit, and count what came of it.

        Parameters
        ----------
        settlement
            What a block or a fate said of it, with its figures; None where nothing was included.
        """
        body = OutcomeBody(kind=kind, reason=reason, detail=detail)
        record = self._pen.write(run, body)
        self.open.pop(run.intent.id, None)
        self._close(run, kind, record.at_ms, settlement)
        run.outcome = settlement or Outcome(intent_id=run.intent.id, kind=kind, reason=reason, detail=detail)
        sender = self._means.sender
        if sender is not None and run.tracked is not None:
            run.tracked.take(body.KIND, body)
            if sender.ended(run.tracked):
                self.watched[run.intent.id] = run
        self._means.recorder.count(
            Metric.INTENTS,
            desk=self._means.desk.name,
            chain=self._means.chain_label,
            stage=self._means.rules.stage.value,
            outcome=kind.value,
            reason="" if reason is None else reason.value,
        )
        return run.outcome

    def reopen(self, run: Run) -> None:
        """Owe an outcome again: a reorg took the block that decided it."""
        run.withdraw()
        if run.outcome is not None:
            self._means.book.uncharge(run.intent.id)
        elif run.intent.id in self.watched:
            self._means.book.reopen(run.intent, run.plan, at_s=run.accepted_at_ms // 1000)
            self.open[run.intent.id] = self.watched.pop(run.intent.id)

    def charge(self, run: Run, settled: Outcome) -> None:
        """Count what an intent cost after its end: the cancel of what was denied or rejected."""
        self._means.book.charge(
            run.intent,
            value_usd_e6=run.booked_value_usd_e6,
            gas_cost_wei=settled.gas_cost_wei,
            now_s=run.booked_at_ms // 1000,
        )

    def finalise(self, run: Run) -> None:
        """Watch a run no longer: no reorg can reach it any more."""
        self.watched.pop(run.intent.id, None)
        self._means.book.finalise(run.intent.id)

    def measure(self) -> None:
        """Measure how many transactions are open."""
        self._means.recorder.set(
            Metric.OPEN_TRANSACTIONS,
            len(self.open),
            desk=self._means.desk.name,
            chain=self._means.chain_label,
        )

    def _close(self, run: Run, kind: OutcomeKind, ended_at_ms: int, settlement: Outcome | None) -> None:
        outcome = settlement or run.outcome
        self._means.book.close(
            run.intent,
            kind=kind,
            value_usd_e6=run.booked_value_usd_e6,
            gas_cost_wei=0 if outcome is None else outcome.gas_cost_wei,
            now_s=ended_at_ms // 1000,
        )

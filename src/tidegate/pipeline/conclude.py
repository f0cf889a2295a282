"""From what the chain said of a run to its booking and its outcome."""

from __future__ import annotations

from tidegate.chain import State, Tracked
from tidegate.model import Metric, Outcome, OutcomeKind
from tidegate.pipeline.means import Means
from tidegate.pipeline.pen import Pen
from tidegate.pipeline.run import Run
from tidegate.pipeline.runs import Runs
from tidegate.pipeline.settle import book, book_back, book_cancel, why_reverted


class Conclusion:
    """Brings the books of one street to what the chain has said of its runs."""

    def __init__(self, means: Means, pen: Pen, runs: Runs) -> None:
        self._means = means
        self._pen = pen
        self._runs = runs

    async def of(self, run: Run) -> Outcome | None:
        """Book what is new about a run; return its outcome if it has just got one.

        Raises
        ------
        Unavailable
            If nothing can be learnt just now; the run stays as it is.
        """
        assert run.plan is not None
        if self._means.fate is not None:
            outcome = await self._means.fate.of(run, run.plan, self._pen.write)
            if outcome is None:
                return None
            return self._runs.finish(run, outcome.kind, None, outcome.detail, outcome)
        tracked = run.tracked
        assert tracked is not None
        if run.is_booked_wrong:
            book_back(run, write=self._pen.write)
        if tracked.withdrawals > run.seen_withdrawals:
            self._runs.reopen(run)
        if tracked.included is None:
            return self._given_up(run, tracked)
        if run.booking is None or run.outcome is None:
            settling = self._settle(run, tracked)
            settled = await self._means.steps.run("settle", self._means.settings.settle_s, settling)
            if run.outcome is None:
                return self._runs.finish(run, settled.kind, None, settled.detail, settled)
            self._runs.charge(run, settled)
        if tracked.state is State.FINALISED:
            self._runs.finalise(run)
        return None

    async def _settle(self, run: Run, tracked: Tracked) -> Outcome:
        means = self._means
        assert run.plan is not None
        assert tracked.included is not None
        assert means.sender is not None
        if tracked.included.is_cancel:
            outcome = book_cancel(run, run.plan, tracked.included, write=self._pen.write)
        else:
            receipt = await means.sender.receipt_of(tracked)
            why = ""
            if receipt.status != 1:
                failed = receipt.transaction_hash
                why = await why_reverted(run.plan, failed, desk=means.desk, chain=means.chain)
            outcome = await book(run, run.plan, receipt, desk=means.desk, write=self._pen.write, why=why)
        means.recorder.count(
            Metric.GAS_SPENT_WEI, outcome.gas_cost_wei, desk=means.desk.name, chain=means.chain_label
        )
        return outcome

    def _given_up(self, run: Run, tracked: Tracked) -> Outcome | None:
        sender = self._means.sender
        assert sender is not None
        if run.outcome is not None or not sender.gave_up(tracked):
            return None
        why = "its nonce was used by bytes of others; a person has looked and lifted the halt"
        return self._runs.finish(run, OutcomeKind.DROPPED, None, why)

"""Bundles that relays hold: at each new block their guards are asked again, as before they were signed.

What waits in a mempool can not be taken back, what a relay holds can: so a guard that does not pass any more
ends an offer, and so does one that can not say.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.pipeline.checks import demand_guards
from tidegate.pipeline.means import Means
from tidegate.pipeline.run import Run


class Offers:
    """Asks the guards of offered runs, once for each head."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._seen = b""

    async def ask_again(self, runs: Iterable[Run]) -> None:
        """Mark the runs whose guards do not pass at the head; the sender takes those back.

        Raises
        ------
        Unavailable
            If the chain does not say what its head is.
        """
        offered = [run for run in runs if run.tracked is not None and run.tracked.is_offered]
        if not offered:
            return
        head = await self._means.chain.block()
        if head.hash == self._seen:
            return
        self._seen = head.hash
        for run in offered:
            assert run.tracked is not None
            run.tracked.unwanted = await self._why_not(run)

    async def _why_not(self, run: Run) -> str:
        means = self._means
        assert run.plan is not None
        guards = means.desk.guards_before(run.plan)
        try:
            demand_guards(await means.steps.run("guards", means.settings.guards_s, guards))
        except Exception as error:  # noqa: BLE001 - an exception inside a guard is a failure
            return str(error) or type(error).__name__
        return ""

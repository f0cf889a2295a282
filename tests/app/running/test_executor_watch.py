"""While a desk runs its executors are watched: what nobody announced is journaled once, and measured."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.app.deploying.conftest import Ground, _started, ground

from tidegate.app.deploying import PAUSED, Announcements
from tidegate.app.devnet import act_as_owner
from tidegate.app.running.executors import ExecutorWatch
from tidegate.ledger import Journal, place_of
from tidegate.model import Divergence, ManualClock, Metric, RecordKind
from tidegate.venues.executor import Change, encode_cancel, encode_pause, encode_schedule, encode_unpause

__all__ = ["_started", "ground"]


class Figures:
    """A recorder that keeps what it was told."""

    def __init__(self) -> None:
        self.gauges: dict[tuple[Metric, str], float] = {}
        self.counts: Counter[tuple[str, str]] = Counter()

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self.gauges[metric, labels.get("announced", "")] = value

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        assert metric is Metric.EXECUTOR_ADMINISTRATION
        self.counts[labels["what"], labels["announced"]] += int(amount)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        raise AssertionError((metric, value, labels))


def test_what_is_scheduled_unannounced_is_an_alert_input_and_told_once(ground: Ground) -> None:
    figures, devnet = Figures(), ground.devnet
    planned, stranger = Change.asset(devnet.weth), Change.spender(ground.account("trader"))
    Announcements(ground.home, "devnet", "main1").add([planned], "the plan")
    with Journal.open(place_of(ground.home / "ledger.sqlite"), clock=ManualClock(1)) as journal:

        async def watched(pool) -> list[int]:
            watch = ExecutorWatch(
                pool,
                ground.place.book,
                ["main1"],
                chain="devnet",
                home=ground.home,
                journal=journal,
                clock=ManualClock(1),
                recorder=figures,
                every_blocks=10,
            )
            seen = []
            deeds = (None, schedule, None, None, cancel, announced_pause, unpause, pause)
            for head, deed in zip((1, 5, 11, 21, 31, 41, 51, 61), deeds, strict=True):
                if deed is not None:
                    deed()
                await watch.saw(head)
                seen.append(sum(1 for _ in journal.records(RecordKind.ADMINISTRATION)))
            return seen

        def schedule() -> None:
            act_as_owner(ground.world, devnet, devnet.executor, encode_schedule([planned, stranger]))

        def cancel() -> None:
            ground.world.transact(
                devnet.executor, encode_cancel([stranger]), sender=ground.account("guardian")
            )

        def pause() -> None:
            ground.world.transact(devnet.executor, encode_pause(), sender=ground.account("guardian"))

        def announced_pause() -> None:
            Announcements(ground.home, "devnet", "main1").add_act(
                devnet.executor, PAUSED, ground.account("guardian"), "a stop"
            )
            pause()

        def unpause() -> None:
            act_as_owner(ground.world, devnet, devnet.executor, encode_unpause())

        first, early, then, again, cancelled, *paused = ground.run(watched)
        assert (first, early) == (4, 4), (
            "the constructor's two and the devnet's own two; not looked at block 5"
        )
        assert (then, again, cancelled, *paused) == (6, 6, 7, 8, 9, 10)
    assert figures.counts["scheduled", "yes"] == 1
    assert figures.counts["scheduled", "no"] == 2  # the devnet's operator was never announced either
    assert figures.counts["cancelled", "no"] == 1
    assert figures.counts["paused", "yes"] == 1
    assert figures.counts["paused", "no"] == 1, "an announcement speaks of one pause, not of the next"
    assert figures.gauges[Metric.EXECUTOR_PAUSED, ""] == 1
    assert figures.gauges[Metric.EXECUTOR_SCHEDULED, "yes"] == 1
    assert figures.gauges[Metric.EXECUTOR_SCHEDULED, "no"] == 0
    assert figures.gauges[Metric.EXECUTOR_POLICY_ENTRIES, ""] == 2


def test_an_executor_that_differs_from_its_events_is_a_divergence_after_it_is_written(
    ground: Ground,
) -> None:
    """The slot of ``owner`` is changed under the contract: no event says it."""
    executor = ground.devnet.executor
    slot = next(
        number
        for number in range(4)
        if ground.world.storage(executor, number) == int(ground.devnet.owner_safe.address, 16)
    )
    ground.world.set_storage(executor, slot, 5)
    with Journal.open(place_of(ground.home / "ledger.sqlite"), clock=ManualClock(1)) as journal:

        async def watched(pool) -> None:
            watch = ExecutorWatch(
                pool,
                ground.place.book,
                ["main1"],
                chain="devnet",
                home=ground.home,
                journal=journal,
                clock=ManualClock(1),
                recorder=Figures(),
                every_blocks=1,
            )
            with pytest.raises(Divergence, match="differ"):
                await watch.saw(1)

        ground.run(watched)
        (state,) = journal.records(RecordKind.EXECUTOR_STATE)
        assert "owner()" in state.body_json

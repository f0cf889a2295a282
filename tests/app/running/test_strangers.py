"""Who sends a transaction to an executor's callback is told, once, and it is quiet again after."""

from __future__ import annotations

from tests.app.deploying.conftest import Ground, _started, ground

from tidegate.app.devnet.tables import token_tables
from tidegate.app.metrics import PrometheusRecorder
from tidegate.app.running.strangers import BLOCKS_MAX, CALLBACKS, StrangersWatch
from tidegate.chain import encode_call
from tidegate.desks.atomic import Assignment, DeskMeasures, parse_strategy, template_text
from tidegate.ledger import Journal, SignalBody, place_of
from tidegate.model import ManualClock, RecordKind
from tidegate.sim import WorldReverted
from tidegate.venues.executor import encode_pause

__all__ = ["_started", "ground"]


def test_the_callbacks_are_those_of_the_specification() -> None:
    assert {one.hex() for one in CALLBACKS} == {"1b11d0ff", "23e30c8b", "e9cbafb0", "31f57072", "f04f2707"}


def test_a_strangers_reverting_callback_is_a_signal_until_a_block_without_one(ground: Ground) -> None:
    world, devnet = ground.world, ground.devnet
    strategy = parse_strategy(template_text("flash-arb").encode(), "arb.yaml", token_tables())
    job = Assignment(strategy, ground.place.require_book(), ground.account("operator"), {})

    def knock(data: bytes, sender: str) -> None:
        try:
            world.transact(devnet.executor, data, sender=ground.account(sender))
        except WorldReverted:
            return

    with Journal.open(place_of(ground.home / "ledger.sqlite"), clock=ManualClock(1)) as journal:
        measures = DeskMeasures(
            [job], journal, PrometheusRecorder(), chain="devnet", transaction_gas_max=None
        )

        async def watched(pool) -> None:
            watch = StrangersWatch(pool, [devnet.executor], measures)
            await watch.saw(world.block().number)
            knock(encode_call("onMorphoFlashLoan(uint256,bytes)", 1, b"mine"), "trader")
            await watch.saw(world.block().number)
            await watch.saw(world.block().number)
            knock(encode_pause(), "trader")  # refused too, and no callback
            await watch.saw(world.block().number)
            world.mine(BLOCKS_MAX + 4)
            await watch.saw(world.block().number)

        ground.run(watched)
        told = [SignalBody.from_body(one.body) for one in journal.records(RecordKind.SIGNAL)]
    assert [(one.what, one.level, one.value) for one in told] == [
        ("stranger_callback", "warning", 1),
        ("stranger_callback", "quiet", 0),
    ]
    assert told[0].note.startswith(ground.account("trader").lower())

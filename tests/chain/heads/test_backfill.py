"""Backfill: in spans that adapt, held against block hashes, resumed where it stood, progress told."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.chain.heads.fakechain import CONTRACT, FakeChain
from tests.chain.heads.fold import Fold
from tests.chain.heads.following import catch_up, follower, step

from tidegate.chain.heads import Added, LogFilter, MemoryCursors, Progress
from tidegate.model import Unavailable


def test_far_below_the_head_blocks_come_in_spans_and_near_it_by_their_hash() -> None:
    chain, fold = FakeChain(200), Fold()
    catch_up(follower(chain, span_max=64), fold)
    assert set(fold.logs) == chain.keys()
    assert chain.asked["span_logs"] == 3  # 0 to 191: the newest 8 may still change
    assert chain.asked["block_logs"] == 8


def test_spans_adapt_to_what_the_endpoint_serves() -> None:
    chain, fold = FakeChain(600), Fold()
    chain.span_max = 20
    following = follower(chain, span_max=256)
    catch_up(following, fold, quiet=8)
    assert following.span == 16
    assert set(fold.logs) == chain.keys()


def test_a_span_grows_again_when_the_endpoint_serves_it() -> None:
    chain = FakeChain(400)
    chain.span_max = 4
    following = follower(chain, span_max=32)
    for _ in range(6):
        step(following)
    assert following.span == 4
    chain.span_max = 10_000
    catch_up(following)
    assert following.span == 32


def test_an_endpoint_that_serves_no_span_at_all_is_asked_block_by_block() -> None:
    chain, fold = FakeChain(30), Fold()
    chain.span_max = 0
    following = follower(chain, span_max=8)
    catch_up(following, fold, quiet=6)
    assert set(fold.logs) == chain.keys()


@pytest.mark.parametrize("wanted", [LogFilter(), LogFilter(accounts=(CONTRACT,))])
def test_logs_that_a_span_leaves_out_are_asked_for_by_hash(wanted: LogFilter) -> None:
    chain, fold = FakeChain(40), Fold()
    honest = chain.span_logs

    async def forgets(first: int, last: int, asked: LogFilter):
        return tuple(log for log in await honest(first, last, asked) if log.block_number % 7)

    chain.span_logs = forgets
    catch_up(follower(chain, wanted=wanted), fold)
    canonical = chain.keys()
    everything = {key for key in canonical if wanted == LogFilter() or key.log_index == 0}
    assert set(fold.logs) == everything


def test_nothing_of_an_orphan_slips_in_through_a_span() -> None:
    """The node answers the span from a branch that is canonical no longer."""
    chain, fold = FakeChain(40), Fold()
    old = list(chain.canonical)
    chain.reorg(25)
    orphans = [log for block_hash in old[15:] for log in chain.by_hash[block_hash][1]]

    async def stale(first: int, last: int, _: LogFilter):
        return tuple(log for log in orphans if first <= log.block_number <= last)

    chain.span_logs = stale
    catch_up(follower(chain), fold)
    assert set(fold.logs) == chain.keys()


def test_a_span_stops_at_a_missing_block() -> None:
    chain, fold = FakeChain(80), Fold()
    chain.null.add(30)
    following = follower(chain, span_max=20)
    catch_up(following, fold, quiet=12)
    assert max(fold.blocks) == 29
    assert following.health.gap_why == "block_missing"
    chain.null.clear()
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_progress_of_a_backfill_is_told() -> None:
    chain, told = FakeChain(109), []
    following = follower(chain, span_max=50, on_progress=told.append)
    catch_up(following)
    assert told == [Progress(1, 0, 50, 100), Progress(1, 0, 100, 100)]


def test_a_backfill_is_resumed_where_it_stood() -> None:
    chain, cursors, fold = FakeChain(209), MemoryCursors(), Fold()
    first = follower(chain, cursors, span_max=50)
    for _ in range(2):
        fold.take(step(first))
    asked = chain.asked["header"]
    fold.is_strict = False
    batch = step(follower(chain, cursors, span_max=50))
    assert {change.is_repeated for change in batch if isinstance(change, Added)} == {True}
    fold.take(batch)
    assert chain.asked["header"] - asked <= 52
    catch_up(follower(chain, cursors, span_max=50), fold)
    assert set(fold.logs) == chain.keys()


def test_a_span_that_times_out_is_halved() -> None:
    chain = FakeChain(200)
    honest = chain.span_logs

    async def overloaded(first: int, last: int, wanted: LogFilter):
        if last - first >= 32:
            raise Unavailable("no answer in 2 s", code="transport")
        return await honest(first, last, wanted)

    chain.span_logs = overloaded
    fold = Fold()
    following = follower(chain, span_max=128)
    catch_up(following, fold, quiet=4)
    assert following.span == 32
    assert set(fold.logs) == chain.keys()


def test_a_node_without_blooms_is_asked_for_each_block_by_hash() -> None:
    chain, fold = FakeChain(40), Fold()
    chain.by_hash = {
        block_hash: (msgspec.structs.replace(header, logs_bloom=b""), logs)
        for block_hash, (header, logs) in chain.by_hash.items()
    }
    catch_up(follower(chain), fold)
    assert set(fold.logs) == chain.keys()
    assert chain.asked["block_logs"] == 40


def test_blooms_that_are_not_true_are_not_asked() -> None:
    chain, fold = FakeChain(40), Fold()
    chain.by_hash = {
        block_hash: (msgspec.structs.replace(header, logs_bloom=b"\x5a" * 256), logs)
        for block_hash, (header, logs) in chain.by_hash.items()
    }
    catch_up(follower(chain, has_blooms=False), fold)
    assert set(fold.logs) == chain.keys()
    assert chain.asked["block_logs"] == 40
    stuck = follower(chain)
    assert catch_up(stuck) == []
    assert stuck.health.gap_why == "logs_missing"


def test_a_deadline_that_hits_before_any_block_was_asked_for_narrows_nothing() -> None:
    chain = FakeChain(200)
    following = follower(chain, span_max=64)

    async def silent() -> None:
        await asyncio.Event().wait()

    chain.head = silent
    assert asyncio.run(following.step(deadline_s=0.01)) == ()
    assert (following.span, following.health.gap_why) == (64, "deadline")

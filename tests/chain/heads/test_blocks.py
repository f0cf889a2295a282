"""Each block once, in order, whole; nothing past one that is missing, null or incomplete."""

from __future__ import annotations

import asyncio

import pytest
from tests.chain.heads.fakechain import CONTRACT, OTHER_TOPIC, TOPIC, FakeChain
from tests.chain.heads.fold import Fold
from tests.chain.heads.following import catch_up, follower, network, step

from tidegate.chain import RangeTooWide
from tidegate.chain.heads import Added, BlockState, Confirmed, Finalised, LogFilter, MemoryCursors
from tidegate.model import Divergence, Unavailable


def added(batch) -> list[int]:
    return [change.block.number for change in batch if isinstance(change, Added)]


def test_each_block_comes_once_in_order_with_its_logs() -> None:
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    assert added(catch_up(following, fold)) == [0, 1, 2, 3, 4, 5]
    chain.grow(3)
    assert added(catch_up(following, fold)) == [6, 7, 8]
    assert set(fold.logs) == chain.keys()
    assert step(following) == ()


def test_a_fresh_follower_starts_at_the_head() -> None:
    chain = FakeChain(6)
    following = follower(chain, start_block=None)
    assert added(step(following)) == [5]
    chain.grow()
    assert added(step(following)) == [6]


def test_a_follower_starts_from_a_configured_block() -> None:
    chain = FakeChain(6)
    assert added(catch_up(follower(chain, start_block=4))) == [4, 5]
    assert added(catch_up(follower(chain, start_block=9))) == []


def test_a_durable_cursor_wins_over_the_configured_block() -> None:
    chain, cursors = FakeChain(6), MemoryCursors()
    following = follower(chain, cursors)
    catch_up(following)
    following.acknowledge()
    chain.grow(2)
    assert added(catch_up(follower(chain, cursors, start_block=0))) == [6, 7]


@pytest.mark.parametrize("null", ["number", "hash", "logs", "late"])
def test_the_cursor_never_moves_past_a_block_that_answered_null(null: str) -> None:
    chain, cursors, fold = FakeChain(3), MemoryCursors(), Fold()
    following = follower(chain, cursors)
    catch_up(following, fold)
    chain.grow(4)
    bad = chain.block(4)
    if null == "late":
        chain.late.add(bad.hash)
    else:
        chain.null.add({"number": 4, "hash": bad.hash, "logs": ("logs", bad.hash)}[null])
    catch_up(following, fold, quiet=5)
    assert max(fold.blocks) == 3
    assert cursors.cursors[-1].number == 3
    assert (following.health.gap_blocks, following.health.gap_why[-7:]) == (3, "missing")
    chain.null.clear()
    chain.late.clear()
    catch_up(following, fold)
    assert max(fold.blocks) == 6
    assert set(fold.logs) == chain.keys()
    assert following.health.gap_why == ""


@pytest.mark.parametrize("method", ["head", "header", "block_logs", "finalised"])
def test_a_node_that_does_not_answer_is_a_gap_and_not_an_end(method: str) -> None:
    chain, fold = FakeChain(3), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.grow(4)
    chain.down.add(method)
    catch_up(following, fold, quiet=3)
    chain.down.clear()
    catch_up(following, fold, quiet=2)
    assert set(fold.logs) == chain.keys()


def test_no_head_at_all_is_a_gap() -> None:
    chain = FakeChain(3)
    chain.null.add("head")
    following = follower(chain)
    assert step(following) == ()
    assert following.health.gap_why == "head_missing"


def test_late_logs_are_waited_for_because_the_bloom_tells_of_them() -> None:
    chain, fold = FakeChain(3), Fold()
    following = follower(chain)
    chain.late.add(chain.block(2).hash)
    catch_up(following, fold, quiet=3)
    assert max(fold.blocks) == 1
    chain.late.clear()
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_block_without_logs_is_complete_at_once() -> None:
    chain, fold = FakeChain(1), Fold()
    chain.grow(3, logs=0)
    catch_up(follower(chain), fold)
    assert max(fold.blocks) == 3


def test_logs_of_another_block_do_not_complete_a_block() -> None:
    chain, fold = FakeChain(4), Fold()
    honest = chain.block_logs
    swapped = {chain.block(2).hash: chain.block(1).hash}

    async def lying(block_hash: bytes):
        return await honest(swapped.get(block_hash, block_hash))

    chain.block_logs = lying
    following = follower(chain)
    catch_up(following, fold, quiet=3)
    assert max(fold.blocks) == 1
    assert following.health.gap_why == "logs_foreign"
    swapped.clear()
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_lagging_node_withdraws_nothing() -> None:
    chain, fold = FakeChain(10), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.lag = 4
    catch_up(following, fold, quiet=3)
    assert fold.rolled_back == []
    chain.lag = 0
    chain.grow()
    catch_up(following, fold)
    assert max(fold.blocks) == 10


def test_a_filter_keeps_the_wanted_logs_and_all_blocks() -> None:
    chain, fold = FakeChain(40), Fold()
    wanted = LogFilter(accounts=(CONTRACT,), topics=(TOPIC,))
    catch_up(follower(chain, wanted=wanted), fold)
    assert len(fold.blocks) == 40
    assert {log.address for log in fold.logs.values()} == {CONTRACT}
    assert len(fold.logs) == 40
    none = Fold()
    catch_up(follower(chain, wanted=LogFilter(topics=(OTHER_TOPIC,))), none)
    assert (len(none.blocks), len(none.logs)) == (40, 0)


def test_confirmed_and_finalised_follow_the_depth_and_the_chains_word() -> None:
    chain = FakeChain(6)
    chain.final = 1
    following = follower(chain)
    changes = catch_up(following)
    assert [change for change in changes if isinstance(change, Confirmed)][-1] == Confirmed(3)
    assert [change for change in changes if isinstance(change, Finalised)] == [Finalised(1)]
    chain.grow()
    chain.final = 4
    assert step(following)[1:] == (Finalised(4), Confirmed(4))


def test_where_the_chain_does_not_say_the_depth_that_no_reorg_may_reach_is_final() -> None:
    chain = FakeChain(12)
    following = follower(chain)
    assert [change for change in catch_up(following) if isinstance(change, Finalised)][-1] == Finalised(3)


def test_states_of_a_block_from_announced_to_finalised() -> None:
    chain = FakeChain(12)
    chain.null.add(("logs", chain.block(11).hash))
    following = follower(chain)
    following.hint(13)
    catch_up(following)
    states = {number: following.state_of(number) for number in (0, 8, 9, 10, 11, 12, 13, 14)}
    assert states == {
        0: BlockState.FINALISED,
        8: BlockState.CONFIRMED,
        9: BlockState.COMPLETE,
        10: BlockState.COMPLETE,
        11: BlockState.FETCHED,
        12: BlockState.ANNOUNCED,
        13: BlockState.ANNOUNCED,
        14: None,
    }


def test_a_hint_is_never_the_truth() -> None:
    chain, fold = FakeChain(3), Fold()
    following = follower(chain)
    fold.take(step(following, 1_000))
    assert max(fold.blocks) == 2
    assert following.health.gap_blocks == 0
    assert step(following, 1) == ()


def test_a_hint_ends_the_wait_for_the_next_look() -> None:
    chain = FakeChain(1)
    following = follower(chain)

    async def conversation() -> list[int]:
        seen: list[int] = []
        batches = following.follow(poll_s=3_600)
        seen += added(await anext(batches))
        looked = asyncio.Event()
        chain.before = lambda _: looked.set()
        waiting = asyncio.ensure_future(anext(batches))
        await looked.wait()
        chain.grow()
        following.hint(1)
        seen += added(await waiting)
        await batches.aclose()
        return seen

    assert asyncio.run(conversation()) == [0, 1]


def test_without_a_hint_the_chain_is_polled_all_the_same() -> None:
    chain = FakeChain(1)
    following = follower(chain, network=network(block_time_s=0.2))

    async def conversation() -> list[int]:
        batches = following.follow()
        seen = added(await anext(batches))
        chain.grow()
        seen += added(await anext(batches))
        await batches.aclose()
        return seen

    assert asyncio.run(conversation()) == [0, 1]


def test_a_deadline_returns_what_is_complete_by_then_and_loses_nothing() -> None:
    chain, fold = FakeChain(30), Fold()
    following = follower(chain, network=network(reorg_max_blocks=64))
    slow = chain.header

    async def hangs(reference):
        if reference == 20:
            await asyncio.Event().wait()
        return await slow(reference)

    chain.header = hangs

    async def look():
        return await following.step(deadline_s=0.05)

    fold.take(asyncio.run(look()))
    assert 0 < max(fold.blocks) < 20
    assert following.state_of(25) is BlockState.ANNOUNCED
    chain.header = slow
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_step_that_is_cancelled_loses_nothing() -> None:
    chain, fold = FakeChain(30), Fold()
    following = follower(chain, network=network(reorg_max_blocks=64))
    reached, slow = asyncio.Event(), chain.block_logs

    async def hangs(block_hash: bytes):
        if block_hash == chain.block(20).hash:
            reached.set()
            await asyncio.Event().wait()
        return await slow(block_hash)

    chain.block_logs = hangs

    async def conversation() -> None:
        looking = asyncio.ensure_future(following.step())
        await reached.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    asyncio.run(conversation())
    chain.block_logs = slow
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_cursor_that_can_not_be_kept_hands_nothing_out_and_loses_nothing() -> None:
    chain, fold, cursors = FakeChain(5), Fold(), MemoryCursors()
    following = follower(chain, cursors)
    keep = cursors.append

    def refuses(cursor) -> None:
        raise Unavailable("the disk is full")

    cursors.append = refuses
    with pytest.raises(Unavailable, match="full"):
        step(following)
    chain.reorg(2)
    with pytest.raises(Unavailable, match="full"):
        step(following)
    cursors.append = keep
    batch = [*step(following)]
    fold.take(tuple(batch))
    assert set(fold.logs) == chain.keys()
    assert cursors.cursors[-1].first == 0


def test_an_empty_step_writes_no_cursor() -> None:
    chain, cursors = FakeChain(3), MemoryCursors()
    following = follower(chain, cursors)
    catch_up(following)
    kept = len(cursors.cursors)
    for _ in range(5):
        step(following)
    assert len(cursors.cursors) == kept


def test_no_answer_about_what_is_final_calls_nothing_final_and_is_no_gap() -> None:
    chain = FakeChain(30)
    chain.down.add("finalised")
    following = follower(chain)
    changes = catch_up(following, quiet=3)
    assert [change for change in changes if isinstance(change, Finalised)] == []
    assert following.health.gap_why == ""
    chain.down.clear()
    chain.grow()
    assert Finalised(22) in step(following)


def test_a_node_that_refuses_a_blocks_logs_is_a_gap() -> None:
    chain, fold = FakeChain(6), Fold()
    honest, too_large = chain.block_logs, chain.block(3).hash

    async def refuses(block_hash: bytes):
        if block_hash == too_large:
            raise RangeTooWide("query returned more than 10000 results")
        return await honest(block_hash)

    chain.block_logs = refuses
    following = follower(chain)
    catch_up(following, fold, quiet=3)
    assert max(fold.blocks) == 2
    assert following.health.gap_why == "range"
    chain.block_logs = honest
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_broken_answer_is_a_gap_and_does_not_halt_for_ever() -> None:
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    honest = chain.block_logs

    async def broken(block_hash: bytes):
        raise Divergence("the node's log is not one", code="node_answer")

    chain.block_logs = broken
    catch_up(following, fold, quiet=2)
    assert following.health.gap_why == "node_answer"
    chain.block_logs = honest
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()

"""Reorgs: withdrawn from the head down to the common ancestor, then the new blocks; too deep halts."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chain.heads.fakechain import FakeChain
from tests.chain.heads.fold import Fold
from tests.chain.heads.following import NETWORK, catch_up, follower, step

from tidegate.chain.heads import Added, MemoryCursors, RolledBack
from tidegate.model import Divergence, Metric

LIMIT = NETWORK.reorg_max_blocks


def shown(batch) -> list[str]:
    """Return ``-n`` for a block withdrawn and ``+n`` for one added."""
    marks = {Added: "+", RolledBack: "-"}
    return [
        f"{marks[type(change)]}{change.number if isinstance(change, RolledBack) else change.block.number}"
        for change in batch
        if type(change) in marks
    ]


class Recorded:
    def __init__(self) -> None:
        self.values: dict = {}

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self.values[metric, labels["chain"]] = value


def test_a_reorg_rolls_back_from_the_head_to_the_common_ancestor_and_then_adds_the_new_blocks() -> None:
    chain, fold, recorder = FakeChain(6), Fold(), Recorded()
    following = follower(chain, recorder=recorder)
    catch_up(following, fold)
    chain.reorg(3, 4)
    batch = step(following)
    fold.take(batch)
    assert shown(batch) == ["-5", "-4", "-3", "+3", "+4", "+5", "+6"]
    assert set(fold.logs) == chain.keys()
    assert recorder.values[Metric.REORG_DEPTH, "1"] == 3


def test_a_rollback_names_the_keys_that_it_withdraws() -> None:
    chain = FakeChain(3)
    following = follower(chain)
    catch_up(following)
    old = chain.block(2).hash
    chain.reorg(1)
    (withdrawn,) = [change for change in step(following) if isinstance(change, RolledBack)]
    assert withdrawn.keys == ((1, old, 0), (1, old, 1))


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_reorg_to_a_chain_that_is_not_longer(blocks: int) -> None:
    chain, fold = FakeChain(8), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.reorg(3, blocks)
    catch_up(following, fold)
    chain.grow(5)
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_reorg_whose_new_blocks_are_not_there_yet_still_withdraws_the_old_ones() -> None:
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.reorg(2)
    chain.null.add(("logs", chain.block(4).hash))
    fold.take(step(following))
    assert max(fold.blocks) == 3
    chain.null.clear()
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_reorg_whose_branch_can_not_be_walked_changes_nothing_yet() -> None:
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.reorg(3, 4)
    chain.null.add(chain.block(4).hash)
    assert step(following) == ()
    assert following.health.gap_why == "parent_missing"
    chain.null.clear()
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_the_deepest_reorg_that_may_be_followed_is_followed() -> None:
    chain, fold = FakeChain(3 * LIMIT), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.reorg(LIMIT)
    catch_up(following, fold)
    assert set(fold.logs) == chain.keys()


def test_a_reorg_deeper_than_the_limit_is_a_divergence_and_halts_the_follower() -> None:
    chain, fold, cursors = FakeChain(3 * LIMIT), Fold(), MemoryCursors()
    following = follower(chain, cursors)
    catch_up(following, fold)
    kept = list(cursors.cursors)
    chain.reorg(LIMIT + 1)
    for _ in range(2):
        with pytest.raises(Divergence, match="more blocks than may be followed") as caught:
            step(following)
        assert caught.value.code == "reorg_too_deep"
        assert caught.value.allowed == f"at most {LIMIT}"
    assert cursors.cursors == kept
    with pytest.raises(Divergence):
        catch_up(follower(chain, cursors))


def test_a_reorg_of_a_block_that_the_chain_called_final_is_a_divergence() -> None:
    chain = FakeChain(12)
    following = follower(chain)
    chain.final = 9
    catch_up(following)
    chain.reorg(3)
    with pytest.raises(Divergence, match="was final"):
        step(following)


def test_a_young_history_may_be_replaced_down_to_its_first_block() -> None:
    chain, fold = FakeChain(20), Fold()
    following = follower(chain, start_block=16)
    catch_up(following, fold)
    chain.reorg(6, 7)
    catch_up(following, fold)
    assert sorted(fold.blocks) == [16, 17, 18, 19, 20]
    assert set(fold.logs) == chain.keys(16)


def test_reorgs_while_the_chain_is_read_leave_no_orphan_behind() -> None:
    """The chain changes between any two answers of one look."""
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    turns = iter([3, 9, 14, 20, 27, 31, 40])
    due = next(turns)

    def change(_: str) -> None:
        nonlocal due
        if sum(chain.asked.values()) == due:
            chain.reorg(2, 3)
            due = next(turns, -1)

    chain.before = change
    for _ in range(40):
        fold.take(step(following))
    assert due == -1
    assert set(fold.logs) == chain.keys()


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("grow"), st.integers(1, 25), st.integers(0, 3)),
        st.tuples(st.just("reorg"), st.integers(1, LIMIT), st.integers(0, LIMIT + 2)),
        st.tuples(st.just("step"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("lag"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("null"), st.integers(0, 6), st.integers(0, 3)),
        st.tuples(st.just("down"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("restart"), st.booleans(), st.just(0)),
        st.tuples(st.just("midway"), st.integers(1, 12), st.integers(1, 3)),
    ),
    max_size=40,
)


def apply(chain: FakeChain, action: tuple[str, int, int], lowest: int) -> None:
    """Change the chain; a reorg never reaches below ``lowest``."""
    name, first, second = action
    match name:
        case "grow":
            chain.grow(first, logs=second)
        case "reorg":
            depth = max(min(first, chain.height - lowest), 0)
            if depth:
                chain.reorg(depth, second, logs=second % 3)
        case "lag":
            chain.lag = first
        case "null":
            block = chain.block(max(chain.height - first, 0))
            wanted = [block.number, block.hash, ("logs", block.hash)]
            if second < 3:
                chain.null = {wanted[second]}
            else:
                chain.late = {block.hash}
        case "down":
            chain.down = {["head", "header", "block_logs", "span_logs"][first]}


def replay(actions: list[tuple[str, int, int]], *, may_restart: bool) -> None:
    chain, cursors = FakeChain(4), MemoryCursors()
    fold = Fold(is_strict=not may_restart)
    following = follower(chain, cursors)
    highest = chain.height
    for action in actions:
        name, first, second = action
        if name == "step":
            for _ in range(first):
                fold.take(step(following))
        elif name == "restart" and may_restart:
            if first:  # killed before the consumer saw the newest batch
                step(following)
            following = follower(chain, cursors)
        elif name == "midway":
            due = sum(chain.asked.values()) + first

            lowest = max(highest - LIMIT, 0)

            def reorganise(_: str, due: int = due, depth: int = second, lowest: int = lowest) -> None:
                if sum(chain.asked.values()) == due:
                    apply(chain, ("reorg", depth, depth + 1), lowest)

            chain.before = reorganise
        else:
            apply(chain, action, max(highest - LIMIT, 0))
        highest = max(highest, chain.height)
    chain.before = lambda _: None
    chain.lag, chain.null, chain.late, chain.down = 0, set(), set(), set()
    chain.grow(max(highest + 1 - chain.height, 1))
    catch_up(following, fold, quiet=3)
    assert set(fold.logs) == chain.keys()
    assert fold.blocks == dict(enumerate(chain.canonical))


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_for_any_reorgs_up_to_the_limit_the_folded_state_equals_a_replay_of_the_final_chain(actions) -> None:
    replay(actions, may_restart=False)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_for_any_reorgs_and_restarts_the_state_by_key_equals_a_replay_of_the_final_chain(actions) -> None:
    replay(actions, may_restart=True)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(ACTIONS, st.booleans())
def test_for_any_reorgs_and_restarts_the_state_equals_a_replay_in_depth(actions, may_restart) -> None:
    replay(actions, may_restart=may_restart)


def test_what_a_killed_life_never_handed_on_is_not_passed_over_by_a_batch_that_only_takes_back() -> None:
    """Killed twice before the consumer saw a batch, with a reorg between; then the node answers null."""
    killed = ("restart", True, 0)
    replay(
        [killed, ("reorg", 1, 1), killed, ("null", 3, 0), ("step", 1, 0), ("restart", False, 0)],
        may_restart=True,
    )


def test_a_cancelled_reorg_is_delivered_by_the_next_step() -> None:
    chain, fold = FakeChain(6), Fold()
    following = follower(chain)
    catch_up(following, fold)
    chain.reorg(2)
    reached, honest = asyncio.Event(), chain.block_logs

    async def hangs(block_hash: bytes):
        reached.set()
        return await asyncio.Event().wait()

    chain.block_logs = hangs

    async def conversation() -> None:
        looking = asyncio.ensure_future(following.step())
        await reached.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking

    asyncio.run(conversation())
    chain.block_logs = honest
    batch = step(following)
    fold.take(batch)
    assert shown(batch) == ["-5", "-4", "+4", "+5"]

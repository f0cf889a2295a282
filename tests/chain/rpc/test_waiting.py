"""Street spec 1.2: priorities, and the agreed rate."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tidegate.chain.rpc.rate import TokenBucket
from tidegate.chain.rpc.terms import Priority
from tidegate.chain.rpc.waiting import WEIGHTS, WaitingCalls
from tidegate.model import ManualClock


def test_send_goes_before_confirm_before_decide_before_backfill():
    waiting: WaitingCalls[str] = WaitingCalls()
    for priority in reversed(Priority):
        waiting.push(priority.name, priority)
    assert [waiting.pop()[0] for _ in Priority] == ["SEND", "CONFIRM", "DECIDE", "BACKFILL"]
    assert waiting.pop() is None


def test_a_backfill_can_not_starve_a_decision():
    waiting: WaitingCalls[int] = WaitingCalls()
    for number in range(10_000):
        waiting.push(number, Priority.BACKFILL)
    for _ in range(50):
        waiting.pop()
    waiting.push(-1, Priority.DECIDE)
    assert waiting.pop() == (-1, Priority.DECIDE), "whoever comes late is not behind the backlog"


def test_nobody_starves_and_shares_follow_the_weights():
    waiting: WaitingCalls[int] = WaitingCalls()
    for priority in Priority:
        for number in range(2_000):
            waiting.push(number, priority)
    rounds = 10
    served = Counter(waiting.pop()[1] for _ in range(rounds * sum(WEIGHTS.values())))
    for priority, weight in WEIGHTS.items():
        assert abs(served[priority] - rounds * weight) <= 1


@given(st.lists(st.tuples(st.sampled_from(Priority), st.booleans()), max_size=200))
def test_every_call_leaves_once_and_in_the_order_of_its_class(steps):
    waiting: WaitingCalls[int] = WaitingCalls()
    left: list[tuple[int, Priority]] = []
    pushed: list[tuple[int, Priority]] = []
    for number, (priority, also_pop) in enumerate(steps):
        waiting.push(number, priority)
        pushed.append((number, priority))
        if also_pop:
            left.append(waiting.pop())
    while (one := waiting.pop()) is not None:
        left.append(one)
    assert len(waiting) == 0
    for priority in Priority:
        assert [x for x in left if x[1] is priority] == [x for x in pushed if x[1] is priority]


def test_only_the_classes_asked_for_leave():
    waiting: WaitingCalls[str] = WaitingCalls()
    waiting.push("old", Priority.BACKFILL)
    assert waiting.pop((Priority.SEND, Priority.DECIDE)) is None
    assert waiting.pop((Priority.BACKFILL,)) == ("old", Priority.BACKFILL)


def test_a_bucket_gives_its_burst_and_then_its_rate():
    clock = ManualClock()
    bucket = TokenBucket(10, 5, clock)
    assert (bucket.take(3), bucket.take(3), bucket.take(3)) == (3, 2, 0)
    assert bucket.wait_s == 0.1
    clock.set_ms(99)
    assert bucket.take(1) == 0
    clock.set_ms(100)
    assert bucket.take(9) == 1
    clock.set_ms(60_000)
    assert bucket.take(99) == 5, "what is not used is not saved beyond the burst"


def test_what_can_not_wait_makes_the_others_wait():
    clock = ManualClock()
    bucket = TokenBucket(10, 1, clock)
    bucket.owe(3)
    assert bucket.take(1) == 0
    assert bucket.wait_s == 0.3
    clock.set_ms(300)
    assert bucket.take(1) == 1


def test_tokens_that_were_not_needed_come_back():
    bucket = TokenBucket(1, 5, ManualClock())
    assert bucket.take(5) == 5
    bucket.give_back(4)
    assert bucket.take(5) == 4


def test_without_a_rate_there_is_no_end():
    bucket = TokenBucket(None, 1, ManualClock())
    assert bucket.take(1_000) == 1_000
    assert bucket.wait_s == 0

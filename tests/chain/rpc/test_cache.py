"""Street spec 1.2: what is answered from memory, and for how long."""

import pytest

from tidegate.chain.rpc.cache import ReadCache
from tidegate.chain.rpc.methods import pinned_hash
from tidegate.chain.rpc.terms import Keep
from tidegate.model import ManualClock

KEY = ("eth_call", b"[]")
HASH = "0x" + "11" * 32


def kept(keep: Keep, *, after_ms: int = 0, new_heads: int = 0, answer: object = "0x01") -> object:
    clock = ManualClock()
    cache = ReadCache(clock, head_age_max_s=36)
    cache.put(keep, KEY, answer, operators=1, head_mark=cache.head_mark)
    clock.set_ms(after_ms)
    for _ in range(new_heads):
        cache.new_head()
    return cache.get(keep, KEY, operators=1)


@pytest.mark.parametrize(("keep", "last_ms"), [(Keep.PRICE, 60_000), (Keep.GAS, 10_000), (Keep.HEAD, 36_001)])
def test_prices_last_a_minute_gas_ten_seconds_and_a_head_three_blocks_at_most(keep, last_ms):
    assert kept(keep, after_ms=last_ms - 1) == ("0x01",)
    assert kept(keep, after_ms=last_ms) is None


@pytest.mark.parametrize("keep", [Keep.PINNED, Keep.FOR_EVER])
def test_what_a_hash_pins_and_addresses_last_for_ever(keep):
    assert kept(keep, after_ms=10**12, new_heads=99) == ("0x01",)


def test_what_holds_for_a_head_ends_with_it():
    assert kept(Keep.HEAD) == ("0x01",)
    assert kept(Keep.HEAD, new_heads=1) is None


def test_an_answer_to_a_question_of_the_last_head_is_not_kept_for_this_one():
    cache = ReadCache(ManualClock(), head_age_max_s=36)
    asked_under = cache.head_mark
    cache.new_head()
    cache.put(Keep.HEAD, KEY, "0x01", operators=1, head_mark=asked_under)
    assert cache.get(Keep.HEAD, KEY, operators=1) is None


def test_a_first_good_value_is_not_shown_for_ever_during_an_outage():
    """Nothing renews an entry but a new answer: when the time is over it is gone, answer or no answer."""
    clock = ManualClock()
    cache = ReadCache(clock, head_age_max_s=36)
    cache.put(Keep.PRICE, KEY, "0x01", operators=1, head_mark=0)
    for second in range(1, 60):
        clock.set_ms(1000 * second)
        assert cache.get(Keep.PRICE, KEY, operators=1) == ("0x01",)
    clock.set_ms(60_000)
    assert cache.get(Keep.PRICE, KEY, operators=1) is None, "being asked for does not make it fresher"


def test_what_is_not_there_is_not_kept():
    assert kept(Keep.PINNED, answer=None) is None
    for empty in ("0x", "0x0", []):
        assert kept(Keep.FOR_EVER, answer=empty) is None, "an address may come"
        assert kept(Keep.PINNED, answer=empty) == (empty,), "what a block holds does not change"


def test_an_answer_of_one_does_not_stand_for_two():
    cache = ReadCache(ManualClock(), head_age_max_s=36)
    cache.put(Keep.PINNED, KEY, "0x01", operators=1, head_mark=0)
    assert cache.get(Keep.PINNED, KEY, operators=2) is None
    cache.put(Keep.PINNED, KEY, "0x01", operators=2, head_mark=0)
    assert cache.get(Keep.PINNED, KEY, operators=1) == ("0x01",)


def test_the_memory_is_bounded_and_forgets_what_was_not_asked_for_longest():
    cache = ReadCache(ManualClock(), head_age_max_s=36, entries_max=3)
    for number in range(3):
        cache.put(Keep.PINNED, ("m", b"%d" % number), number, operators=1, head_mark=0)
    cache.get(Keep.PINNED, ("m", b"0"), operators=1)
    cache.put(Keep.PINNED, ("m", b"3"), 3, operators=1, head_mark=0)
    assert [cache.get(Keep.PINNED, ("m", b"%d" % n), operators=1) for n in range(4)] == [
        (0,),
        None,
        (2,),
        (3,),
    ]


@pytest.mark.parametrize(
    ("method", "params", "pinned"),
    [
        ("eth_call", [{}, {"blockHash": HASH}], True),
        ("eth_call", [{}, "latest"], False),
        ("eth_call", [{}], False),
        ("eth_getStorageAt", ["0x", "0x0", {"blockHash": HASH}], True),
        ("eth_getBlockByHash", [HASH, False], True),
        ("eth_getBlockByNumber", ["0x1", False], False),
        ("eth_getLogs", [{"blockHash": HASH}], True),
        ("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x1"}], False),
        ("eth_getTransactionReceipt", [HASH], False),
    ],
)
def test_only_a_block_hash_pins(method, params, pinned):
    assert (pinned_hash(method, params) == HASH) is pinned

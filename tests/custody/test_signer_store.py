"""The signer's journal: what is on disk before a signature leaves, what a restart finds, a lost store."""

import msgspec
import pytest
from tests.custody.signer_world import (
    ETHER,
    POOL,
    USD,
    FixedWitness,
    MemoryJournal,
    SignerWorld,
    is_signed,
    refusal,
    transaction,
    transfer,
)

from tidegate.custody.requests import AddressOf, Freeze, Status
from tidegate.ledger import Journal, JournalReader
from tidegate.model import ManualClock, Metric, Tampered, Unavailable

LOST = ("store", "store_lost")


class Watched(MemoryJournal):
    """Sees whether the key was used before the record was kept."""

    def __init__(self, key):
        super().__init__()
        self.key = key
        self.signed_before_commit = 0

    def append_many(self, entries):
        self.signed_before_commit += self.key.calls
        return super().append_many(entries)


class CountingKey:
    def __init__(self, key):
        self.key, self.calls, self.fails = key, 0, False
        self.address, self.is_throw_away = key.address, key.is_throw_away

    def sign_digest(self, digest):
        self.calls += 1
        if self.fails:
            raise OSError("the card was pulled")
        return self.key.sign_digest(digest)


def test_the_record_is_on_disk_before_the_key_is_used():
    key = CountingKey(SignerWorld().keys["hot"])
    world = SignerWorld(journal=Watched(key), keys={"hot": key})
    assert is_signed(world.sign(world.load()))
    assert (world.journal.signed_before_commit, key.calls) == (0, 1)


def test_a_key_that_fails_signs_nothing_and_its_nonce_stays_used():
    key = CountingKey(SignerWorld().keys["hot"])
    world = SignerWorld(keys={"hot": key})
    held = world.load()
    key.fails = True
    assert refusal(world.sign(held)) == ("key", "failed")
    key.fails = False
    assert refusal(world.sign(held, transaction(data=transfer(1)))) == ("nonce", "nonce_reused")
    assert is_signed(world.sign(held))


@pytest.mark.parametrize(
    "error", [Unavailable("the disk is full"), OSError(28, "no space"), ValueError("odd")]
)
def test_a_lost_store_refuses_all_for_good(error):
    world = SignerWorld()
    held = world.load()
    world.journal.fails = error
    answers = world.ask(world.request(held, transaction()), Status(), Freeze(reason="x", by="y"))
    assert [refusal(answer) for answer in answers] == [LOST] * 3
    assert world.core.store_is_lost
    world.journal.fails = None
    assert refusal(world.sign(held)) == LOST
    assert refusal(world.ask(AddressOf(key="hot"))) == LOST
    assert is_signed(world.restarted().sign(held))


def test_an_interrupt_during_the_commit_goes_on_and_loses_the_store():
    world = SignerWorld()
    held = world.load()
    world.journal.dies_after = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.sign(held)
    world.journal.dies_after = None
    assert refusal(world.sign(held)) == LOST


def test_an_error_that_no_check_foresaw_is_a_refusal_and_a_record():
    class Odd(FixedWitness):
        def code(self, chain_id, target):
            raise RuntimeError("odd")

    world = SignerWorld(witness=Odd())
    assert refusal(world.sign(world.load())) == ("failed", "failed")
    assert world.journal.kept[-1].body["check"] == "failed"


def test_a_restart_finds_everything_as_it_was():
    world = SignerWorld()
    held = world.load()
    for nonce in range(4):
        world.sign(held, transaction(nonce=nonce, data=transfer((nonce + 1) * 100 * USD)))
    world.sign(held, transaction(nonce=9, to=POOL, data=b"", value_wei=ETHER // 100))
    again = world.restarted()
    assert again.ask(Status()) == world.ask(Status())
    for asked in (world, again):
        one_more = transaction(nonce=20, data=transfer(1_000 * USD))
        assert is_signed(asked.sign(held, one_more))


def test_on_the_real_ledger_a_frame_is_one_commit_and_the_chain_verifies(tmp_path):
    clock = ManualClock(1_800_000_000_000)
    with Journal.open(tmp_path / "signer.sqlite", clock=clock) as journal:
        world = SignerWorld(journal=journal, clock=clock)
        held = world.load()
        frame = [world.request(held, transaction(nonce=nonce, data=transfer(1))) for nonce in range(10)]
        assert all(is_signed(answer) for answer in world.ask(*frame))
        assert journal.verify().records == 11
        with JournalReader.open(tmp_path / "signer.sqlite") as reader:
            assert reader.head()[0] == 11
    with Journal.open(tmp_path / "signer.sqlite", clock=clock) as journal:
        again = world.restarted(journal=journal)
        answer = again.sign(held, transaction(nonce=10, data=transfer(1)))
        assert refusal(answer) == ("count", "count_limit")
        assert is_signed(again.sign(held, transaction(nonce=3, data=transfer(1))))


def test_metrics_count_answers_by_the_check_that_decided():
    class Counts:
        def __init__(self):
            self.counts, self.gauges = [], {}

        def count(self, metric, amount=1, **labels):
            self.counts.append((metric, labels["result"], labels["check"]))

        def set(self, metric, value, **labels):
            self.gauges[metric] = value

        def observe(self, metric, value, **labels): ...

    world = SignerWorld(recorder=Counts())
    held = world.load()
    world.sign(held)
    world.sign(held, transaction(to=POOL, data=transfer(1)))
    world.ask(Freeze(reason="x", by="y"))
    requests = Metric.SIGNER_REQUESTS
    assert world.recorder.counts == [
        (requests, "yes", "none"),
        (requests, "yes", "none"),
        (requests, "no", "target"),
        (requests, "yes", "none"),
    ]
    assert world.recorder.gauges[Metric.SIGNER_FROZEN] == 1


def test_a_record_that_can_not_be_read_keeps_the_signer_from_starting():
    world = SignerWorld()
    world.sign(world.load())
    last = world.journal.kept[-1]
    world.journal.kept[-1] = msgspec.structs.replace(last, body_json='{"verb":"sign_transaction"}')
    with pytest.raises(Tampered, match="seq 2"):
        world.restarted()

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.chain import KeyLease, address
from tidegate.chain.nonces import NonceBook
from tidegate.ledger import Journal
from tidegate.model import Divergence, RecordKind, SystemClock, Unavailable

ACCOUNT = address(0xACC)

HOLDER = """
import sys, time
from pathlib import Path
from tidegate.chain import KeyLease, address
from tidegate.ledger import Journal
from tidegate.model import SystemClock
journal = Journal.open(Path(sys.argv[1]) / "other.sqlite", clock=SystemClock())
KeyLease.take(Path(sys.argv[1]) / "leases", journal, chain_id=1, account=address(0xACC))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "ledger.sqlite", clock=SystemClock()) as opened:
        yield opened


def take(folder: Path, journal: Journal, chain_id: int = 1) -> KeyLease:
    return KeyLease.take(folder / "leases", journal, chain_id=chain_id, account=ACCOUNT)


def test_a_second_owner_of_a_key_on_a_chain_is_refused_with_the_holders_name(
    tmp_path: Path, journal: Journal
) -> None:
    lease = take(tmp_path, journal)
    with pytest.raises(Unavailable) as caught:
        take(tmp_path, journal)
    assert caught.value.code == "key_leased"
    assert caught.value.found == lease.body.holder
    assert f"pid {os.getpid()} on " in lease.body.holder
    take(tmp_path, journal, chain_id=2).release()
    lease.release()
    take(tmp_path, journal).release()


def test_the_lease_is_durable_in_the_ledger_until_it_is_released(tmp_path: Path, journal: Journal) -> None:
    lease = take(tmp_path, journal)
    (standing,) = journal.standing("lease")
    assert standing.body["holder"] == lease.body.holder
    lease.release()
    lease.release()
    assert journal.standing("lease") == []
    assert len(list(journal.records(kind=RecordKind.LEASE))) == 2


def test_another_process_holds_it_by_name_and_a_dead_ones_lease_is_taken(
    tmp_path: Path, journal: Journal
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Unavailable) as caught:
            take(tmp_path, journal)
        assert f"pid {holder.pid} on " in str(caught.value.found)
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        take(tmp_path, journal).release()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]


def begun(
    *,
    latest: int = 0,
    pending: int | None = None,
    held: tuple[int, ...] = (),
    known: int | None = None,
    included: int | None = None,
) -> NonceBook:
    book = NonceBook()
    book.begin(
        latest=latest,
        pending=latest if pending is None else pending,
        held=held,
        highest_known=known,
        highest_included=included,
        account=ACCOUNT,
    )
    return book


def test_a_key_with_a_past_begins_after_it() -> None:
    assert begun(latest=7).reserve() == 7


def test_a_gap_below_an_open_transaction_is_filled_first() -> None:
    book = begun(latest=3, pending=3, held=(5,), known=5)
    assert [book.reserve() for _ in range(3)] == [3, 4, 6]


@pytest.mark.parametrize(
    ("latest", "pending", "known"),
    [(0, 1, None), (4, 4, 2), (3, 5, 3)],
    ids=["one waits and nobody knows it", "more included than known", "more wait than known"],
)
def test_a_transaction_that_was_never_reserved_is_a_divergence(
    latest: int, pending: int, known: int | None
) -> None:
    with pytest.raises(Divergence) as caught:
        begun(latest=latest, pending=pending, known=known)
    assert caught.value.code == "unknown_nonce"


def test_a_chain_that_is_behind_what_was_final_gives_no_nonce_away() -> None:
    with pytest.raises(Unavailable) as caught:
        begun(latest=4, known=5, included=5)
    assert caught.value.code == "nonce_behind"
    assert begun(latest=4, held=(5, 4), known=5, included=5).reserve() == 6, "withdrawn is no lag"


def test_what_was_released_above_everything_else_is_given_again() -> None:
    book = begun()
    assert [book.reserve(), book.reserve(), book.reserve()] == [0, 1, 2]
    book.release(1)
    assert book.gaps() == (1,)
    book.release(2)
    assert book.gaps() == ()
    assert book.next == 1


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_nonce_is_ever_given_to_two_at_once(steps: list[int | None]) -> None:
    book, taken = begun(), set[int]()
    for step in steps:
        if step is None:
            nonce = book.reserve()
            assert nonce not in taken
            assert nonce == min(set(range(len(taken) + 1)) - taken), "the lowest that is free"
            taken.add(nonce)
        elif step in taken:
            taken.discard(step)
            book.release(step)

"""A full disk: nothing new is begun, exits go on as long as the reserve lasts, and it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tidegate.ledger import Entry, IntentBody, Journal, JournalReader
from tidegate.ledger.reserve import RESERVE_BYTES, may_use_reserve
from tidegate.model import ManualClock, Operation, RecordKind, Stage, Unavailable

from .walks import an_intent, landed, write, write_runs

_ON_A_TINY_DISK = """
import errno, json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ledger.test_disk_full import an_exit, exit_run
from ledger.walks import an_intent, landed, write, write_runs
from tidegate.ledger import Journal, rebuild
from tidegate.model import ManualClock, RecordKind, Unavailable

place, said, clock = Path(sys.argv[1]), [], ManualClock(1)
journal = Journal.open(place / "ledger.sqlite", clock=clock, on_full=said.append)
write_runs(journal, 3)
open_run = landed(an_intent(90), nonce=90)
write(journal, an_intent(90), open_run[:8])  # its bytes are out
with open(place / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(65536))
    except OSError as full:
        assert full.errno == errno.ENOSPC
    os.ftruncate(filler.fileno(), os.fstat(filler.fileno()).st_size // 4096 * 4096)
result = {"filled": sum(one.stat().st_blocks for one in place.iterdir()) * 512}
refused = None
for number in range(100, 1000):  # the log still has room that it was given before
    try:
        write(journal, an_intent(number), landed(an_intent(number), nonce=number))
    except Unavailable as error:
        refused = error
        break
result |= {"code": refused.code, "is_full": journal.is_full, "said": list(said)}
result["reserve_is_there"] = (place / "ledger.sqlite-reserve").exists()
write(journal, an_intent(90), open_run[8:])
result["settled"] = journal.attempts(intent_id=an_intent(90).id)[0].outcome
exits = 0
try:
    for exits in range(2000):
        write(journal, an_exit(2000 + exits), exit_run(2000 + exits))
except Unavailable as error:
    result["at_last"] = error.code
result["exits"] = exits
(place / "filler").unlink()
clock.set_ms(2_000)
write(journal, an_intent(5000), landed(an_intent(5000), nonce=5000))
result |= {"said_at_the_end": said, "is_whole": journal.verify().records == journal.head()[0]}
result["reserve_is_back"] = (place / "ledger.sqlite-reserve").stat().st_size
result["code_at_the_end"] = journal.attempts(intent_id=an_intent(5000).id)[0].outcome
journal.close()
print(json.dumps(result))
"""

_STARTED_ON_A_FULL_DISK = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from ledger.test_disk_full import an_exit, exit_run
from ledger.walks import an_intent, landed, write, write_runs
from tidegate.ledger import Journal
from tidegate.model import ManualClock, Unavailable

place, said = Path(sys.argv[1]), []
with Journal.open(place / "ledger.sqlite", clock=ManualClock(1)) as journal:
    write_runs(journal, 3)
try:
    with open(place / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
except OSError:
    pass
journal = Journal.open(place / "ledger.sqlite", clock=ManualClock(1), on_full=said.append)
try:
    write(journal, an_intent(9), landed(an_intent(9), nonce=9))
except Unavailable as error:
    code = error.code
write(journal, an_exit(10), exit_run(10))
outcome = journal.attempts(intent_id=an_exit(10).id)[0].outcome
journal.close()
print(json.dumps({"code": code, "said": said, "outcome": outcome}))
"""


def an_exit(number: int):  # type: ignore[no-untyped-def]
    return msgspec.structs.replace(an_intent(number), operation=Operation.CLOSE)


def exit_run(number: int):  # type: ignore[no-untyped-def]
    return [
        IntentBody(intent=an_exit(number), stage=Stage.PAPER),
        *landed(an_intent(number), nonce=number)[1:],
    ]


def tiny_disk(script: str, place: Path) -> dict[str, object]:
    """Run a script on a file system of 4 MiB that only it can see, without any right of ours."""
    place.mkdir()
    tests = str(Path(__file__).parents[1])
    inner = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" -c "$3" "$1" "$4"'
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    namespace = ["unshare", *rights, "--mount"]
    command = [*namespace, "sh", "-c", inner, "sh", str(place), sys.executable, script, tests]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here: the next test fills the store by its own limit")
    if done.returncode and "unshare" in done.stderr + done.stdout:
        pytest.skip("no user namespaces here: the next test fills the store by its own limit")
    assert done.returncode == 0, done.stderr
    value: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return value


def test_on_a_full_disk_no_intent_begins_exits_go_on_and_it_is_said(tmp_path: Path) -> None:
    found = tiny_disk(_ON_A_TINY_DISK, tmp_path / "disk")
    assert found["filled"] == 4 * 2**20
    assert found["code"] == "ledger_full"
    assert (found["is_full"], found["said"], found["reserve_is_there"]) == (True, [True], False)
    assert found["settled"] == "landed"  # what became of bytes that are out is still written
    assert found["exits"] > 20  # type: ignore[operator]
    assert found["at_last"] == "ledger_full"  # the reserve is used up: then exits are refused, too
    assert found["said_at_the_end"] == [True, False]
    assert found["reserve_is_back"] == RESERVE_BYTES
    assert found["code_at_the_end"] == "landed"
    assert found["is_whole"]


def test_a_start_on_a_full_disk_goes_on_with_exits(tmp_path: Path) -> None:
    found = tiny_disk(_STARTED_ON_A_FULL_DISK, tmp_path / "disk")
    assert found == {"code": "ledger_full", "said": [True], "outcome": "landed"}


def page_limit(journal: Journal, *, free: bool) -> None:
    connection = journal._writing.connection
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {1_000_000 if free else pages}")


def test_while_the_store_is_full_only_exits_and_what_follows_sent_bytes_are_taken(
    path: Path, clock: ManualClock
) -> None:
    said: list[bool] = []
    with Journal.open(path, clock=clock, on_full=said.append) as journal:
        out = landed(an_intent(1), nonce=1)
        write(journal, an_intent(1), out[:8])
        write(journal, an_intent(2), landed(an_intent(2), nonce=2)[:2])
        journal.flush()
        page_limit(journal, free=False)
        filler = Entry(RecordKind.EVENT, {"x": "y" * 200_000}, "x")
        with pytest.raises(Unavailable) as refused:
            journal.append_many([filler])
        assert (refused.value.code, journal.is_full, said) == ("ledger_full", True, [True])
        page_limit(journal, free=True)  # space, as the reserve gives it; nobody was told that it is back
        for body in (landed(an_intent(3))[0], landed(an_intent(2), nonce=2)[2]):
            number = 3 if isinstance(body, IntentBody) else 2
            with pytest.raises(Unavailable, match="nothing new is begun") as refused:
                write(journal, an_intent(number), [body])
            assert refused.value.code == "ledger_full"
        write(journal, an_intent(1), out[8:])
        write(journal, an_exit(4), exit_run(4))
        assert [attempt.outcome for attempt in journal.attempts()] == ["landed", None, "landed"]
        clock.set_ms(clock.now_ms() + 1_000)
        write(journal, an_intent(3), landed(an_intent(3), nonce=3))
        assert (journal.is_full, said) == (False, [True, False])
        assert journal.verify().records == journal.head()[0]


STREET = (
    "intent limits plan guards simulation bounds authorisation nonce signature sent receipt outcome booking"
)


@pytest.mark.parametrize("kind", [*STREET.split(), "replacement", "stop", "resume", "halt"])
def test_an_exit_may_use_the_reserve_at_every_step(kind: str) -> None:
    assert may_use_reserve(RecordKind(kind), is_of_exit=True)


def test_the_reserve_is_taken_from_the_disk_before_it_is_needed(path: Path, clock: ManualClock) -> None:
    with Journal.open(path, clock=clock):
        reserve = path.with_name(path.name + "-reserve")
        assert reserve.stat().st_size == RESERVE_BYTES
        assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    with reserve.open("r+b") as file:
        file.truncate(10)
    with Journal.open(path, clock=clock) as journal:
        assert reserve.stat().st_size == RESERVE_BYTES
        assert not journal.is_full


def test_a_journal_that_finds_no_room_for_its_reserve_begins_nothing_new(
    path: Path, clock: ManualClock
) -> None:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 1)
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from ledger.test_disk_full import an_exit, exit_run\n"
        "from ledger.walks import an_intent, landed, write\n"
        "from tidegate.ledger import Journal\n"
        "from tidegate.model import ManualClock, Unavailable\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))\n"
        "Path(sys.argv[1] + '-reserve').unlink()\n"
        "journal = Journal.open(Path(sys.argv[1]), clock=ManualClock(1))\n"
        "try: write(journal, an_intent(7), landed(an_intent(7)))\n"
        "except Unavailable as error: print(error.code)\n"
        "write(journal, an_exit(8), exit_run(8)); journal.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(Path(__file__).parents[1])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["ledger_full"]
    with JournalReader.open(path) as reader:
        assert [attempt.intent_id for attempt in reader.attempts()] == [an_intent(0).id, an_intent(8).id]
        assert reader.verify().records == 12 + 11

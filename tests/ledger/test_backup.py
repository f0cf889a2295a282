"""Backups are consistent, verified and whole; restoring needs an empty place and starts stopped."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.ledger import (
    LEDGER,
    SCHEMA_VERSION,
    Journal,
    JournalReader,
    Manifest,
    Restored,
    back_up,
    place_of,
    read_backup,
    rebuild,
    restore,
)
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered, Unavailable

from .walks import an_intent, landed, what_stands, write, write_runs

STOP = "stop.d/restored"


@pytest.fixture
def ledger(path: Path, clock: ManualClock) -> Path:
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 2)
        for body in what_stands():
            journal.append(body.KIND, body, actor="x")
    return path


@pytest.fixture
def backup(ledger: Path, tmp_path: Path, clock: ManualClock) -> Path:
    back_up(ledger, tmp_path / "backup", clock=clock)
    return tmp_path / "backup"


def stop_all(home: Path) -> None:
    (home / "stop.d").mkdir(exist_ok=True)
    (home / STOP).write_text("global")


def put_back(backup: Path, home: Path, **options: object) -> Restored:
    return restore(backup, home, clock=ManualClock(1), stop=stop_all, **options)  # type: ignore[arg-type]


def whole(ledger: Path) -> tuple[int, str]:
    with JournalReader.open(ledger) as reader:
        report = reader.verify()
    return report.head_seq, report.head_hash


def test_a_backup_says_what_it_holds_and_every_digest(
    ledger: Path, tmp_path: Path, clock: ManualClock
) -> None:
    manifest = back_up(ledger, tmp_path / "backup", clock=clock)
    assert (manifest.seq, manifest.hash) == whole(ledger)
    assert manifest.schema == SCHEMA_VERSION
    assert manifest.made_at_ms == clock.now_ms()
    assert sorted(manifest.files) == [LEDGER, f"{LEDGER}-head"]
    assert read_backup(tmp_path / "backup") == manifest
    assert whole(tmp_path / "backup" / LEDGER) == (manifest.seq, manifest.hash)
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_a_backup_is_taken_while_the_writer_runs_and_is_consistent(
    path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    ended = threading.Event()
    with Journal.open(path, clock=clock) as journal:
        write_runs(journal, 1)

        def work() -> None:
            for number in range(1, 2_000):
                write(journal, an_intent(number), landed(an_intent(number), nonce=number))
                if ended.is_set():
                    return

        writer = threading.Thread(target=work)
        writer.start()
        try:
            manifests = [back_up(path, tmp_path / f"backup{number}", clock=clock) for number in range(4)]
        finally:
            ended.set()
            writer.join()
        for number, manifest in enumerate(manifests):
            copy = tmp_path / f"backup{number}" / LEDGER
            assert journal.verify(checkpoint=(manifest.seq, manifest.hash)).records >= manifest.seq
            with JournalReader.open(copy) as reader:
                assert reader.verify().head_seq == manifest.seq
                assert rebuild(reader, tmp_path / f"again{number}").is_equal
        assert manifests[-1].seq > manifests[0].seq


def test_what_else_is_asked_for_is_in_the_backup(ledger: Path, tmp_path: Path, clock: ManualClock) -> None:
    signer = tmp_path / "signer" / "journal.sqlite"
    (tmp_path / "stop.d").mkdir()
    (tmp_path / "stop.d" / "one").write_text("desk:atomic")
    with Journal.open(signer, clock=clock) as journal:
        journal.append(RecordKind.ANSWER, {"n": 1}, actor="signer")
        also = {
            "stop.d": tmp_path / "stop.d",
            "signer/journal.sqlite": signer,
            "absent": tmp_path / "absent",
        }
        manifest = back_up(ledger, tmp_path / "backup", clock=clock, also=also)
    assert sorted(manifest.files) == [
        LEDGER,
        f"{LEDGER}-head",
        "signer/journal.sqlite",
        "signer/journal.sqlite-head",
        "stop.d/one",
    ]
    restored = put_back(tmp_path / "backup", tmp_path / "home")
    assert restored.files == ("signer/journal.sqlite", "signer/journal.sqlite-head", "stop.d/one")
    assert (tmp_path / "home" / "stop.d" / "one").read_text() == "desk:atomic"
    assert whole(tmp_path / "home" / "signer" / "journal.sqlite")[0] == 1


def test_a_backup_of_a_damaged_ledger_is_none(ledger: Path, tmp_path: Path, clock: ManualClock) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        connection.execute("UPDATE journal_records SET actor = 'x' WHERE seq = 5")
    connection.close()
    with pytest.raises(Tampered, match="seq 5 was changed"):
        back_up(ledger, tmp_path / "backup", clock=clock)
    assert not (tmp_path / "backup").exists()


def test_a_backup_of_a_ledger_that_lost_its_tail_is_none(
    ledger: Path, tmp_path: Path, clock: ManualClock
) -> None:
    connection = sqlite3.connect(ledger)
    with connection:
        connection.execute("DELETE FROM journal_records WHERE seq > 20")
        connection.execute(
            "UPDATE journal_head SET seq = 20, hash = (SELECT hash FROM journal_records WHERE seq = 20)"
        )
    connection.close()
    with pytest.raises(Tampered, match="seq 21 is missing"):
        back_up(ledger, tmp_path / "backup", clock=clock)


def test_a_backup_never_lands_on_anything(ledger: Path, tmp_path: Path, clock: ManualClock) -> None:
    for taken in (tmp_path, ledger, tmp_path / "nowhere" / "backup"):
        with pytest.raises(ConfigError) as refused:
            back_up(ledger, taken, clock=clock)
        assert refused.value.code == "output"


def test_a_backup_that_does_not_fit_the_disk_leaves_nothing(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tidegate.ledger import back_up\n"
        "from tidegate.model import ManualClock, Unavailable\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: back_up(Path(sys.argv[1]), Path(sys.argv[2]), clock=ManualClock(1))\n"
        "except Unavailable as error: print(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ledger), str(tmp_path / "place" / "backup")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "12"
    assert list((tmp_path / "place").iterdir()) == []


def test_restoring_gives_the_same_records_and_projections_and_starts_stopped(
    backup: Path, ledger: Path, tmp_path: Path, clock: ManualClock
) -> None:
    restored = put_back(backup, tmp_path / "home")
    assert (restored.seq, restored.hash) == whole(ledger)
    assert (tmp_path / "home" / STOP).read_text() == "global"
    new = tmp_path / "home" / LEDGER
    with JournalReader.open(new) as reader, JournalReader.open(ledger) as old:
        assert list(reader.records()) == list(old.records())
        assert (reader.attempts(), reader.positions()) == (old.attempts(), old.positions())
        assert reader.standing("lease") == old.standing("lease") != []
        assert rebuild(reader, tmp_path / "copy").is_equal
    with Journal.open(new, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        assert journal.verify().head_seq == restored.seq + 1
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


def test_restoring_needs_an_empty_place(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put_back(backup, tmp_path / "empty")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "one").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in ("empty", "file", "full", "link"):
        with pytest.raises(ConfigError) as refused:
            put_back(backup, tmp_path / taken)
        assert (refused.value.code, refused.value.exit_code) == ("restore_place", 3)
    assert (tmp_path / "full" / "one").read_text() == "precious"


def change_ledger(backup: Path) -> None:
    connection = sqlite3.connect(backup / LEDGER)
    with connection:
        connection.execute("UPDATE journal_records SET actor = 'x' WHERE seq = 5")
    connection.close()


def forge(backup: Path) -> None:
    """Change a record and write the digests anew: the chain finds it."""
    from tidegate.ledger.backup import digest_of

    change_ledger(backup)
    manifest = json.loads((backup / "manifest.json").read_text())
    digest = digest_of(backup / LEDGER)
    manifest["files"][LEDGER] = {"size": digest.size, "sha256": digest.sha256}
    (backup / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "harm",
    [
        change_ledger,
        forge,
        lambda backup: (backup / LEDGER).unlink(),
        lambda backup: (backup / f"{LEDGER}-head").write_bytes(b""),
        lambda backup: (backup / "extra").write_text("x"),
        lambda backup: (backup / "manifest.json").write_text("{}"),
    ],
    ids=["record", "record and digests", "no ledger", "note", "extra file", "manifest"],
)
def test_a_backup_that_was_changed_is_not_restored(
    backup: Path, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    harm(backup)
    with pytest.raises(Tampered) as refused:
        put_back(backup, tmp_path / "home")
    assert refused.value.exit_code == 13
    assert not (tmp_path / "home").exists()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_backup_without_a_record_that_was_kept_elsewhere_is_not_restored(
    backup: Path, ledger: Path, tmp_path: Path, clock: ManualClock
) -> None:
    kept = whole(ledger)
    with Journal.open(ledger, clock=clock) as journal:
        journal.append(RecordKind.EVENT, {}, actor="x")
        journal.flush()
        newer = journal.head()
    with pytest.raises(Tampered, match=f"seq {newer[0]} is missing"):
        put_back(backup, tmp_path / "home", checkpoint=newer)
    assert put_back(backup, tmp_path / "home", checkpoint=kept).seq == kept[0]


def test_a_restore_that_fails_leaves_nothing(backup: Path, tmp_path: Path) -> None:
    def cannot(_: Path) -> None:
        raise Unavailable("no stop can be written")

    with pytest.raises(Unavailable, match="no stop"):
        restore(backup, tmp_path / "home", clock=ManualClock(1), stop=cannot)
    made = [one.name for one in tmp_path.iterdir() if not one.name.startswith(("ledger.sqlite", "backup"))]
    assert made == []


def test_no_backup_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        put_back(tmp_path, tmp_path / "home")
    assert refused.value.code == "no_backup"


def test_a_backup_of_a_newer_release_is_refused(backup: Path, tmp_path: Path) -> None:
    for key in ("format", "schema"):
        copy = tmp_path / key
        shutil.copytree(backup, copy)
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps({**manifest, key: 99}))
        with pytest.raises(ConfigError, match="newer release"):
            put_back(copy, tmp_path / "home")


def test_from_one_back_end_to_the_other(
    ledger: Path, backup: Path, tmp_path: Path, server_url: str, clock: ManualClock
) -> None:
    """A SQLite ledger goes into PostgreSQL by a restore, and comes back by a backup and a restore."""
    restored = put_back(backup, tmp_path / "one", ledger=place_of(server_url))
    assert not (tmp_path / "one" / LEDGER).exists()
    assert (tmp_path / "one" / STOP).exists()
    with Journal.open(server_url, clock=clock) as journal:
        assert journal.verify().head_seq == restored.seq
        journal.append(RecordKind.EVENT, {}, actor="x")
        journal.flush()
        manifest: Manifest = back_up(server_url, tmp_path / "second", clock=clock)
        assert (manifest.seq, manifest.hash) == journal.head()
        assert "postgresql://" in manifest.place
    back = put_back(tmp_path / "second", tmp_path / "two")
    assert back.seq == restored.seq + 1
    with JournalReader.open(tmp_path / "two" / LEDGER) as reader, JournalReader.open(server_url) as live:
        assert list(reader.records()) == list(live.records())
        assert reader.positions() == live.positions()
    with pytest.raises(ConfigError, match="holds a ledger already"):
        put_back(backup, tmp_path / "three", ledger=place_of(server_url))

"""``tidegate journal`` with words and files that nobody should give it: each is an error with a next step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.app.cli import run_command as run


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "--checkpoint", "٣:" + "0" * 64), 3),
        (("verify", "--checkpoint", "5:" + "z" * 64), 3),
        (("verify", "--checkpoint", "9" * 23 + ":" + "0" * 64), 3),
        (("tail", "-n", "9" * 23), 2),
        (("export", "--output", "/nonexistent/x"), 3),
        (("rebuild", "--output", "/nonexistent/x/y"), 3),
        (("verify", "--ledger", "a" * 5_000), 3),
        (("verify", "--ledger", "/dev/null"), 3),
    ],
)
def test_each_is_refused_with_a_next_step(
    ledger: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int
) -> None:
    chosen = () if "--ledger" in words else ("--ledger", str(ledger))
    assert run(["journal", *words, *chosen, "--json"]) == code
    error = json.loads(capsys.readouterr().out)
    assert error["code"] != "defect"
    assert error["allowed"]


@pytest.mark.parametrize("verb", ["export", "rebuild"])
def test_the_ledger_is_never_written_over(
    ledger: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    before = ledger.read_bytes()
    assert run(["journal", verb, "--output", str(ledger), "--ledger", str(ledger), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["code"] == "output"
    assert ledger.read_bytes() == before
    assert not list(ledger.parent.glob("*.partial"))


def test_a_lost_note_is_exit_12_and_its_next_step_accepts_it(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.with_name(ledger.name + "-head").unlink()
    assert run(["journal", "verify", "--ledger", str(ledger), "--json"]) == 12
    error = json.loads(capsys.readouterr().out)
    assert error["code"] == "head_note_missing"
    checkpoint = error["next"].partition("--checkpoint ")[2].partition(",")[0]
    assert run(["journal", "verify", "--checkpoint", checkpoint, "--ledger", str(ledger), "--json"]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that Linux has")
@pytest.mark.parametrize("words", [("export",), ("tail",), ("tail", "--json"), ("verify",)])
def test_an_output_that_takes_nothing_is_said(ledger: Path, words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "tidegate", "journal", *words, "--ledger", str(ledger)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 12
    assert "No space left" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(ledger: Path) -> None:
    command = [sys.executable, "-m", "tidegate", "journal", "export", "--ledger", str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""


def test_without_any_output_it_does_its_work(ledger: Path) -> None:
    command = f"{sys.executable} -m tidegate journal verify --ledger {ledger} >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize("name", ["a" * 300, "taken", "taken/home"])
def test_a_home_that_can_be_no_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / name))
    assert run(["journal", "verify", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["allowed"]

"""What the command line does with wrong words, with data that looks like markup, and with defects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from typer.main import get_command

from tidegate.app import cli
from tidegate.app.cli import doctor
from tidegate.app.cli.common import console
from tidegate.app.cli.hints import hint, where_to_look
from tidegate.app.story import counted
from tidegate.model import Reason

NAMES = {
    "BACKUP",
    "CAPABILITY",
    "CHAIN",
    "CHAIN...",
    "FILE",
    "FILE...",
    "FOLDER",
    "ID...",
    "INTENT",
    "KEY",
    "KIND",
    "MAIN",
    "NAME",
    "SEQ",
    "TARGET[:SELECTOR]",
}


def commands(command: Any = None) -> Iterator[Any]:
    command = command or get_command(cli.application([]))
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from commands(child)


def test_data_never_becomes_markup_or_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["devnet", "up", "--chains", "[red]foo[/]"]) == 3
    error = capsys.readouterr().err
    assert "[red]foo[/]" in error
    assert "NAME:ID:SECONDS" in error
    console().print("[bold]a[/] :ID:")
    assert capsys.readouterr().out == "[bold]a[/] :ID:\n"


def test_no_help_text_reads_as_markup_or_emoji() -> None:
    for command in commands():
        for text in (command.help, command.short_help, *(item.help for item in command.params)):
            if text:
                assert Text.from_markup(text).plain == text


def test_help_shows_names_in_capitals_flags_without_types_and_verbs_in_one_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["strategy", "run"], ["journal", "show"], ["bench"], ["devnet", "down"]):
        assert cli.run_command([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "{" not in shown
        assert "<bool>" not in shown
    assert cli.run_command(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"│ {verb} ") for verb in cli.VERBS]
    assert places == sorted(places)


def test_every_argument_has_a_name_for_people() -> None:
    arguments = [item for one in commands() for item in one.params if item.param_type_name == "argument"]
    assert {item.metavar for item in arguments} == NAMES


def test_options_that_write_a_file_are_called_output() -> None:
    options = {name for one in commands() for item in one.params for name in item.opts}
    assert "--output" in options
    assert "--out" not in options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["strategy", "check"], "Missing argument 'FILE...'."),
        (["nonsense"], "No such command 'nonsense'."),
        (["journal", "tail", "-n", "0"], None),
        (["devnet", "export", "--out", "x"], None),
    ],
)
def test_wrong_use_is_one_json_object(
    words: list[str], message: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command([*words, "--json"]) == 2
    printed = capsys.readouterr()
    error = json.loads(printed.out)
    assert (error["ok"], error["error"], error["code"]) == (False, "UsageError", "usage")
    assert message is None or error["message"] == message
    assert error["next"].startswith("tidegate ")
    assert printed.err == ""


@pytest.mark.parametrize(
    ("typed", "fix"), [("canarry", "did you mean canary?"), ("moon", "tidegate run --help")]
)
def test_a_word_that_is_no_choice_names_the_choices_and_the_nearest(
    typed: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run_command(["run", "--stage", typed, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)
    assert error["message"] == "Invalid value for '--stage'"
    assert error["found"] == typed
    assert error["allowed"] == "backtest, paper, fork, shadow, canary, production"
    assert error["next"] == fix


def test_wrong_use_shows_people_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["strategy", "check"]) == 2
    error = capsys.readouterr().err
    assert "Missing argument 'FILE...'." in error
    assert "tidegate strategy check [OPTIONS] FILE..." in error


def test_a_group_without_a_verb_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["strategy"]) == 2
    printed = capsys.readouterr()
    assert "simulate" in printed.out
    assert printed.err == ""


@pytest.fixture
def defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Break a verb the way that nobody foresaw; return the home."""

    def broken(_: Path) -> str:
        secret = "hunter" + "2" * 3  # in no line of source as it stands here
        raise ZeroDivisionError(f"{len(secret)} of nothing")

    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEGATE_TRACEBACK", raising=False)
    monkeypatch.setattr(doctor, "look_at_machine", broken)
    return tmp_path


def test_a_defect_is_named_and_its_traceback_kept(defect: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["doctor"]) == 1
    error = capsys.readouterr().err
    (path,) = (defect / "crash").iterdir()
    assert "this is a defect of Tidegate" in error
    assert "ZeroDivisionError: 9 of nothing" in error
    assert str(path) in error
    assert "Traceback" not in error
    assert "Traceback" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_defect_is_one_json_object(defect: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["doctor", "--json"]) == 1
    printed = capsys.readouterr()
    error = json.loads(printed.out)
    assert (error["ok"], error["error"], error["code"]) == (False, "ZeroDivisionError", "defect")
    assert "hunter222" not in Path(error["traceback"]).read_text() + printed.out + printed.err


def test_a_traceback_is_printed_if_asked_for(
    defect: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIDEGATE_TRACEBACK", "1")
    assert cli.run_command(["doctor", "--json"]) == 1
    printed = capsys.readouterr()
    assert "Traceback" in printed.err
    assert "hunter222" not in printed.err
    assert json.loads(printed.out)["traceback"] == "standard error"
    assert not (defect / "crash").exists()


def test_a_traceback_that_no_file_can_hold_is_printed(
    defect: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (defect / "file").write_text("")
    monkeypatch.setenv("TIDEGATE_HOME", str(defect / "file"))
    assert cli.run_command(["doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_bench_says_that_it_lists_without_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert cli.run_command(["bench", "--help"]) == 0
    assert "without a name" in " ".join(capsys.readouterr().out.split())


def test_another_market_is_advised_only_against_a_quiet_one() -> None:
    advised = {reason for reason in Reason if "--seed" in hint(reason)}
    assert advised == {Reason.NO_OPPORTUNITY, Reason.UNPROFITABLE}
    assert all(hint(reason) for reason in Reason)


def test_a_refusal_says_where_its_record_stands() -> None:
    assert where_to_look(None) == "tidegate journal tail --kind decision"
    assert where_to_look("ab" * 32) == f"tidegate journal show {'ab' * 32}"


@pytest.mark.parametrize(("number", "text"), [(0, "0 records"), (1, "1 record"), (1_200, "1,200 records")])
def test_a_number_agrees_with_its_noun(number: int, text: str) -> None:
    assert counted(number, "record") == text

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate import __version__
from tidegate.app import cli
from tidegate.model import ConfigError, SourcePosition, Tampered, TidegateError


def run(*arguments: str, home: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    if home is not None:
        variables["TIDEGATE_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-m", "tidegate", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"tidegate {__version__}\n")


def test_help_names_every_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb in ("demo", "devnet", "strategy", "journal", "bench", "doctor"):
        assert f" {verb} " in done.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["demo", "--blocks", "0"], ["demo", "--blocks", "many"]])
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_error_is_one_json_object_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run_command(["bench", "nothing", "--json"]) == ConfigError.exit_code
    error = json.loads(capsys.readouterr().out)
    assert error["ok"] is False
    assert error["error"] == "ConfigError"
    assert "simulate" in error["allowed"]


def test_an_error_says_found_allowed_and_next_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    from tidegate.app.cli.common import report_error

    error = ConfigError(
        "too [bold]wide[/]", found="5", allowed="4", fix="narrow it", position=SourcePosition("a.yaml", 2, 3)
    )
    assert report_error(error, as_json=False) == 3
    shown = capsys.readouterr().err
    for part in ("a.yaml:2:3: too [bold]wide[/]", "found:   5", "allowed: 4", "next:    narrow it"):
        assert part in shown


@pytest.mark.parametrize(
    ("error", "heading"),
    [
        (Tampered("seq 4 was changed"), "Tampered seq 4 was changed"),
        (ConfigError("no file"), "ConfigError no file"),
        (ConfigError("no file", code="ATM101"), "ConfigError ATM101 no file"),
        (TidegateError("a chain is up", code="already_up"), "already_up a chain is up"),
        (TidegateError("it failed"), "error it failed"),
    ],
)
def test_a_heading_says_nothing_twice(
    error: TidegateError, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tidegate.app.cli.common import report_error

    report_error(error, as_json=False)
    assert capsys.readouterr().err == f"{heading}\n"


def test_a_benchmarks_figures_stand_beside_their_limits(capsys: pytest.CaptureFixture[str]) -> None:
    from tidegate.app.cli.bench import render
    from tidegate.app.cli.common import console

    result = {
        "name": "atomic-gas",
        "peer": "another",
        "ratio": 0.8,
        "machine": {},
        "step_guarded": 1_355,
        "read": 1_700,
        "published": {"bundler3_step": 1_572, "weiroll_step": (2_751, 3_002)},
        "budgets": {"step_guarded": 1_369},
        "within_budgets": True,
    }
    render(console(), result)
    shown = capsys.readouterr().out
    lines = [" ".join(line.strip("│ \n").replace("│", " ").split()) for line in shown.splitlines()]
    for line in (
        "step_guarded 1,355 of at most 1,369",
        "read 1,700",
        "published bundler3_step 1,572",
        "published weiroll_step 2,751 to 3,002",
        "within_budgets yes",
    ):
        assert line in lines
    assert "{" not in shown


def test_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    done = run("doctor", "--json", home=tmp_path)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    wanted = "version python npm anvil artifacts contracts cache disk keys signer ledger books stops"
    assert wanted.split() == [finding["check"] for finding in report["findings"]]


def test_doctor_names_what_is_missing_and_exits_1(tmp_path: Path) -> None:
    done = run(
        "doctor",
        "--json",
        home=tmp_path,
        TIDEGATE_NODE_MODULES=str(tmp_path / "nowhere"),
        TIDEGATE_CACHE=str(tmp_path / "cache"),
        PATH="/nonexistent",
    )
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    for missing in ("npm", "anvil", "artifacts"):
        assert not findings[missing]["ok"]
        assert findings[missing]["fix"]


def test_without_the_npm_packages_language_and_journal_still_work(tmp_path: Path) -> None:
    missing = {"TIDEGATE_NODE_MODULES": str(tmp_path / "none"), "TIDEGATE_CACHE": str(tmp_path / "cache")}
    file = str(tmp_path / "mine.yaml")
    assert run("strategy", "new", "mine", "--output", file, home=tmp_path, **missing).returncode == 0
    for verb in ("check", "explain"):
        assert run("strategy", verb, file, home=tmp_path, **missing).returncode == 0
    refused = run("strategy", "run", file, home=tmp_path, **missing)
    assert refused.returncode == 12
    assert "Traceback" not in refused.stderr
    assert "works" in refused.stderr or "work" in refused.stderr


def test_bench_lists_what_it_can_measure() -> None:
    listed = json.loads(run("bench", "--list", "--json").stdout)["benchmarks"]
    assert set(listed) >= {"atomic-gas", "simulate", "journal", "signer", "devnet"}
    bench = Path(__file__).parents[2] / "bench"
    assert [name for name in listed if not (bench / f"{name.replace('-', '_')}.py").exists()] == []


def test_every_exit_code_is_of_the_contract() -> None:
    found = {one.exit_code for one in [TidegateError, *TidegateError.__subclasses__()]}
    assert found <= {0, 1, 2, 3, 10, 11, 12, 13, 20}

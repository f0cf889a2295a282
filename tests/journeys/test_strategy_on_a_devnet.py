"""``strategy plan | simulate | run`` where a devnet is up, at a block, for another chain or executor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as tidegate
from tidegate.app.devnet import devnet_address
from tidegate.desks.atomic import template_text

Cli = Callable[..., tuple[int, dict[str, Any]]]
OPEN, CLOSE = "leverage-open.yaml", "leverage-close.yaml"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDEGATE_HOME", raising=False)
    for name in ("leverage-open", "leverage-close", "flash-arb"):
        (tmp_path / f"{name}.yaml").write_text(template_text(name), encoding="utf-8")

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = tidegate([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


@pytest.fixture
def up(cli: Cli) -> Iterator[Cli]:
    assert cli("devnet", "up", "--chains", "devnet:31337:1")[0] == 0
    yield cli
    assert cli("devnet", "down")[0] == 0


def test_runs_on_a_devnet_that_is_up_build_on_each_other_and_nothing_is_allowed_unasked(up: Cli) -> None:
    code, refused = up("strategy", "run", OPEN)
    assert (code, refused["runs"][0]["reason"]) == (10, "policy_missing")
    assert refused["runs"][0]["world"] == "devnet devnet"
    account = devnet_address("operator")
    assert up("devnet", "allow", "devnet", OPEN, CLOSE, "--account", account, "--fund", "2")[0] == 0

    code, opened = up("strategy", "run", OPEN)
    assert (code, opened["runs"][0]["outcome"]) == (0, "landed")
    code, planned = up("strategy", "plan", CLOSE, "--chain", "devnet")
    assert (code, planned["chain"]) == (0, "the devnet devnet")
    assert planned["quoted_at_block"] >= opened["runs"][0]["block"]
    before = str(opened["runs"][0]["block"] - 1)
    code, refused = up("strategy", "plan", CLOSE, "--block", before)
    assert (code, refused["code"]) == (10, "simulation_reverted"), "a block earlier there was no position"
    code, simulated = up("strategy", "simulate", CLOSE)
    assert (code, simulated["chain"], simulated["ok"]) == (0, "the devnet devnet", True)

    code, closed = up("strategy", "run", CLOSE)
    assert (code, closed["runs"][0]["outcome"]) == (0, "landed")
    assert closed["runs"][0]["block"] > opened["runs"][0]["block"]
    code, own = up("strategy", "plan", "flash-arb.yaml", "--seed", "7")
    assert (code, own["chain"]) == (0, "a paper world of its own")


def test_a_plan_at_a_block_is_of_that_block_and_says_so_where_its_state_is_gone(cli: Cli) -> None:
    code, planned = cli("strategy", "plan", "flash-arb.yaml", "--block", "505")
    assert (code, planned["quoted_at_block"]) == (0, 505)
    code, again = cli("strategy", "plan", "flash-arb.yaml", "--block", "505")
    assert (code, again["program_hash"]) == (0, planned["program_hash"])
    code, refused = cli("strategy", "simulate", "flash-arb.yaml", "--block", "30")
    assert (code, refused["code"]) == (12, "no_state")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("plan", OPEN, "--chain", "nowhere"), 3, "there is no chain nowhere"),
        (("plan", OPEN, "--executor", "main3"), 3, "unknown executor main3"),
        (("check", OPEN, "--chain", "nowhere"), 3, "there is no chain nowhere"),
        (("plan", OPEN, "--chain", "devnet", "--seed", "1"), 2, "a seed and moves are for a paper world"),
        (("run", OPEN, "--stage", "fork", "--chain", "devnet"), 2, "stage fork forks a paper world"),
    ],
)
def test_a_place_that_is_not_there_is_refused(
    cli: Cli, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, error = cli("strategy", *arguments)
    assert found == code
    assert message in error["message"]
    assert error["allowed"]


def test_a_chain_of_others_needs_to_know_whose_plan_it_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text(
        '[chains.ethereum]\nchain_id = 1\nendpoints = [{name = "one", url = "http://127.0.0.1:9"}]\n'
    )
    text = template_text("flash-arb").replace("main1", "main")
    (tmp_path / "arb.yaml").write_text(text, encoding="utf-8")
    code, error = cli("strategy", "plan", "arb.yaml", "--chain", "ethereum")
    assert (code, error["message"]) == (3, "whose plan is it?")
    code, error = cli("strategy", "run", "arb.yaml", "--chain", "ethereum")
    assert (code, error["message"]) == (3, "stage paper does not run on ethereum")


def test_explain_reads_a_file_as_if_it_named_another_executor(cli: Cli) -> None:
    _, own = cli("strategy", "explain", OPEN)
    code, other = cli("strategy", "explain", OPEN, "--executor", "backup1")
    assert (code, other["executor"]) == (0, "backup1")
    assert other["digest"] != own["digest"], "what it says is what its digest is of"
    _, same = cli("strategy", "explain", OPEN, "--executor", "main1", "--chain", "devnet")
    assert same["digest"] == own["digest"]


def test_p23_explain_plan_and_simulate_show_one_hash(cli: Cli) -> None:
    _, planned = cli("strategy", "plan", "flash-arb.yaml", "--block", "505")
    _, simulated = cli("strategy", "simulate", "flash-arb.yaml", "--block", "505")
    code, page = cli("strategy", "explain", "flash-arb.yaml", "--block", "505")
    assert code == 0
    assert planned["program_hash"] == simulated["program_hash"]
    assert f"Planned at block 505: program {planned['program_hash']}" in page["program"][-1]
    assert planned["digest"] == simulated["digest"]
    assert planned["digest"] in page["program"][-1]

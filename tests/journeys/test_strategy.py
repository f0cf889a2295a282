"""A strategy file's way: written, checked, planned, simulated, run in paper and on a fork."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.app.cli import run_command as tidegate
from tidegate.app.devnet.tables import token_tables
from tidegate.app.paper import PaperMarket, paper_session
from tidegate.app.runtime import Job
from tidegate.desks.atomic import Event, parse_strategy, template_text
from tidegate.ledger import JournalReader
from tidegate.model import Outcome, OutcomeKind, Stage, format_usd

Cli = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDEGATE_HOME", raising=False)

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = tidegate([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


def template(tmp_path: Path, name: str) -> str:
    path = tmp_path / f"{name}.yaml"
    path.write_text(template_text(name), encoding="utf-8")
    return str(path)


def test_from_a_new_file_to_a_landed_flash_loan(cli: Cli) -> None:
    assert cli("strategy", "new", "mine")[0] == 0
    assert cli("strategy", "check", "mine.yaml")[0] == 0
    code, plan = cli("strategy", "plan", "mine.yaml")
    assert code == 0
    assert plan["size"].endswith(" WETH")
    assert [op["operation"] for op in plan["operations"]].count("flash") == 1
    assert sum(op["bytes"] for op in plan["operations"] if op["depth"] == 0) < plan["program_bytes"]
    assert plan["quoted_at_block"] > 0
    assert {one["name"]: one["fee_bps"] for one in plan["lenders"]["loan"]}["aave_v3.pool"] == 5
    code, simulated = cli("strategy", "simulate", "mine.yaml")
    assert (code, simulated["ok"]) == (0, True)
    assert all(int(bound["margin"]) >= 0 for bound in simulated["bounds"])
    assert sum(simulated["gas_by_step"].values()) <= simulated["gas_limit"]
    code, done = cli("strategy", "run", "mine.yaml")
    assert (code, done["runs"][0]["outcome"]) == (0, "landed")
    change = done["runs"][0]["balance_changes"]["WETH"]
    assert int(change["realised"]) >= int(change["floor"]) > 0
    assert done["runs"][0]["value_after_gas_usd_e6"] > 0
    assert cli("journal", "verify")[0] == 0
    assert cli("journal", "replay", done["runs"][0]["intent"])[0] == 0


def test_the_leveraged_loop_opens_and_closes(cli: Cli, tmp_path: Path) -> None:
    files = [template(tmp_path, name) for name in ("leverage-open", "leverage-close")]
    code, done = cli("strategy", "run", *files)
    assert code == 0
    assert [item["outcome"] for item in done["runs"]] == ["landed", "landed"]
    opened, closed = (int(item["balance_changes"]["WETH"]["realised"]) for item in done["runs"])
    assert opened < 0 < closed
    assert -(10**16) * 3 < opened + closed <= 0, "a round trip costs fees and nothing else"


def test_closing_what_was_never_opened_is_denied_and_nothing_is_sent(cli: Cli, tmp_path: Path) -> None:
    code, done = cli("strategy", "run", template(tmp_path, "leverage-close"))
    assert (code, done["runs"][0]["outcome"]) == (10, "denied")
    assert "each run starts a new paper world" in done["runs"][0]["hint"]
    assert done["runs"][0]["next"] == "tidegate journal tail --kind decision"
    with JournalReader.open(tmp_path / ".tidegate" / "ledger.sqlite") as reader:
        assert [record for record in reader.records() if record.kind.value == "signature"] == []


SELL = """
strategy: 1
name: sell
chain: devnet
executor: main1
tokens: [WETH, USDC]
trigger: {manual: {}}
gas: {max_gas: 1500000, max_base_fee: 40 gwei, priority_fee: 1 gwei}
deadline: 36 s
bounds: [{token: WETH, min: -50 WETH}]
limits: {max_loss_per_day: 1000000 USD}
steps:
  - id: sell
"""
SWAP = """    use: uniswap_v3.exact_input_single
    in: {token_in: WETH, token_out: USDC, fee: 500, amount: 40 WETH}
    slippage: 50 bps
"""
BORROW = """    use: aave_v3.borrow
    in: {asset: USDC, amount: 100 USDC}
"""


@pytest.mark.parametrize(
    ("step", "failure", "hint"),
    [
        (SWAP, "STF", "the executor holds 2 WETH of its own; the step moves more than it has by then"),
        (BORROW, "there is no collateral", None),
    ],
)
def test_a_hint_is_of_the_step_that_reverts(
    step: str, failure: str, hint: str | None, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sell.yaml"
    file.write_text(SELL.lstrip() + step)
    code, done = cli("strategy", "run", str(file))
    (only,) = done["runs"]
    assert (code, only["reason"], only["hint"]) == (10, "simulation_reverted", hint)
    assert failure in only["detail"]
    code, refusal = cli("strategy", "plan", str(file))
    assert (code, refusal.get("next")) == (10, hint)


def test_a_loss_that_is_not_allowed_is_in_whole_tokens(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "sell.yaml"
    text = SELL.lstrip() + SWAP
    file.write_text(
        text.replace("min: -50 WETH", "min: 9 WETH").replace("amount: 40 WETH", "amount: 1.5 WETH")
    )
    code, done = cli("strategy", "run", str(file))
    assert code == 10
    assert "(WETH would lose 1.5 in this run and 1.5 today)" in done["runs"][0]["detail"]


def test_the_figures_that_people_see_add_up(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = template(tmp_path, "flash-arb")
    assert tidegate(["strategy", "plan", file]) == 0
    (fee, gas) = re.findall(
        r"aave_v3\.pool [\d,.]+ USD \(5 bps = ([\d,.]+) USD, gas ([\d,.]+) USD\)", capsys.readouterr().out
    )[0]
    _, plan = cli("strategy", "plan", file)
    (lender,) = (one for one in plan["lenders"]["loan"] if one["name"] == "aave_v3.pool")
    assert (format_usd(lender["fee_usd_e6"]), format_usd(lender["gas_usd_e6"])) == (
        f"{fee} USD",
        f"{gas} USD",
    )
    assert lender["fee_usd_e6"] + lender["gas_usd_e6"] == lender["cost_usd_e6"]
    assert tidegate(["strategy", "simulate", file]) == 0
    shown = capsys.readouterr().out
    rows = dict(re.findall(r"^ ?(\S.*?) {2,}(-?[\d,]+) *$", shown[shown.index("step  ") :], re.MULTILINE))
    figures = {name: int(text.replace(",", "")) for name, text in rows.items()}
    used = figures.pop("gas used")
    assert sum(figures.values()) == used
    refunded, before = -figures["refunded"], used - figures["refunded"]
    assert refunded > 0
    assert refunded % 100 == 0 or refunded == before // 5, "whole hundreds of gas, or EIP-3529's fifth"
    assert 21_000 < figures["transaction: base, calldata, payout"] < 60_000
    assert "last step of each loan, repayment, settlement" in figures


def test_people_see_dollars_rounded_alike_and_the_chains_time(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = template(tmp_path, "flash-arb")
    assert tidegate(["strategy", "plan", file]) == 0
    assert "└─ call" in capsys.readouterr().out
    assert tidegate(["strategy", "run", file]) == 0
    ran = capsys.readouterr().out
    assert "chain time 2023-11-14" in ran
    assert tidegate(["journal", "show", "newest"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    (value,) = re.findall(r"value after gas ([\d,.]+ USD)", ran)
    assert f"worth {value}" in shown
    assert re.search(r"bounds seq \d+ \+\d+ ms \d\.\d{1,6} WETH over its floor", shown)
    assert " s left" in shown
    assert "gwei" in shown
    assert "by this machine's clock" in shown


def test_a_refused_run_says_why_and_where_to_look(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = template(tmp_path, "flash-arb")
    assert tidegate(["strategy", "run", file, "--moves", "0"]) == 10
    shown = capsys.readouterr().out
    assert "no_opportunity: No size of the strategy is worth its cost" in shown
    assert "--seed" in shown
    assert "next:        tidegate journal tail --kind decision" in shown
    assert tidegate(["strategy", "plan", file, "--moves", "0"]) == 10
    assert "--seed" in capsys.readouterr().err
    _, refused = cli("strategy", "plan", template(tmp_path, "leverage-close"))
    assert "each run starts a new paper world" in refused["next"]
    code, error = cli("journal", "show", "newest")
    assert (code, error["message"]) == (3, "no decision has led to an intent yet")


def test_a_quiet_market_is_no_opportunity(cli: Cli, tmp_path: Path) -> None:
    code, done = cli("strategy", "run", template(tmp_path, "flash-arb"), "--moves", "0")
    assert (code, done["runs"][0]["reason"]) == (10, "no_opportunity")


def test_a_deadline_that_the_next_block_will_miss_is_denied_and_not_sent(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "hasty.yaml"
    path.write_text(template_text("flash-arb").replace("deadline: 36 s", "deadline: 2 s"), encoding="utf-8")
    code, done = cli("strategy", "run", str(path))
    assert (code, done["runs"][0]["reason"]) == (10, "simulation_reverted")
    assert "expired" in done["runs"][0]["detail"]


@pytest.mark.parametrize("stage", ["backtest", "shadow", "canary", "production"])
def test_live_stages_are_refused(cli: Cli, tmp_path: Path, stage: str) -> None:
    code, error = cli("strategy", "run", template(tmp_path, "flash-arb"), "--stage", stage)
    assert (code, error["code"]) == (10, "stage")


def test_a_strategy_for_a_chain_without_a_node_of_ours_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mainnet.yaml"
    path.write_text(template_text("flash-arb").replace("chain: devnet", "chain: ethereum"), encoding="utf-8")
    code, error = cli("strategy", "run", str(path))
    assert code == 3
    assert error["position"].startswith(f"{path}:")


def journal_of(tmp_path: Path, stage: Stage) -> list[tuple[str, Any]]:
    """Walk the same strategy by the same event in a stage; return what the journal says."""
    strategy = parse_strategy(template_text("flash-arb").encode(), "flash-arb.yaml", token_tables())
    home = tmp_path / stage.value

    async def walk() -> None:
        async with paper_session(
            [Job(strategy)], stage=stage, market=PaperMarket(), ledger=home / "ledger.sqlite", home=tmp_path
        ) as (session, _):
            intent = session.look(strategy.name, Event(id="the same", kind="manual")).decision.intent
            assert intent is not None
            assert await session.act(intent) is None
            ended: list[Outcome] = []
            while not ended:  # the node mines by itself; the test's timeout bounds the wait
                ended = await session.street.follow()
            assert ended[0].kind is OutcomeKind.LANDED

    asyncio.run(walk())
    with JournalReader.open(home / "ledger.sqlite") as reader:
        return [(record.kind.value, record.body) for record in reader.records()]


def test_paper_and_fork_differ_only_in_the_name_of_the_stage(tmp_path: Path) -> None:
    paper, fork = journal_of(tmp_path, Stage.PAPER), journal_of(tmp_path, Stage.FORK)
    assert [kind for kind, _ in paper] == [kind for kind, _ in fork]
    for (kind, one), (_, other) in zip(paper, fork, strict=True):
        differs = {key for key in one if one[key] != other[key]}
        # The stage, and the world that the stage runs on: the fork has the same numbers and other hashes.
        assert differs <= ({"stage", "block_hash"} if kind == "receipt" else {"stage"}), (kind, one, other)

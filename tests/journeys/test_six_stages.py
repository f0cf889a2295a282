"""The atomic desk through all six stages: backtest, paper, fork, shadow, canary, production.

The same strategies, the same street, the same journal; what differs is what the stage table says. The live
chain is a node of ours whose next block comes when the run has looked at the one before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custody.process.ground import Ground as SignerGround
from tests.custody.process.ground import SignerProcess
from tests.journeys.live import LIVE_LIMITS, STRATEGIES, LiveChain, at, granted, lay_down_project, live_chain

from tidegate.app import cli
from tidegate.app.config import FILE_NAME, LoadedConfig, load_config
from tidegate.app.devnet import devnet_address
from tidegate.app.progress import Progress
from tidegate.app.running import Hooks, RunSettings, Until, run_desk
from tidegate.ledger import (
    JournalReader,
    JudgementBody,
    OutcomeBody,
    Place,
    ReconciliationBody,
    Record,
    place_of,
)
from tidegate.model import Address, Denied, OutcomeKind, Reason, RecordKind, Stage
from tidegate.pipeline import journal_differences
from tidegate.sim import Tape
from tidegate.venues import NATIVE

ENOUGH = {Stage.SHADOW: 1, Stage.CANARY: 2, Stage.PRODUCTION: 1}
"""After how many outcomes a run on the live chain is asked to stop."""
UP_TO_THE_SIGNATURE = ["intent", "limits", "plan", "guards", "simulation", "bounds", "authorisation"]
WHOLE_STREET = [*UP_TO_THE_SIGNATURE, "nonce", "signature", "sent", "receipt", "guards", "booking", "outcome"]
SIGNED = {RecordKind.NONCE, RecordKind.SIGNATURE, RecordKind.SENT}
Run = Callable[..., tuple[dict[str, Any], list[Record]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with both arbitrages, as ``tidegate init`` lays it down."""
    folder = tmp_path_factory.mktemp("project")
    lay_down_project(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Run a stage in a ledger of its own; return the summary and the journal."""

    def one(
        stage: Stage,
        *,
        hooks: Hooks | None = None,
        chain: str = "devnet",
        blocks: int = 30,
        ledger: str = "",
        **settings: str,
    ) -> Any:
        loaded = load_config(folder / FILE_NAME, {key.replace("__", "."): v for key, v in settings.items()})
        place = place_of(folder / f"{ledger or f'{stage.value}-{chain}'}.sqlite")
        return started(folder, loaded, stage, chain, Until(blocks=blocks), hooks or Hooks(), place)

    return one


def started(
    folder: Path, loaded: LoadedConfig, stage: Stage, chain: str, until: Until, hooks: Hooks, ledger: Place
) -> tuple[dict[str, Any], list[Record]]:
    stop, watch = asyncio.Event(), hooks.watch

    def seen(progress: Progress) -> None:
        watch(progress)
        ended = sum(sum(one.outcomes.values()) for one in progress.accounts.values())
        if ended >= ENOUGH.get(stage, 1_000):
            stop.set()

    hooks.watch = seen
    chosen = RunSettings(loaded, folder / "home", ledger, stage, chain, until)
    summary = asyncio.run(run_desk(chosen, hooks, stop))
    with JournalReader.open(ledger) as reader:
        assert reader.verify().records > 0
        return summary, list(reader.records())


def walks(records: list[Record]) -> dict[str, list[str]]:
    """Return the kinds of each intent's records by its id, up to its outcome.

    What a measure found unusual stands beside the walk, and is no step of it.
    """
    found: dict[str, list[str]] = {}
    for record in records:
        if record.kind is RecordKind.SIGNAL:
            continue
        if record.kind is RecordKind.INTENT:
            found[record.correlation_id] = []
        kinds = found.get(record.correlation_id)
        if kinds is not None and (not kinds or kinds[-1] != "outcome"):
            kinds.append(record.kind.value)
    return found


def mine_what_waits(live: LiveChain, account: Address) -> None:
    """Mine what an earlier run left in the pool: it stands in that run's ledger, and new books begin here."""
    while live.world.waiting(account):
        live.advance()


def landed(records: list[Record]) -> list[str]:
    return [
        record.correlation_id
        for record in records
        if record.kind is RecordKind.OUTCOME and OutcomeBody.from_body(record.body).kind is OutcomeKind.LANDED
    ]


def kinds_of(records: list[Record]) -> set[RecordKind]:
    return {record.kind for record in records}


@pytest.fixture(scope="module")
def live(folder: Path, signer: SignerProcess) -> Iterator[LiveChain]:
    with live_chain(folder, signer.ground.address) as chain:
        yield chain


@pytest.fixture(scope="module")
def signer(folder: Path) -> Iterator[SignerProcess]:
    with SignerProcess(SignerGround(folder / "home" / "signer")) as process:
        yield process


@pytest.fixture(scope="module")
def paper(run: Run) -> tuple[dict[str, Any], list[Record]]:
    return run(Stage.PAPER)


def test_1_backtest_decides_on_a_recorded_tape_and_signs_nothing(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TIDEGATE_HOME", str(folder / "home"))
    files = [f"strategies/{name}.yaml" for name in STRATEGIES]
    assert (
        cli.run_command(["backtest", "record", *files, "--output", "tape", "--blocks", "16", "--json"]) == 0
    )
    assert len(Tape.load(folder / "tape").blocks) == 16
    assert cli.run_command(["backtest", "atomic", "--tape", "tape", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    with JournalReader.open(Path(summary["ledger"])) as reader:
        records = list(reader.records())
    ended = landed(records)
    assert ended
    assert all(walks(records)[one] == [*UP_TO_THE_SIGNATURE, *WHOLE_STREET[-4:]] for one in ended)
    assert not kinds_of(records) & SIGNED


def test_2_paper_walks_the_whole_street_through_pool_and_sender(paper):
    summary, records = paper
    ended = landed(records)
    assert ended
    assert all(walks(records)[one] == WHOLE_STREET for one in ended)
    assert summary["open"] == 0


def test_3_fork_walks_the_same_and_its_journal_differs_only_where_the_stage_table_says(run, paper):
    _, forked = run(Stage.FORK)
    assert len(walks(forked)) >= 2
    assert landed(forked)
    assert journal_differences(paper[1], forked) == ()


def test_3_a_difference_that_the_stage_table_does_not_list_is_found(paper):
    _, records = paper
    changed = [
        record
        if record.kind is not RecordKind.BOOKING
        else Record(**{**fields(record), "body_json": record.body_json.replace("gas_cost_wei", "gas_cost")})
        for record in records
    ]
    found = journal_differences(records, changed)
    assert {one.field for one in found} == {"booking.gas_cost_wei", "booking.gas_cost"}
    assert journal_differences(records, records[: len(records) // 2]) != ()


def test_3_fork_runs_over_an_rpc_url_too_and_sends_nothing_to_it(run, live):
    before = live.world.block().number, live.world.nonce(devnet_address("operator"))
    settings = {**live.settings, "chains__live__kind": "'testnet'", "chains__live__confirmations": "1"}
    summary, records = run(Stage.FORK, chain="live", blocks=3, **settings)
    assert (summary["stage"], summary["blocks"]) == ("fork", 3)
    assert {"decision", "session", "summary"} <= {record.kind.value for record in records}
    assert (live.world.block().number, live.world.nonce(devnet_address("operator"))) == before


def test_4_shadow_builds_and_simulates_on_the_head_is_judged_and_sends_nothing(run, live):
    nonce = live.world.nonce(devnet_address("operator"))
    summary, records = run(Stage.SHADOW, hooks=live.hooks(), chain="live", **live.settings)
    assert not kinds_of(records) & SIGNED
    assert RecordKind.LEASE not in kinds_of(records), "it holds no key"
    assert live.world.nonce(devnet_address("operator")) == nonce
    judged = [JudgementBody.from_body(one.body) for one in records if one.kind is RecordKind.JUDGEMENT]
    assert judged
    ended = [kinds for kinds in walks(records).values() if kinds[-1] == "outcome"]
    assert [*UP_TO_THE_SIGNATURE, "judgement", "outcome"] in ended
    assert all(one.behind >= 1 for one in judged)
    assert summary["value_after_gas_usd_e6"] == 0, "nothing was sent"
    assert summary["would_have_earned_usd_e6"] != 0


def test_5_a_live_stage_without_a_capability_is_refused_before_anything(run, live, signer):
    with pytest.raises(Denied) as caught:
        run(Stage.CANARY, hooks=live.hooks(), chain="live", **live.settings, **LIVE_LIMITS, **at(signer))
    assert caught.value.reason is Reason.CAPABILITY


def test_5_live_limits_are_0_until_somebody_says_how_much(run, live, signer):
    granted(signer, live, Stage.CANARY)
    nonce = live.world.nonce(signer.ground.address)
    summary, _ = run(Stage.CANARY, hooks=live.hooks(), chain="live", **live.settings, **at(signer))
    assert set(summary["refusals"]) == {"limit"}
    assert live.world.nonce(signer.ground.address) == nonce


@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.PRODUCTION])
def test_6_canary_and_production_sign_in_the_signer_s_process_and_land(run, live, signer, paper, stage):
    mine_what_waits(live, signer.ground.address)
    capability_id = granted(signer, live, stage)
    nonce = live.world.nonce(signer.ground.address)
    summary, records = run(
        stage, hooks=live.hooks(), chain="live", **live.settings, **LIVE_LIMITS, **at(signer)
    )
    ended = landed(records)
    assert ended, summary
    walked = walks(records)
    assert {one: walked[one] for one in ended} == dict.fromkeys(ended, WHOLE_STREET), "the walk of paper"
    assert set(map(tuple, walks(paper[1]).values())) >= {tuple(WHOLE_STREET)}
    authorised = [one.body for one in records if one.kind is RecordKind.AUTHORISATION]
    assert {one["capability_id"] for one in authorised} == {capability_id}
    assert {one["stage"] for one in authorised} == {stage.value}
    assert live.world.nonce(signer.ground.address) >= nonce + len(ended)


def test_7_canary_production_canary_on_one_ledger_find_their_books_equal_to_the_chain(run, live, signer):
    settings = {**live.settings, **LIVE_LIMITS, **at(signer), "run__reconcile_every_blocks": "2"}
    mine_what_waits(live, signer.ground.address)
    ended = 0
    for stage in (Stage.CANARY, Stage.PRODUCTION, Stage.CANARY):
        granted(signer, live, stage)
        summary, records = run(stage, hooks=live.hooks(), chain="live", ledger="twice", **settings)
        assert "not_reconciled" not in summary["refusals"]
        assert len(landed(records)) > ended, "there is something to book"
        ended = len(landed(records))
    started = max(one.seq for one in records if one.kind is RecordKind.SESSION)
    compared = [
        ReconciliationBody.from_body(one.body)
        for one in records
        if one.kind is RecordKind.RECONCILIATION and one.seq > started
    ]
    assert {one.verdict for one in compared} == {"equal"}, "its own fees and gains are booked"
    assert any(item.symbol == NATIVE for item in compared[-1].counted), "the payer's coin is compared"


def fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tidegate.app.cli.run import _render
from tidegate.app.progress import Progress
from tidegate.ledger import Body, IntentBody, Journal, JudgementBody, OutcomeBody
from tidegate.model import Intent, ManualClock, OutcomeKind, Stage

INTENT = Intent("one", "atomic", 31337, "v2-v3-arb", "gap", 99, 3_000_000_000, {})


def judged(block: int, kind: OutcomeKind, value_usd_e6: int | None) -> JudgementBody:
    return JudgementBody(block_number=block, behind=1, kind=kind, value_usd_e6=value_usd_e6)


def progress_of(path: Path, *bodies: Body) -> Progress:
    progress = Progress()
    with Journal.open(path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        for body in (IntentBody(intent=INTENT, stage=Stage.SHADOW), *bodies):
            journal.append(body.KIND, body, actor="street", correlation_id="one")
        progress.take(journal.records())
    return progress


def test_a_shadow_tells_what_it_would_have_earned_and_that_it_earned_nothing(tmp_path: Path) -> None:
    progress = progress_of(
        tmp_path,
        judged(8, OutcomeKind.DROPPED, None),
        judged(9, OutcomeKind.LANDED, 149_750_000),
        OutcomeBody(kind=OutcomeKind.LANDED),
        judged(10, OutcomeKind.LANDED, 1_000_000),
    )
    summary = progress.summary()
    assert summary["value_after_gas_usd_e6"] == 0
    assert summary["would_have_earned_usd_e6"] == 149_750_000, "the first block that could have held it"
    assert progress.recent[0].worth == "would have earned 149.75 USD after gas"
    assert progress.recent[0].block == 9


def test_the_end_of_a_shadow_run_says_would_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = progress_of(
        tmp_path, judged(9, OutcomeKind.REVERTED, -250_000), OutcomeBody(kind=OutcomeKind.REVERTED)
    )
    ended = {"stage": "shadow", "chain": "live", "ended": "all blocks", "open": 0, "causes": []}
    _render(Console(width=160), progress.summary() | ended)
    shown = capsys.readouterr().out
    assert "would have earned -0.25 USD after gas; nothing was sent" in shown


def test_without_a_judgement_nothing_would_have_been_earned(tmp_path: Path) -> None:
    assert "would_have_earned_usd_e6" not in progress_of(tmp_path).summary()

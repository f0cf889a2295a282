"""What the demo shows in a terminal: everything fits, nothing is counted twice."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tidegate.app.cli.demo import for_machines, render
from tidegate.app.demo import LEVERAGE_CLOSE, LEVERAGE_OPEN, LiveView, Progress, Result
from tidegate.ledger import Body, DecisionBody, IntentBody, Journal, MarketBody, OutcomeBody
from tidegate.model import Intent, ManualClock, OutcomeKind, Reason, Stage

PRICES = {"uniswap_v2": "2998.1234", "uniswap_v3": "3001.5", "feed": "3000", "outside": "3000.1"}
WHY = "WETH changed by +0.021691, at least 0.023201 was demanded, and much more to say about it"


def progress_of(journal: Journal) -> Progress:
    """Return a run of a few blocks in which every kind of end was met by four strategies."""

    def write(body: Body, intent: str = "") -> None:
        journal.append(body.KIND, body, actor="x", correlation_id=intent)

    subjects = ("v2-v3-arb", "v3-v2-arb", LEVERAGE_OPEN, LEVERAGE_CLOSE)
    ends = (
        (OutcomeKind.REVERTED, None, WHY),
        (OutcomeKind.DENIED, Reason.SIMULATION_REVERTED, "no"),
        (OutcomeKind.LANDED, None, ""),
    )
    write(MarketBody(block=33, prices=PRICES, base_fee_wei=10**10))
    for block in range(34, 118):
        for number, subject in enumerate(subjects):
            acts = block % 4 == number
            intent = f"{block}{number}" * 16
            reason = None if acts else Reason.NO_OPPORTUNITY
            write(
                DecisionBody(
                    desk="atomic",
                    subject=subject,
                    block=block,
                    acted=acts,
                    reason=reason,
                    intent_id=intent if acts else "",
                )
            )
            if acts:
                kind, why, detail = ends[block % 3]
                wish = Intent(intent, "atomic", 1, subject, "gap", 0, 1, {})
                write(IntentBody(intent=wish, stage=Stage.PAPER), intent)
                write(OutcomeBody(kind=kind, reason=why, detail=detail), intent)
        write(MarketBody(block=block, prices=PRICES, base_fee_wei=10**10))
    progress = Progress()
    progress.take(journal.records())
    return progress


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        return progress_of(journal)


def test_decisions_that_held_back_and_refused_intents_are_counted_apart(progress: Progress) -> None:
    summary = progress.summary()
    strategies = summary["strategies"].values()
    held_back = sum(line["decisions"] - line["intents"] for line in strategies)
    assert summary["reasons"] == {"no_opportunity": held_back}
    assert summary["refusals"] == {"simulation_reverted": sum(line["denied"] for line in strategies)} != {}
    assert summary["blocks"] == 84


def test_the_live_view_fits_a_small_terminal_and_leaves_nothing_behind(progress: Progress) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, color_system=None)
    with LiveView(console, title="Tidegate demo", blocks=150) as view:
        begun = len(out.getvalue())
        view.show(progress)
        screen = out.getvalue()[begun:]
    lines = screen.replace("\x1b[H", "").splitlines()
    assert len(lines) == 24
    assert lines[-1].startswith("╰"), "the last panel is whole"
    assert max(map(len, lines)) == 80
    assert [line for line in lines if "base fee 10 gwei" in line and "block 117" in line], (
        "one line of market"
    )
    for words in (
        "leverage-close",
        "after gas",
        "0.00 USD",
        "did not act",
        "refused by the street",
        "84 of 150",
    ):
        assert words in screen
    (first, *_) = (line for line in lines if "WETH changed" in line)
    assert first.rstrip(" │").endswith("…")
    assert out.getvalue().endswith("╯\x1b[?25h\x1b[?1049l"), "the screen is left, and not printed again"


@pytest.mark.parametrize(
    ("opened", "closed", "said"),
    [(1, 1, "brings it back"), (1, 0, "still open"), (0, 0, None)],
)
def test_the_loop_is_spoken_of_as_far_as_it_ran(
    opened: int, closed: int, said: str | None, progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = {**progress.summary(), "ended": "all blocks", "journal": {"records": 1, "head": "ab" * 32}}
    summary["strategies"][LEVERAGE_OPEN]["landed"] = opened
    summary["strategies"][LEVERAGE_CLOSE]["landed"] = closed
    render(Console(width=200), Result(summary, Path("report.html"), Path("ledger.sqlite")))
    shown = capsys.readouterr().out
    assert [words for words in ("brings it back", "still open") if words in shown] == ([said] if said else [])
    assert "did not act: no_opportunity 252" in shown


@pytest.mark.parametrize(("opened", "closed", "is_open"), [(1, 0, True), (1, 1, False), (0, 0, False)])
def test_for_machines_a_position_that_is_still_open_is_named_with_what_it_counts(
    opened: int, closed: int, is_open: bool, progress: Progress
) -> None:
    summary = progress.summary()
    summary["strategies"][LEVERAGE_OPEN] |= {"landed": opened, "value_after_gas_usd_e6": -7_500_000}
    summary["strategies"][LEVERAGE_CLOSE]["landed"] = closed
    found = for_machines(Result(summary, Path("report.html"), Path("ledger.sqlite")))
    assert (found["report"], found["ledger"]) == ("report.html", "ledger.sqlite")
    assert [(one["opened_by"], one["counted_value_usd_e6"]) for one in found["open_positions"]] == (
        [(LEVERAGE_OPEN, -7_500_000)] if is_open else []
    )

"""What the demo shows in a terminal: everything fits, nothing is counted twice."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

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


POSITION = {
    "venue": "aave_v3",
    "collateral_usd_e6": 6_000_000_000,
    "debt_usd_e6": 3_030_000_000,
    "value_usd_e6": 2_970_000_000,
}


def ended(progress: Progress, *, opened: int, closed: int, positions: list[dict[str, Any]]) -> Result:
    summary = {
        **progress.summary(),
        "ended": "all blocks",
        "open_positions": positions,
        "journal": {"records": 1, "head": "ab" * 32},
    }
    summary["strategies"][LEVERAGE_OPEN] |= {"landed": opened, "value_after_gas_usd_e6": -3_027_290_000}
    summary["strategies"][LEVERAGE_CLOSE] |= {"landed": closed, "value_after_gas_usd_e6": 3_007_530_000}
    return Result(summary, Path("report.html"), Path("ledger.sqlite"))


@pytest.mark.parametrize(
    ("opened", "closed", "said"),
    [
        (1, 1, "brought it back: together -19.76 USD"),
        (1, 0, "still open: 2,970.00 USD at aave_v3 (6,000.00 USD supplied, 3,030.00 USD owed)"),
        (0, 0, None),
    ],
)
def test_the_loop_is_spoken_of_as_far_as_it_ran(
    opened: int, closed: int, said: str | None, progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    positions = [POSITION] if opened and not closed else []
    render(Console(width=200), ended(progress, opened=opened, closed=closed, positions=positions))
    shown = capsys.readouterr().out
    told = [words for words in ("brought it back", "still open") if words in shown]
    assert told == ([said.partition(":")[0].strip()] if said else [])
    assert said is None or said in shown
    assert "did not act: no_opportunity 252" in shown


@pytest.mark.parametrize("reverted", [0, 5])
def test_attempts_that_revert_are_explained_with_what_would_hold_a_desk_that_is_live(
    reverted: int, progress: Progress, capsys: pytest.CaptureFixture[str]
) -> None:
    result = ended(progress, opened=0, closed=0, positions=[])
    for line in result.summary["strategies"].values():
        line["reverted"] = 0
    result.summary["strategies"][LEVERAGE_OPEN]["reverted"] = reverted
    render(Console(width=200), result)
    shown = capsys.readouterr().out
    assert ("5 reverted: rivals outbid the desk" in shown) is bool(reverted)
    assert ("held above 5 %" in shown) is bool(reverted)


def test_for_machines_what_is_still_open_stands_at_its_value_and_the_files_are_named(
    progress: Progress,
) -> None:
    found = for_machines(ended(progress, opened=1, closed=0, positions=[POSITION]))
    assert (found["report"], found["ledger"]) == ("report.html", "ledger.sqlite")
    assert found["open_positions"] == [POSITION]

"""The page: its figures are the journal's, it stands alone, and nothing that was read becomes markup."""

from __future__ import annotations

import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tidegate.app.report as room
from tidegate.app.report import render_report
from tidegate.app.report.reading import Reading, read
from tidegate.ledger import DecisionBody, Journal, JournalReader, MarketBody
from tidegate.model import ManualClock, OutcomeKind, Reason, Tampered, Unavailable

from .sample import SUBJECTS, write_sample

META = {"title": "A made-up run", "seed": "7", "command": "tidegate demo --once"}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "ledger.sqlite"
    write_sample(path)
    return path


@pytest.fixture(scope="module")
def html(ledger: Path) -> str:
    with JournalReader.open(ledger) as reader:
        return render_report(reader, ledger.with_name("report.html"), META).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects tags with their attributes and the text by the tag it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


def test_front_door() -> None:
    assert room.__all__ == ["render_report"]


def test_the_page_stands_alone(html: str) -> None:
    names = {name for name, _ in Page(html).tags}
    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "image", "use"})
    assert not re.search(r"https?:|//[a-z]|url\(|@import|\bsrc=|\bhref=|\bon[a-z]+=", html)


def test_the_page_is_the_same_for_the_same_journal(ledger: Path, html: str, tmp_path: Path) -> None:
    with JournalReader.open(ledger) as reader:
        again = render_report(reader, tmp_path / "deep" / "again.html", META)
    assert again.read_text(encoding="utf-8") == html
    assert list(again.parent.iterdir()) == [again]


def test_every_part_that_was_asked_for_is_there(html: str) -> None:
    page = Page(html)
    assert page.texts["h3"] == [
        "Prices by block",
        "Gap: v2 pair over v3 pool",
        "Profit after gas, added up",
        "Gas used by each run",
        "From decision to chain",
        "Reasons for not acting",
        "Intents refused by the street",
    ]
    assert page.texts["h2"] == ["Market", "Result", "Decisions", "Runs", "Proof"]
    assert "nothing of this kind in the journal" not in html


def test_the_figures_are_those_of_the_journal(ledger: Path, html: str) -> None:
    with JournalReader.open(ledger) as reader:
        attempts, lines, head = reader.attempts(), reader.profit_and_loss(), reader.head()
    reading = read_ledger(ledger)
    assert reading.value_usd_e6 == sum(line.amount for line in lines if line.entry == "value")
    assert reading.gas_used == sum(attempt.gas_used for attempt in attempts)
    assert reading.count(OutcomeKind.LANDED) + reading.count(OutcomeKind.REVERTED) == reading.sent
    assert reading.decisions == 400 == reading.acted + sum(reading.held_back.values())
    assert len(reading.runs) == reading.acted == len(attempts)
    assert sum(reading.refused.values()) == reading.count(OutcomeKind.DENIED) > 0
    assert reading.block_range == (12, 211)
    assert reading.blocks == set(range(12, 212))
    assert reading.blocks_looked_at == 199, "those after the first, as the demo counts them"
    assert "<dt>Blocks</dt><dd>199<small>after the first</small></dd>" in html
    assert f"{head[0]}:{head[1]}" in Page(html).texts["code"]
    table = [text for text in Page(html).texts["code"] if text.startswith("0x")]
    assert len(table) == reading.sent
    for attempt in attempts:
        if attempt.transaction_hash:
            assert f'title="{attempt.transaction_hash}"' in html


def read_ledger(path: Path) -> Reading:
    with JournalReader.open(path) as reader:
        return read(reader)


def test_a_figure_and_its_unit_stay_on_one_line(html: str) -> None:
    assert re.search(r'>[−\d,.]+</span>\u00a0<span class="unit">USD</span>', html)
    assert '\u00a0<span class="unit">ETH</span>' in html


def test_charts_are_whole_drawings_with_words_for_who_cannot_see_them(html: str) -> None:
    charts = re.findall(r'<svg class="chart".*?</svg>', html, re.DOTALL)
    assert len(charts) == 7
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert "nan" not in chart
        assert "inf" not in chart.replace("info", "")


def test_the_profit_line_ends_at_the_profit(html: str, ledger: Path) -> None:
    reading = read_ledger(ledger)
    card = next(part for part in html.split("<article") if "Profit after gas, added up" in part)
    last = re.findall(r"<tr>(.*?)</tr>", card)[-1]
    shown = [float(cell.replace(",", "").replace("−", "-")) for cell in re.findall(r">([^<>]+)</td>", last)]
    expected = [
        sum(run.value_usd_e6 for run in reading.runs if run.attempt.subject == subject) / 1e6
        for subject in reading.subjects
    ]
    assert sorted(reading.subjects) == sorted(SUBJECTS)
    assert shown[1:] == pytest.approx([*expected, sum(expected)], abs=0.006)


def test_light_dark_and_narrow_are_the_readers_choice(html: str) -> None:
    assert "prefers-color-scheme: dark" in html
    assert "@media (max-width: 620px)" in html
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in Page(html).tags


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "]]>&amp;\u202e"]
)
def test_nothing_that_was_read_becomes_markup(tmp_path: Path, evil: str) -> None:
    path = tmp_path / "ledger.sqlite"
    with Journal.open(path, clock=ManualClock(1)) as journal:
        market = MarketBody(
            block=1,
            prices={evil: "1.5", "b": "1.25"},
            base_fee_wei=1,
            thresholds_bps={f"{evil} | b": 3},
        )
        journal.append(market.KIND, market, actor=evil)
        decision = DecisionBody(desk="x", subject=evil, block=1, acted=False, reason=Reason.LIMIT)
        journal.append(decision.KIND, decision, actor=evil)
        html = render_report(journal, tmp_path / "r.html", {"title": evil, evil: evil}).read_text("utf-8")
    names = [name for name, _ in Page(html).tags]
    assert "script" not in names
    assert "img" not in names
    for _, attributes in Page(html).tags:
        assert not any(name.startswith("on") for name in attributes)
    assert evil in Page(html).texts["h1"]


def test_a_changed_journal_gives_no_report(tmp_path: Path) -> None:
    path, out = tmp_path / "ledger.sqlite", tmp_path / "report.html"
    write_sample(path, blocks=5)
    out.write_text("the report from before")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE journal_records SET body = replace(body, '1', '2') WHERE seq = 3")
    connection.close()
    with JournalReader.open(path) as reader, pytest.raises(Tampered, match="seq 3 was changed"):
        render_report(reader, out, META)
    assert out.read_text() == "the report from before"


def test_an_empty_journal_says_that_there_is_nothing(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        html = render_report(journal, tmp_path / "r.html", {}).read_text("utf-8")
    assert html.count("nothing of this kind in the journal") == 6
    assert "No desk acted in this journal." in html
    Page(html)


def test_one_block_and_one_price_can_be_drawn(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "ledger.sqlite", clock=ManualClock(1)) as journal:
        market = MarketBody(block=7, prices={"a": "3000"}, base_fee_wei=1)
        journal.append(market.KIND, market, actor="demo")
        html = render_report(journal, tmp_path / "r.html", {}).read_text("utf-8")
    assert "blocks 7 to 7" in html
    Page(html)


def test_a_place_that_cannot_be_written_is_said(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with JournalReader.open(ledger) as reader, pytest.raises(Unavailable, match="cannot be written"):
        render_report(reader, tmp_path / "file" / "report.html", META)

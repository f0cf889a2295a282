from __future__ import annotations

from pathlib import Path

from tidegate.desks.atomic import MEANINGS
from tidegate.desks.atomic.language.schema import CHAINS, STRATEGY

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "strategy-files.md").read_text(encoding="utf-8")


def test_the_page_names_every_code_with_its_meaning() -> None:
    listed = [line for line in PAGE.splitlines() if line.startswith(("| ATM", "| W2"))]
    assert listed == [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]


def test_the_page_names_every_key_and_chain() -> None:
    assert [key for key in STRATEGY.keys if f"| `{key}` |" not in PAGE] == []
    assert [chain for chain in CHAINS if chain not in PAGE] == []

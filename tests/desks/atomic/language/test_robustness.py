"""Whatever a stranger writes: findings, never a crash; and what has no error can be explained."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.desks.atomic import TEMPLATES, as_text, check_file, explain, template_text
from tidegate.desks.atomic.language.schema import MAXIMUM_FINDINGS

from .samples import ARB, FILE, LEND, TABLES, findings

TEXTS = [ARB, LEND, *(template_text(name) for name in TEMPLATES)]
WORDS = st.sampled_from(
    [
        "WETH",
        "USDC",
        "DAI",
        "ETH",
        "executor",
        "treasury",
        "$loan.amount",
        "$sell",
        "$size",
        "$nothing",
        "$a.b",
        "1 WETH",
        "0 USDC",
        "-1 WETH",
        "1.5",
        "7",
        "30 bps",
        "balance(WETH)",
        "50% of $loan.repay",
        "min(1, $size)",
        "[WETH, DAI]",
        "[]",
        "true",
        "null",
        "raw.call",
        "erc20.transfer",
        "aave_v3.supply",
        "weth.deposit",
        "uniswap_v2.swap_tokens_for_exact_tokens",
        "{min_health_factor: {}}",
        "[{slippage: {max: 5 bps}}]",
        "skip",
    ]
)


def judged(text: str) -> None:
    """Check a file; if nothing is wrong with it, explain it too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(text, encoding="utf-8")
        strategy, found = check_file(path, TABLES)
    assert strategy is not None or found
    if strategy is not None and not any(finding.is_error for finding in found):
        assert strategy.name in as_text(explain(strategy, TABLES[strategy.chain]))


def spoilt(draw: Callable[[st.SearchStrategy[int]], int], word: Callable[[], str]) -> str:
    """Return a good file in which one to three values were replaced."""
    text = TEXTS[draw(st.integers(0, len(TEXTS) - 1))]
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(lines) - 1))
        parts = lines[index].split(": ")
        if len(parts) > 1:
            at = draw(st.integers(1, len(parts) - 1))
            old = parts[at]
            ends = [old.find(mark) for mark in (",", "}", "]") if mark in old]
            parts[at] = word() + (old[min(ends) :] if ends else "")
        lines[index] = ": ".join(parts)
    return "\n".join(lines) + "\n"


@settings(deadline=None, derandomize=True, max_examples=250)
@given(data=st.data())
def test_a_file_with_strange_values_is_judged(data: st.DataObject) -> None:
    judged(spoilt(data.draw, lambda: data.draw(WORDS)))


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=20_000)
@given(data=st.data())
def test_many_files_with_strange_values_are_judged(data: st.DataObject) -> None:
    judged(spoilt(data.draw, lambda: data.draw(WORDS)))


def test_a_flood_of_wrong_keys_is_answered_in_part(tmp_path: Path) -> None:
    text = "".join(f"stepz{index}: 1\n" for index in range(9_000))
    found = findings(text, tmp_path)
    assert len(found) == MAXIMUM_FINDINGS
    assert {finding.code for finding in found} == {"ATM002"}

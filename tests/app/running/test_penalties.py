"""``[desk.atomic.penalty_usd]``: what caution adds to the cost of lenders reaches the strategies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.app.config import load_config
from tidegate.app.devnet.tables import token_tables
from tidegate.app.running.start import load_jobs
from tidegate.desks.atomic import template_text
from tidegate.model import Address, ConfigError
from tidegate.venues import AddressBook
from tidegate.venues.executor import FlashKind

OPERATOR = Address("0x" + "aa" * 20)


def penalties(folder: Path, text: str) -> dict[FlashKind, int]:
    (folder / "arb.yaml").write_text(template_text("flash-arb"))
    file = folder / "tidegate.toml"
    file.write_text(f'[desk.atomic]\nstrategies = ["arb.yaml"]\n{text}')
    (job,) = load_jobs(load_config(file, {}), token_tables())
    book = AddressBook("devnet", 31_337, {}, {})
    return dict(job.assignment(book, OPERATOR).lender_penalties_usd_e6)


def test_balancer_costs_25_dollars_more_unless_told_otherwise(tmp_path: Path) -> None:
    none = dict.fromkeys(FlashKind, 0)
    assert penalties(tmp_path, "") == none | {FlashKind.BALANCER_V2: 25_000_000}
    text = "[desk.atomic.penalty_usd]\nbalancer_v2 = 0\naave_v3 = 3\n"
    assert penalties(tmp_path, text) == none | {FlashKind.AAVE_V3: 3_000_000}


def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="balancer_v3"):
        penalties(tmp_path, "[desk.atomic.penalty_usd]\nbalancer_v3 = 1\n")

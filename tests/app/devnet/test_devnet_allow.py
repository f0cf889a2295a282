"""``tidegate devnet allow``: a role and a policy, and no balance that moves unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.app import cli
from tidegate.app.cli.devnet_life import running
from tidegate.app.config import FILE_NAME, TEXT
from tidegate.app.devnet import read_devnet
from tidegate.desks.atomic import template_text
from tidegate.model import Address
from tidegate.sim import AttachedWorld
from tidegate.venues.tokens import balance_of

NEWCOMER = Address("0x00000000000000000000000000000000000000A1")
ETHER = 10**18


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    (tmp_path / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "v2-v3-arb.yaml").write_text(template_text("flash-arb"), encoding="utf-8")
    return tmp_path


def typed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.run_command([*words, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def held(folder: Path) -> tuple[int, int]:
    """Return the newcomer's ether and the executor's WETH."""
    record, devnet = running("devnet"), read_devnet(folder / "home" / "devnet", "devnet")
    with AttachedWorld(record.url, chain_id=record.chain_id) as world:
        return world.balance(NEWCOMER), balance_of(world, devnet.weth, devnet.executor)


@pytest.fixture
def up(folder: Path) -> Any:
    assert cli.run_command(["devnet", "up", "--chains", "devnet:31337:1"]) == 0
    yield folder
    assert cli.run_command(["devnet", "down"]) == 0


ALLOW = ("devnet", "allow", "devnet", "strategies/v2-v3-arb.yaml", "--account", NEWCOMER)


def test_who_may_not_operate_is_told_so_and_what_allows_it_and_is_then_allowed(up, capsys) -> None:
    shadow = ("run", "--stage", "shadow", "--account", NEWCOMER, "--once")
    refused = typed(capsys, *shadow, code=10)
    assert refused["code"] == "role_missing", "at once, and not: no lender can serve the loan"
    assert cli.run_command([*shadow]) == 10
    told = capsys.readouterr()
    assert NEWCOMER in told.out + told.err
    assert "tidegate devnet allow devnet" in told.out + told.err
    typed(capsys, *ALLOW)
    assert "role_missing" not in typed(capsys, *shadow)["reasons"]


def test_allow_moves_no_balance_but_ether_for_an_account_without_any(up, capsys) -> None:
    before = held(up)
    first = typed(capsys, *ALLOW)
    assert (first["gas_given_wei"], first["funded"]) == (str(100 * ETHER), {})
    assert held(up) == (100 * ETHER, before[1])
    record = running("devnet")
    with AttachedWorld(record.url, chain_id=record.chain_id) as world:
        world.set_balance(NEWCOMER, 7 * ETHER)
    again = typed(capsys, *ALLOW)
    assert (again["gas_given_wei"], again["funded"]) == ("0", {})
    assert held(up) == (7 * ETHER, before[1]), "books that count it stay equal to the chain"


def test_what_fund_names_is_moved_and_said(up, capsys) -> None:
    before = held(up)
    funded = typed(capsys, *ALLOW, "--fund", "2.5")["funded"]
    assert list(funded.values()) == [str(25 * ETHER // 10)]
    assert held(up)[1] == before[1] + 25 * ETHER // 10
    for wrong in ("0", "-1", "two", "1001", "1.0000000000000000001"):
        assert typed(capsys, *ALLOW, f"--fund={wrong}", code=3)["code"] == "fund"
    assert held(up)[1] == before[1] + 25 * ETHER // 10

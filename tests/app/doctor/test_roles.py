"""The doctor asks the executor whether the desk may operate it, before a run does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.app import cli
from tidegate.app.cli.devnet_life import running
from tidegate.app.config import FILE_NAME, STRATEGY, TEXT, LoadedConfig, load_config
from tidegate.app.devnet import act_as_owner, read_devnet
from tidegate.app.doctor import look_at_roles
from tidegate.desks.atomic import template_text
from tidegate.sim import AttachedWorld
from tidegate.venues.executor import Change, Role, encode_tighten


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    (tmp_path / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (tmp_path / STRATEGY).parent.mkdir()
    (tmp_path / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    assert cli.run_command(["devnet", "up", "--chains", "devnet:31337:1"]) == 0
    yield tmp_path
    assert cli.run_command(["devnet", "down"]) == 0


def configured(folder: Path, stage: str) -> LoadedConfig:
    return load_config(folder / FILE_NAME, {"run.stage": stage})


def test_an_account_without_the_role_is_found_with_the_command_that_mends_it(up: Path) -> None:
    home = up / "home"
    (well,) = look_at_roles(configured(up, "shadow"), home)
    record, devnet = running("devnet"), read_devnet(home / "devnet", "devnet")
    operator = devnet.accounts["operator"]
    assert well.ok
    assert well.found == f"{operator} is an operator of main1"
    taken = encode_tighten([Change.role(operator, Role.OPERATOR).removed()])
    with AttachedWorld(record.url, chain_id=record.chain_id) as world:
        act_as_owner(world, devnet, devnet.executor, taken)
    (wrong,) = look_at_roles(configured(up, "shadow"), home)
    assert not wrong.ok
    assert "no role" in wrong.found
    assert "tidegate devnet allow devnet" in wrong.fix


def test_where_nobody_can_be_asked_it_is_not_known_and_in_a_world_of_ours_no_question(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(TEXT, encoding="utf-8")
    assert look_at_roles(configured(tmp_path, "paper"), tmp_path / "home") == []
    (finding,) = look_at_roles(configured(tmp_path, "shadow"), tmp_path / "home")
    assert finding.ok
    assert finding.found.startswith("not known: ")

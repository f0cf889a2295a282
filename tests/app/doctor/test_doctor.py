"""The doctor looks at real nodes, real files, a real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.app.config import LoadedConfig, load_config
from tidegate.app.doctor import look_at_chains, look_at_custody, look_at_state
from tidegate.app.findings import Finding
from tidegate.custody.keys import KeyFile, KeyKind, Password
from tidegate.ledger import LEDGER, Journal, Place, place_of
from tidegate.model import ManualClock, SystemClock
from tidegate.sim import ExactWorld

CLOCK = SystemClock()


def ledger_in(home: Path) -> Place:
    return place_of(home / LEDGER)


@pytest.fixture(scope="module")
def node() -> Iterator[ExactWorld]:
    with ExactWorld(chain_id=31337, block_time_s=1) as world:
        world.mine()
        yield world


def configured(folder: Path, url: str, *, chain_id: int = 31337, stage: str = "fork") -> LoadedConfig:
    path = folder / "tidegate.toml"
    kind = 'kind = "devnet"\n' if chain_id == 31337 else ""
    path.write_text(
        f'[run]\nstage = "{stage}"\nchain = "here"\n[chains.here]\nchain_id = {chain_id}\n{kind}'
        f'[[chains.here.endpoints]]\nname = "one"\nurl = "{url}"\n',
        encoding="utf-8",
    )
    return load_config(path)


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_node_that_answers_is_well(tmp_path: Path, node: ExactWorld) -> None:
    found = by_check(look_at_chains(configured(tmp_path, node.url), tmp_path, CLOCK))
    assert found["reach here.one"].ok
    assert found["clock here"].ok


def test_a_node_of_another_chain_is_found_with_both_ids(tmp_path: Path, node: ExactWorld) -> None:
    found = by_check(look_at_chains(configured(tmp_path, node.url, chain_id=10), tmp_path, CLOCK))
    assert not found["reach here.one"].ok
    assert "expected 10, was 31337" in found["reach here.one"].found
    assert found["reach here.one"].fix


def test_a_node_of_another_chain_is_wrong_in_every_stage(tmp_path: Path, node: ExactWorld) -> None:
    loaded = configured(tmp_path, node.url, chain_id=10, stage="paper")
    assert not by_check(look_at_chains(loaded, tmp_path, CLOCK))["reach here.one"].ok


def test_a_node_that_is_down_is_wrong_only_for_a_stage_that_needs_it(tmp_path: Path) -> None:
    url = "http://127.0.0.1:9"
    found = by_check(look_at_chains(configured(tmp_path, url), tmp_path, CLOCK))
    assert not found["reach here.one"].ok
    found = by_check(look_at_chains(configured(tmp_path, url, stage="paper"), tmp_path, CLOCK))
    assert found["reach here.one"].ok
    assert "not needed" in found["reach here.one"].found


def test_a_clock_that_is_off_is_found_on_a_live_chain(tmp_path: Path) -> None:
    with ExactWorld(chain_id=10, block_time_s=1) as world:
        head_ms = world.mine().timestamp * 1000
        for off_s, ok in ((0, True), (3_600, False), (-3_600, False)):
            clock = ManualClock(head_ms + off_s * 1000)
            found = by_check(look_at_chains(configured(tmp_path, world.url, chain_id=10), tmp_path, clock))
            assert found["clock here"].ok is ok, off_s


def test_keys_that_others_may_read_are_found(tmp_path: Path, node: ExactWorld) -> None:
    loaded = configured(tmp_path, node.url)
    made = KeyFile.make("operator", Password(b"a sentence that is long"), kind=KeyKind.LIVE, scrypt_n=1024)
    path = made.write(tmp_path / "keys")
    assert "operator" in by_check(look_at_custody(loaded, tmp_path, CLOCK))["keys"].found
    path.chmod(0o644)
    finding = by_check(look_at_custody(loaded, tmp_path, CLOCK))["keys"]
    assert (finding.ok, "chmod 600" in finding.fix) == (False, True)


@pytest.mark.parametrize(("stage", "ok"), [("paper", True), ("shadow", True), ("canary", False)])
def test_a_live_stage_needs_a_signer(tmp_path: Path, node: ExactWorld, stage: str, ok: bool) -> None:
    loaded = configured(tmp_path, node.url, stage=stage)
    assert by_check(look_at_custody(loaded, tmp_path, CLOCK))["signer"].ok is ok


def test_a_ledger_that_was_changed_is_found(tmp_path: Path) -> None:
    assert all(finding.ok for finding in look_at_state(tmp_path, ledger_in(tmp_path), CLOCK))
    Journal.open(tmp_path / "ledger.sqlite", clock=CLOCK).close()
    assert all(finding.ok for finding in look_at_state(tmp_path, ledger_in(tmp_path), CLOCK))
    (tmp_path / "ledger.sqlite").write_bytes(b"no ledger at all" * 64)
    assert not by_check(look_at_state(tmp_path, ledger_in(tmp_path), CLOCK))["ledger"].ok

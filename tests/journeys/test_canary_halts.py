"""A canary that signs in the real signer process, and whatever can befall it: it ends in the specified
state, nothing is lost, nothing is done twice, the message says what to do, and then it signs again.

One canary runs through all of it: no halt ends a run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.custody.process.ground import Ground, SignerProcess
from tests.journeys.canary import Canary, soon
from tests.journeys.live import lay_down_project, live_chain

from tidegate.custody import Order, OrderKind, sign_order
from tidegate.custody.capability import Purpose
from tidegate.custody.records import FreezeBody
from tidegate.custody.requests import Refused, Signed
from tidegate.ledger import HaltBody
from tidegate.model import Reason, RecordKind

PEOPLE = ("ann", "bob")
ROGUE_NONCE = 1_000_000
LIFE_S = 60
"""Of a capability that is to end within a test: time enough to sign under it once."""
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    folder = tmp_path_factory.mktemp("project")
    lay_down_project(folder)
    people = {name: Ed25519PrivateKey.generate() for name in PEOPLE}
    ground = Ground(folder / "home" / "signer", people=people)
    with SignerProcess(ground) as process, live_chain(folder, ground.address) as live:
        canary = Canary(folder, live, process)
        canary.grant()
        canary.start()
        yield canary
        summary = canary.stop()
        assert summary["ended"] == "asked to stop"
        canary.nothing_lost_nothing_twice()


@pytest.fixture
def canary(running: Canary, monkeypatch: pytest.MonkeyPatch) -> Canary:
    """The canary, signing, and the shell of the person beside it."""
    monkeypatch.chdir(running.folder)
    monkeypatch.setenv("TIDEGATE_HOME", str(running.home))
    running.signs()
    return running


def freezes(canary: Canary) -> list[FreezeBody]:
    return [
        FreezeBody.from_body(record.body)
        for record in canary.signer.ground.records()
        if record.kind is RecordKind.FREEZE
    ]


def stop(canary: Canary, capsys: Capture, *words: str, code: int = 0) -> dict[str, Any]:
    return canary.type(capsys, "stop", "--scope", "global", "--reason", "theft", *words, code=code)


def test_a_global_stop_freezes_the_live_signer_and_spares_exits(canary: Canary, capsys: Capture) -> None:
    exits = canary.grant(purpose=Purpose.EXIT)
    acts = canary.grant()
    said = stop(canary, capsys, "--by", "ann")
    assert (said["ok"], said["signer"]["state"]) == (True, "frozen")
    refused = canary.ask_for_cancel(acts, ROGUE_NONCE)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.FROZEN, "a worker that knows no stop gets nothing either"
    assert isinstance(canary.ask_for_cancel(exits, ROGUE_NONCE), Signed)
    canary.nothing_is_signed_until_denied("stopped")

    listed = canary.type(capsys, "stop", "--list")
    assert [one["reason"] for one in listed["stops"]] == ["theft"]
    assert (listed["signer"]["state"], listed["signer"]["detail"]) == ("frozen", "theft; exits are spared")
    frozen = freezes(canary)[-1]
    assert (frozen.is_frozen, frozen.allow_exit, frozen.reason, frozen.by) == (True, True, "theft", "ann")
    assert canary.records(RecordKind.STOP)[-1].body["reason"] == "theft"

    canary.signer.stop()
    canary.signer.__enter__()
    assert canary.type(capsys, "stop", "--list")["signer"]["state"] == "frozen", "over a restart too"
    assert isinstance(canary.ask_for_cancel(acts, ROGUE_NONCE + 1), Refused)

    resumed = canary.resume(capsys, "global")
    assert resumed["signer"]["state"] == "frozen", "only an administrator unfreezes"
    assert "tidegate signer unfreeze" in resumed["signer"]["next"]
    assert "signer" in canary.denied("frozen")
    canary.unfreeze(capsys)
    assert canary.type(capsys, "stop", "--list")["signer"]["state"] == "signing"
    canary.signs()


@pytest.mark.slow
def test_exits_are_frozen_too_by_two_people_and_by_no_fewer(
    canary: Canary, capsys: Capture, tmp_path: Path
) -> None:
    def orders(kind: OrderKind) -> list[str]:
        words = []
        for name, key in canary.signer.ground.people.items():
            order = Order(kind=kind, signer=canary.account, subject="", reason="theft", at_s=int(time.time()))
            path = tmp_path / f"{kind.value}-{name}"
            path.write_bytes(sign_order(order, key))
            words += ["--approval", str(path)]
        return words

    exits = canary.grant(purpose=Purpose.EXIT)
    canary.grant()
    config = ("--config", canary.signer.ground.config)
    freeze = ("signer", "freeze", "--no-exit", "--reason", "theft", *config)
    both = orders(OrderKind.FREEZE_EXITS)
    assert canary.type(capsys, *freeze, *both[:2], code=10)["code"] == "two_people"
    assert isinstance(canary.ask_for_cancel(exits, ROGUE_NONCE + 2), Signed)
    canary.type(capsys, *freeze, *both)
    assert isinstance(canary.ask_for_cancel(exits, ROGUE_NONCE + 3), Refused)
    assert stop(canary, capsys)["signer"]["state"] == "frozen"
    assert isinstance(canary.ask_for_cancel(exits, ROGUE_NONCE + 3), Refused), "a stop loosens nothing"
    listed = canary.type(capsys, "stop", "--list")["signer"]
    assert "exits are FORBIDDEN" in listed["detail"]
    canary.resume(capsys, "global")
    unfreeze = ("signer", "unfreeze", "--reason", "over", *config)
    assert canary.type(capsys, *unfreeze, code=10)["code"] == "two_people"
    canary.type(capsys, *unfreeze, *orders(OrderKind.UNFREEZE))
    canary.signs()


def test_a_stop_that_does_not_reach_the_signer_says_so_and_holds_when_it_comes_back(
    canary: Canary, capsys: Capture
) -> None:
    canary.signer.stop()
    said = stop(canary, capsys, code=12)
    assert said["signer"]["state"] == "not reached"
    assert "tidegate signer run" in said["signer"]["next"]
    canary.signer.__enter__()
    assert canary.type(capsys, "stop", "--list")["signer"]["state"] == "signing"
    given = canary.signatures_given()
    canary.nothing_is_signed_until_denied("stopped")
    assert canary.signatures_given() == given
    canary.resume(capsys, "global")
    canary.signs()


def test_a_signer_that_is_frozen_denies_by_name_until_an_administrator_unfreezes_it(
    canary: Canary, capsys: Capture
) -> None:
    canary.type(capsys, "signer", "freeze", "--reason", "odd", "--config", canary.signer.ground.config)
    assert "frozen" in canary.denied("frozen")
    canary.nothing_is_signed_until_denied("frozen")
    canary.unfreeze(capsys)
    canary.signs()


@pytest.mark.slow
def test_a_capability_that_expired_denies_until_a_new_one_is_loaded(canary: Canary) -> None:
    canary.signs(under=canary.grant(life_s=LIFE_S))
    assert "tidegate signer load" in canary.denied("capability_expired")
    canary.nothing_is_signed_until_denied("capability_expired")
    canary.signs(under=canary.grant())


def test_a_capability_that_was_revoked_denies_until_a_new_one_is_loaded(
    canary: Canary, capsys: Capture
) -> None:
    config = ("--config", canary.signer.ground.config)
    canary.type(capsys, "signer", "revoke", canary.capability_id, "--reason", "over", *config)
    assert "tidegate signer load" in canary.denied("capability_revoked")
    canary.nothing_is_signed_until_denied("capability_revoked")
    canary.signs(under=canary.grant())


def test_a_signer_that_is_killed_costs_intents_and_nothing_else_until_it_is_started_again(
    canary: Canary,
) -> None:
    os.kill(canary.signer.pid, signal.SIGKILL)
    canary.signer.ended()
    assert "tidegate signer run" in canary.denied("unavailable")
    canary.signer.__enter__()
    canary.signs()


@pytest.mark.slow
def test_a_signer_killed_between_its_journal_and_its_answer_has_its_nonce_used_up(canary: Canary) -> None:
    canary.signer.stop()
    with SignerProcess(canary.signer.ground, fault="die") as faulty:
        after = canary.head()
        soon(lambda: "unavailable" in canary.denials(after))
        faulty.ended()
    canary.signer.__enter__()
    soon(lambda: any(one.body["is_cancel"] for one in canary.records(RecordKind.RECEIPT, after)))
    canary.signs()


def test_a_nonce_that_a_stranger_took_halts_the_key_until_a_person_has_looked(
    canary: Canary, capsys: Capture
) -> None:
    canary.stranger_sends(canary.open_nonce())
    canary.flow()
    scope = f"key:31337:{canary.account}"
    soon(lambda: scope in canary.standing(HaltBody.TOPIC))
    assert "tidegate resume --scope key:" in str(canary.told("foreign_nonce").fix)
    assert [one["scope"] for one in canary.type(capsys, "stop", "--list")["halts"]] == [scope]
    canary.nothing_is_signed_for(3)
    (lost,) = [one.correlation_id for one in canary.records(RecordKind.SIGNATURE)[-1:]]
    canary.resume(capsys, scope)
    soon(lambda: canary.outcome(lost) == "dropped")
    canary.signs()


def test_an_account_without_ether_is_denied_by_name_until_it_has_some(canary: Canary) -> None:
    had_wei = canary.run_dry()
    assert "next: send the account" in canary.denied("funds_missing")
    canary.nothing_is_signed_until_denied("funds_missing")
    canary.set_balance(had_wei)
    canary.signs()


@pytest.mark.slow
def test_books_that_differ_from_the_chain_let_nothing_new_begin_until_a_person_explains_them(
    canary: Canary, capsys: Capture
) -> None:
    canary.stop()
    with_more_wei = canary.live.world.balance(canary.account) + 10**18
    canary.set_balance(with_more_wei)
    canary.start()
    assert "tidegate journal explain" in canary.denied("not_reconciled")
    canary.nothing_is_signed_until_denied("not_reconciled")
    (difference,) = canary.type(capsys, "stop", "--list")["differences"]
    canary.stop()
    canary.type(capsys, "journal", "explain", difference["seq"], "--reason", "a gift", "--person", "ann")
    canary.start()
    canary.signs()

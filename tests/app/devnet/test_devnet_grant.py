"""``tidegate devnet grant`` as a person types it: what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tidegate.app import cli
from tidegate.app.signer import devnet_issuer
from tidegate.custody import Issuer, IssuerKind
from tidegate.custody.envelope import open_capability
from tidegate.custody.keys import KeyFile, KeyKind, Password
from tidegate.desks.atomic import template_text


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path))
    for name, kind in (("toy", KeyKind.THROW_AWAY), ("kept", KeyKind.LIVE)):
        KeyFile.make(name, Password(b"twelve bytes!"), kind=kind, scrypt_n=16).write(tmp_path / "keys")
    for name in ("flash-arb", "leverage-close"):
        (tmp_path / f"{name}.yaml").write_text(template_text(name))
    return tmp_path


def granted(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = cli.run_command(["devnet", "grant", "devnet", *words, "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_grant_is_written_signed_and_marked_and_what_it_may_not_give_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arb = str(home / "flash-arb.yaml")
    code, refused = granted(capsys, home, arb, "--key", "toy")
    assert (code, refused["code"]) == (3, "chain"), "nothing is up"
    assert cli.run_command(["devnet", "up", "--chains", "devnet:31337:1"]) == 0
    try:
        _grants(home, capsys, arb)
    finally:
        assert cli.run_command(["devnet", "down"]) == 0


def _grants(home: Path, capsys: pytest.CaptureFixture[str], arb: str) -> None:
    code, value = granted(capsys, home, arb, "--key", "kept", "--hours", "2", "--at-risk", "50")
    assert code == 0
    assert "devnet grant" in value["mark"]
    issuer: Ed25519PrivateKey = devnet_issuer(home)
    assert (home / "devnet" / "issuer.pem").stat().st_mode & 0o777 == 0o600
    pinned = Issuer(name="d", kind=IssuerKind.DEVNET, public_key=issuer.public_key().public_bytes_raw())
    capability = open_capability(Path(value["written"]).read_bytes().strip(), {pinned.key_id: pinned})
    assert capability.id == value["capability_id"]
    assert capability.at_risk_tx_usd_e6 == 50_000_000
    assert capability.expires_at - capability.not_before == 7_200
    later = granted(capsys, home, arb, "--key", "kept")[1]["capability"]
    assert later["serial"] > capability.serial, "a later grant replaces an earlier one"

    exits = str(home / "leverage-close.yaml")
    assert granted(capsys, home, exits, "--key", "toy", "--exit", "--hours", "720")[0] == 0
    for words, code in (
        ((arb, "--key", "kept", "--hours", "25"), 10),  # canary lives a day at most
        ((arb, "--key", "kept", "--stage", "fork"), 10),  # forks are signed by throw-away keys alone
        ((arb, "--key", "kept", "--stage", "shadow"), 10),  # shadow signs nothing
        ((arb, "--key", "gone"), 3),
        ((arb,), 2),
    ):
        assert cli.run_command(["devnet", "grant", "devnet", *words]) == code, words
    assert granted(capsys, home, arb, "--key", "toy", "--stage", "fork")[0] == 0

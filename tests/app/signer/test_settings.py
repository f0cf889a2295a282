"""``signer.toml``: strict, typed, and each error with what is allowed and what to do next."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tidegate.app.signer import (
    commented,
    devnet_issuer,
    prepare_devnet_signer,
    read_signer_settings,
)
from tidegate.custody import IssuerKind
from tidegate.custody.keys import KeyFile, KeyKind, Password
from tidegate.model import ConfigError

ISSUER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key().public_bytes_raw().hex()


def settings(folder: Path, text: str):
    path = folder / "signer.toml"
    path.write_text(text)
    return read_signer_settings(path)


def changed(old: str, new: str) -> str:
    text = commented(issuer=ISSUER)
    assert old in text
    return text.replace(old, new)


def test_the_commented_file_is_the_default(tmp_path: Path) -> None:
    read = settings(tmp_path, commented(issuer=ISSUER))
    assert read.socket == tmp_path / "signer.sock"
    assert read.admin_socket == tmp_path / "admin.sock"
    assert read.journal == tmp_path / "journal.sqlite"
    assert read.witness_socket is None
    assert read.worker_uids == read.admin_uids == {os.geteuid()}
    assert list(read.networks) == [31337]
    assert [issuer.kind for issuer in read.issuers] == [IssuerKind.DEVNET]


def test_every_key_of_the_form_stands_in_the_commented_file() -> None:
    written = tomllib.loads(commented())
    assert {table: set(keys) for table, keys in written.items() if isinstance(keys, dict)} == {
        "signer": {"socket", "admin_socket", "workers", "administrators", "rate_per_s", "journal"},
        "chains": {"public", "devnets"},
        "witness": {"socket", "age_max_s", "quorum"},
    }
    assert set(written["keys"][0]) == {"file", "password"}
    assert set(written["issuers"][0]) == {"name", "kind", "public_key"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate_per_s = 200", "rate_per_s = 0", "1 to 10000"),
        ("rate_per_s = 200", "rate_per_s = 10001", "1 to 10000"),
        ("rate_per_s = 200", 'rate_per_s = "200"', "Expected `int`"),
        ("rate_per_s = 200", "rate = 200", "rate_per_s"),
        ("workers = []", "workers = [-1]", "workers"),
        ("workers = []", 'workers = ["no-such-user"]', "no user"),
        ("public = []", 'public = ["arbitrun"]', "did you mean arbitrum?"),
        ("devnets = [31337]", "devnets = [1]", "ethereum, a mainnet"),
        ('password = "fd:3"', 'password = "hunter2"', "credential:NAME"),
        ('kind = "devnet"', 'kind = "root"', "kind"),
        (f'public_key = "{ISSUER[:2]}', 'public_key = "zz', "public_key"),
        (ISSUER, "0" * 64, "anybody can sign"),
        ("age_max_s = 600", "age_max_s = 86400", "age_max_s"),
        ("quorum = 2", "quorum = 0", "quorum"),
        ("[chains]", "[chain]", "chains"),
        ("[signer]", "[signer", "TOML"),
    ],
)
def test_what_it_can_not_say_is_a_config_error_with_what_is_allowed(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        settings(tmp_path, changed(old, new))
    told = f"{refused.value.found} {refused.value.allowed} {refused.value.fix} {refused.value}"
    assert said in told or (said == "TOML" and refused.value.code == "config_syntax")
    assert "hunter2" not in told


def test_users_are_named_or_numbered(tmp_path: Path) -> None:
    read = settings(tmp_path, changed("workers = []", 'workers = ["root", 12]'))
    assert read.worker_uids == {0, 12}


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        read_signer_settings(tmp_path / "signer.toml")
    assert missing.value.fix == "tidegate signer init"


def test_init_lays_down_a_throw_away_key_that_its_password_opens(tmp_path: Path) -> None:
    made = prepare_devnet_signer(tmp_path, chain_id=31337, key_name="operator")
    file = KeyFile.read(made.key)
    assert file.tidegate.kind is KeyKind.THROW_AWAY
    password = made.password.read_bytes().strip()
    assert file.open(Password(password)).address == made.address
    for path in (made.config, made.key, made.password):
        assert path.stat().st_mode & 0o777 == 0o600
    assert password.decode() not in made.config.read_text()
    read = read_signer_settings(made.config)
    assert read.issuers[0].public_key == devnet_issuer(tmp_path).public_key().public_bytes_raw()
    assert read.key_file(read.file.keys[0]).resolve() == made.key.resolve()


def test_init_writes_nothing_over(tmp_path: Path) -> None:
    prepare_devnet_signer(tmp_path, chain_id=31337, key_name="operator")
    with pytest.raises(ConfigError) as refused:
        prepare_devnet_signer(tmp_path, chain_id=31337, key_name="operator")
    assert refused.value.code == "signer_exists"


def test_init_is_for_devnets_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can not be a devnet"):
        prepare_devnet_signer(tmp_path, chain_id=1, key_name="operator")
    assert list(tmp_path.iterdir()) == []


def test_the_devnet_issuer_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = devnet_issuer(tmp_path).private_bytes_raw()
    assert devnet_issuer(tmp_path).private_bytes_raw() == first
    path = tmp_path / "devnet" / "issuer.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("something else")
    with pytest.raises(ConfigError, match="no issuer's key"):
        devnet_issuer(tmp_path)

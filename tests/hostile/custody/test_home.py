"""Attacks on the signer's files, and what an honest operator gets wrong with them."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import shutil
import traceback
from pathlib import Path

import pytest
from tests.custody.process.ground import Ground, SignerProcess, load, sign

from tidegate.app.signer import demand_home, read_signer_settings
from tidegate.custody import SignerCore
from tidegate.custody.keys import KeyFile, KeyKind, Password, read_private, secret_of_keystore
from tidegate.ledger import Journal
from tidegate.model import ConfigError, RecordKind, SystemClock, TidegateError


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    made = Ground(tmp_path / "signer")
    made.write_config(password="fd:3")
    return made


async def sign_once(process: SignerProcess, nonce: int) -> None:
    async with process.connect() as connection:
        await sign(await load(connection, process.ground), nonce)


def refused_start(ground: Ground) -> str:
    with pytest.raises(AssertionError, match="did not start") as refused, SignerProcess(ground):
        pass
    return str(refused.value)


def opened(journal: Path) -> str:
    """Return why the signer's journal does not open, empty if it does."""
    try:
        with Journal.open(journal, clock=SystemClock()):
            return ""
    except TidegateError as refused:
        return refused.code


# The journal


def test_a_journal_that_was_rolled_back_or_lost_keeps_the_signer_from_starting(tmp_path: Path) -> None:
    """With it nonces and the day's limits would be forgotten. The start is a real one."""
    ground = Ground(tmp_path / "signer")
    journal, note = ground.folder / "journal.sqlite", ground.folder / "journal.sqlite-head"
    for _ in range(2):
        for kept in (journal, note):
            if kept.exists():
                shutil.copy2(kept, tmp_path / kept.name)
        with Journal.open(journal, clock=SystemClock()) as writing:
            writing.append(RecordKind.SESSION, {"process": "signer"}, actor="signer")

    shutil.copy2(tmp_path / journal.name, journal)
    assert "tampered" in refused_start(ground)
    assert opened(journal) == "journal_tampered"
    journal.unlink()
    assert opened(journal) == "journal_tampered"
    shutil.copy2(tmp_path / journal.name, journal)
    note.unlink()
    assert opened(journal) == "head_note_missing"

    # The stated gap: who writes the folder rolls back both, and only a head kept elsewhere shows it.
    shutil.copy2(tmp_path / note.name, note)
    assert opened(journal) == ""


def test_a_second_signer_with_another_journal_does_not_get_the_key(tmp_path: Path) -> None:
    """An operator who copies signer.toml would double every limit and reuse every nonce."""
    ground = Ground(tmp_path / "signer")
    other = 'journal = "second.sqlite"\nsocket = "second.sock"\nadmin_socket = "second-admin.sock"'
    with SignerProcess(ground) as first:
        with pytest.raises(AssertionError, match="key_in_use"), SignerProcess(ground, signer=other):
            pass
        asyncio.run(sign_once(first, 0))


# Who may write them


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602, 0o664])
def test_a_signer_toml_that_others_can_change_is_not_run(ground: Ground, mode: int) -> None:
    """Who writes it pins an issuer of his own, or names a journal that remembers nothing."""
    ground.config.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        demand_home(ground.config, read_signer_settings(ground.config))
    assert refused.value.code == "open_to_others"


@pytest.mark.parametrize("place", [".", "keys", "journal.sqlite", "keys/operator.json"])
def test_no_folder_key_or_journal_that_others_can_change_is_used(ground: Ground, place: str) -> None:
    settings = read_signer_settings(ground.config)
    (ground.folder / "journal.sqlite").touch(mode=0o600)
    demand_home(ground.config, settings)
    (ground.folder / place).chmod(0o777)
    with pytest.raises(ConfigError) as refused:
        demand_home(ground.config, settings)
    assert refused.value.code == "open_to_others"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file away")
@pytest.mark.parametrize("place", ["signer.toml", "keys/operator.json", "keys"])
def test_another_user_s_file_is_not_used_however_private_it_is(ground: Ground, place: str) -> None:
    settings = read_signer_settings(ground.config)
    os.chown(ground.folder / place, 65534, 65534)
    with pytest.raises(ConfigError):
        demand_home(ground.config, settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give a file away")
def test_a_link_to_another_user_s_key_is_not_followed_into_use(ground: Ground, tmp_path: Path) -> None:
    planted = tmp_path / "planted.json"
    planted.write_bytes((ground.folder / "keys" / "operator.json").read_bytes())
    planted.chmod(0o600)
    os.chown(planted, 65534, 65534)
    link = ground.folder / "keys" / "linked.json"
    link.symlink_to(planted)
    with pytest.raises(ConfigError, match="open to others"):
        KeyFile.read(link)


@pytest.mark.parametrize("what", ["a pipe", "a folder", "a device", "an endless file"])
def test_a_key_file_that_is_none_neither_hangs_nor_fills_the_memory(tmp_path: Path, what: str) -> None:
    path = tmp_path / "key.json"
    match what:
        case "a pipe":
            os.mkfifo(path, 0o600)
        case "a folder":
            path.mkdir(0o700)
        case "a device":
            path.symlink_to("/dev/zero")
        case _:
            with path.open("wb") as file:
                file.truncate(2**40)
            path.chmod(0o600)
    with pytest.raises(ConfigError):
        read_private(path)


# Keystores of others


@pytest.mark.parametrize(
    ("kdf", "figures"),
    [
        ("scrypt", {"n": 2**40, "r": 8, "p": 1, "dklen": 32}),
        ("scrypt", {"n": 2, "r": 8, "p": 2**40, "dklen": 32}),
        ("scrypt", {"n": 2, "r": 2**40, "p": 1, "dklen": 32}),
        ("scrypt", {"n": 2, "r": 8, "p": 1, "dklen": 2**29}),
        ("scrypt", {"n": -2, "r": -8, "p": 1, "dklen": 32}),
        ("scrypt", {"n": -(2**40), "r": 8, "p": 1, "dklen": 32}),
        ("pbkdf2", {"c": 2**40, "prf": "hmac-sha256", "dklen": 32}),
        ("pbkdf2", {"c": 10**7, "prf": "hmac-sha256", "dklen": 2**20}),
    ],
    ids=str,
)
def test_a_keystore_with_absurd_costs_is_refused_before_anything_is_derived(
    tmp_path: Path, kdf: str, figures: dict[str, object]
) -> None:
    crypto = {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "00" * 16},
        "ciphertext": "00" * 32,
        "kdf": kdf,
        "kdfparams": {**figures, "salt": "00" * 32},
        "mac": "00" * 32,
    }
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps({"version": 3, "crypto": crypto}))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"n·r·p|derived key of"):
        secret_of_keystore(path, Password(b"password"))


@pytest.mark.parametrize("opening", ["[", '{"x":'])
def test_a_keystore_that_nests_does_not_end_the_process(tmp_path: Path, opening: str) -> None:
    closing = {"[": "]"}.get(opening, "}")
    nest = opening * 9_000 + "1" + closing * 9_000
    path = tmp_path / "foreign.json"
    path.write_text(
        '{"version":3,"crypto":{"kdf":"scrypt","kdfparams":{"n":2,"r":8,"p":1}},"x":' + nest + "}"
    )
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="nests too deep"):
        secret_of_keystore(path, Password(b"password"))
    with pytest.raises(ConfigError):
        KeyFile.read(path)


# What a key shows of itself


def test_a_key_and_a_password_show_nothing_by_any_common_way_of_showing_things(ground: Ground) -> None:
    password = Password(ground.password)
    key = KeyFile.read(ground.folder / "keys" / "operator.json").open(password)
    core = SignerCore(keys={"operator": key}, journal=_Empty(), clock=SystemClock(), issuers=(), networks={})  # type: ignore[dict-item]
    said = io.StringIO()
    logging.getLogger("leak").addHandler(handler := logging.StreamHandler(said))
    logging.getLogger("leak").warning("%r %s %s", key, password, vars(core))
    logging.getLogger("leak").removeHandler(handler)
    said.write(f"{key!r} {key!s} {key} {password!r} {password!s} {[key]} { ({'k': password}) } {vars(core)}")
    for thing in (key, password):
        for show in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
            try:
                show(thing)  # type: ignore[operator]
            except TypeError:
                said.write(traceback.format_exc())
            else:
                pytest.fail(f"{show.__name__} took {thing!r}")
    for secret in (
        ground.secret.hex(),
        repr(ground.secret),
        ground.password.decode(),
        str(int.from_bytes(ground.secret)),
    ):
        assert secret not in said.getvalue()


def test_a_throw_away_key_is_not_made_a_live_one_by_editing_its_file(ground: Ground) -> None:
    path = ground.folder / "keys" / "operator.json"
    path.write_text(path.read_text().replace(KeyKind.THROW_AWAY.value, KeyKind.LIVE.value))
    with pytest.raises(TidegateError) as refused:
        KeyFile.read(path).open(Password(ground.password))
    assert refused.value.code == "key_marks"


class _Empty:
    def append_many(self, entries: object) -> list[object]:
        raise AssertionError(entries)

    def records(self) -> object:
        return iter(())

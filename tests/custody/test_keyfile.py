"""Key files: the standard's own tools read ours, we read theirs, and the marks can not be changed."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_keys.datatypes import PublicKey, Signature

from tidegate.chain import keccak256
from tidegate.custody.keys import (
    Curve,
    EdKey,
    KeyFile,
    KeyKind,
    Password,
    SecpKey,
    read_key_files,
    secret_of_hex,
    secret_of_keystore,
    seed_of_solana_keypair,
)
from tidegate.model import ConfigError, Tampered

SECRET = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
SEED = bytes(range(32))
PASSWORD = Password(b"a long enough password")
LIGHT = 2**4


def make(**particular: object) -> KeyFile:
    fields = {"kind": KeyKind.LIVE, "secret": SECRET, "scrypt_n": LIGHT, **particular}
    return KeyFile.make("desk", PASSWORD, **fields)  # type: ignore[arg-type]


def test_eth_account_reads_a_key_file_of_ours(tmp_path: Path) -> None:
    written = json.loads(make().write(tmp_path).read_text())
    assert bytes(Account.decrypt(written, "a long enough password")) == SECRET
    assert written["address"] == Account.from_key(SECRET).address[2:].lower()
    assert written["version"] == 3
    assert written["crypto"]["kdf"] == "scrypt"


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_we_read_a_keystore_that_eth_account_wrote(tmp_path: Path, kdf: str) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(Account.encrypt(SECRET, "theirs", kdf=kdf, iterations=LIGHT)))
    path.chmod(0o600)
    assert secret_of_keystore(path, Password(b"theirs")) == SECRET
    with pytest.raises(Tampered) as wrong:
        secret_of_keystore(path, Password(b"other"))
    assert wrong.value.code == "wrong_password"


def test_the_standard_s_own_scrypt_vector_opens(tmp_path: Path) -> None:
    """The test vector of the Web3 Secret Storage Definition (scrypt, password testpassword)."""
    path = tmp_path / "vector.json"
    path.write_text(
        json.dumps(
            {
                "crypto": {
                    "cipher": "aes-128-ctr",
                    "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
                    "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
                    "kdf": "scrypt",
                    "kdfparams": {
                        "dklen": 32,
                        "n": 262144,
                        "p": 8,
                        "r": 1,
                        "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
                    },
                    "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
                },
                "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
                "version": 3,
            }
        )
    )
    path.chmod(0o600)
    secret = secret_of_keystore(path, Password(b"testpassword"))
    assert secret.hex() == "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


def test_live_keys_cost_two_to_the_eighteenth_a_guess() -> None:
    file = KeyFile.make("desk", PASSWORD, kind=KeyKind.LIVE)
    assert (file.crypto.kdfparams.n, file.crypto.kdfparams.r) == (2**18, 8)


def test_a_key_opens_with_its_password_and_no_other() -> None:
    key = make().open(Password(b"a long enough password"))
    assert isinstance(key, SecpKey)
    assert key.address == Account.from_key(SECRET).address
    with pytest.raises(Tampered) as wrong:
        make().open(Password(b"another long password"))
    assert wrong.value.code == "wrong_password"


def test_signatures_are_eth_accounts_own() -> None:
    key = SecpKey(SECRET, is_throw_away=False)
    digest = keccak256(b"anything")
    signature = key.sign_digest(digest)
    expected = Account.unsafe_sign_hash(digest, SECRET)
    assert signature == expected.r.to_bytes(32) + expected.s.to_bytes(32) + bytes((expected.v - 27,))
    assert PublicKey.recover_from_msg_hash(digest, Signature(signature)).to_checksum_address() == key.address
    with pytest.raises(ValueError, match="32 bytes, was 31"):
        key.sign_digest(bytes(31))


def test_a_solana_key_is_encrypted_the_same_way(tmp_path: Path) -> None:
    file = make(curve=Curve.ED25519, secret=SEED)
    key = KeyFile.read(file.write(tmp_path)).open(PASSWORD)
    assert isinstance(key, EdKey)
    # Base58 of 03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8, the seed's public key.
    assert key.address == "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
    Ed25519PrivateKey.from_private_bytes(SEED).public_key().verify(key.sign(b"message"), b"message")


def test_a_solana_keypair_file_is_imported(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    path = tmp_path / "id.json"
    path.write_text(json.dumps(list(SEED + public)))
    path.chmod(0o600)
    assert seed_of_solana_keypair(path) == SEED
    path.write_text(json.dumps(list(SEED + bytes(32))))
    with pytest.raises(ConfigError, match="public key that is not the secret's"):
        seed_of_solana_keypair(path)


@pytest.mark.parametrize("content", ["[1,2,3]", "[1.5]", "{}", "not json", "[" + "256," * 63 + "1]"])
def test_what_is_no_solana_keypair_is_refused_without_being_repeated(tmp_path: Path, content: str) -> None:
    path = tmp_path / "id.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="64 numbers") as refused:
        seed_of_solana_keypair(path)
    assert content not in str(refused.value)


def test_bare_hex_is_read_and_never_repeated() -> None:
    assert secret_of_hex(b"0x" + SECRET.hex().encode() + b"\n") == SECRET
    wrong = SECRET.hex()[:-1].encode() + b"g"
    with pytest.raises(ConfigError) as refused:
        secret_of_hex(wrong)
    assert SECRET.hex()[:20] not in str(refused.value)


def test_a_throw_away_key_is_marked_for_life(tmp_path: Path) -> None:
    path = make(kind=KeyKind.THROW_AWAY).write(tmp_path)
    assert KeyFile.read(path).open(PASSWORD).is_throw_away is True
    assert make().open(PASSWORD).is_throw_away is False


@pytest.mark.parametrize(
    ("mark", "other"),
    [("kind", "live"), ("name", "other"), ("seal", "00" * 32)],
)
def test_a_changed_mark_does_not_open(tmp_path: Path, mark: str, other: str) -> None:
    path = make(kind=KeyKind.THROW_AWAY).write(tmp_path)
    content = json.loads(path.read_text())
    assert content["tidegate"][mark] != other
    content["tidegate"][mark] = other
    path.write_text(json.dumps(content))
    with pytest.raises(Tampered) as changed:
        KeyFile.read(path).open(PASSWORD)
    assert changed.value.code == "key_marks"


def test_a_changed_address_does_not_open(tmp_path: Path) -> None:
    content = json.loads(make().write(tmp_path).read_text())
    content["address"] = "00" * 20
    changed = msgspec.convert(content, KeyFile)
    with pytest.raises(Tampered):
        changed.open(PASSWORD)


def test_a_key_file_without_marks_is_not_ours(tmp_path: Path) -> None:
    path = make(kind=KeyKind.THROW_AWAY).write(tmp_path)
    content = json.loads(path.read_text())
    del content["tidegate"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="keys import"):
        KeyFile.read(path)


@pytest.mark.parametrize(
    "figures",
    [
        {"n": 2**24, "r": 8, "p": 16},
        {"n": 2**18 - 1, "r": 8, "p": 1},
        {"n": 2**23, "r": 8, "p": 1},
    ],
)
def test_a_file_can_not_ask_for_all_memory(figures: dict[str, int]) -> None:
    file = make()
    derivation = msgspec.structs.replace(file.crypto.kdfparams, **figures)
    hostile = msgspec.structs.replace(file, crypto=msgspec.structs.replace(file.crypto, kdfparams=derivation))
    with pytest.raises(ConfigError, match="exhaust"):
        hostile.open(PASSWORD)


def test_a_live_key_wants_a_long_password() -> None:
    with pytest.raises(ConfigError) as short:
        KeyFile.make("desk", Password(b"short"), kind=KeyKind.LIVE)
    assert short.value.code == "password_short"
    KeyFile.make("desk", Password(b"short"), kind=KeyKind.THROW_AWAY, scrypt_n=LIGHT)


def test_key_files_are_private_and_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    path = make().write(folder)
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="never written over"):
        make().write(folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = make().write(tmp_path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="open to others"):
        KeyFile.read(path)


def test_a_pipe_or_a_huge_file_is_no_key_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json", 0o600)
    with pytest.raises(ConfigError):
        KeyFile.read(tmp_path / "pipe.json")
    (tmp_path / "huge.json").write_bytes(b" " * 70_000)
    (tmp_path / "huge.json").chmod(0o600)
    with pytest.raises(ConfigError, match="65536"):
        KeyFile.read(tmp_path / "huge.json")


def test_a_folder_lists_good_files_and_what_is_wrong_with_others(tmp_path: Path) -> None:
    make().write(tmp_path)
    (tmp_path / "zz.json").write_text("{}")
    (tmp_path / "zz.json").chmod(0o600)
    found = dict(read_key_files(tmp_path))
    assert isinstance(found[tmp_path / "desk.json"], KeyFile)
    assert isinstance(found[tmp_path / "zz.json"], ConfigError)


@pytest.mark.parametrize("name", ["", "Desk", "../desk", "a/b", "-a", "a" * 64, "desk.json"])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        KeyFile.make(name, PASSWORD, kind=KeyKind.LIVE)
    assert refused.value.code == "key_name"


@pytest.mark.parametrize(
    "secret", [bytes(32), b"\xff" * 32, bytes(31)], ids=["zero", "above the order", "short"]
)
def test_a_scalar_outside_the_curve_is_no_key(secret: bytes) -> None:
    with pytest.raises(ConfigError) as refused:
        SecpKey(secret, is_throw_away=True)
    assert refused.value.code == "key_invalid"


def test_keys_and_passwords_are_wiped_from_repr_and_refuse_copies() -> None:
    unseen = (SecpKey(SECRET, is_throw_away=False), EdKey(SEED, is_throw_away=False), PASSWORD)
    for thing in unseen:
        shown = f"{thing!r} {thing}"
        for octets in (SECRET, SEED, b"a long enough password"):
            assert octets.hex() not in shown
            assert repr(octets)[2:-1] not in shown
        for copying in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not copied"):
                copying(thing)

"""Attacks on who may issue: forged and foreign capabilities, keys for everybody, devnets that are none."""

import base64
import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.custody.signer_world import (
    BOB,
    DEVNET_ISSUER,
    GATE,
    ISSUERS,
    STRANGER,
    TOY,
    SignerWorld,
    capability,
    envelope,
    is_signed,
    issuer,
    key_id,
    refusal,
    transaction,
)

from tidegate.chain import NETWORKS, devnet_network
from tidegate.custody.capability import encode_capability
from tidegate.custody.envelope import CAPABILITY_TYPE, Issuer, IssuerKind, pre_authentication, seal
from tidegate.custody.pinning import pinned
from tidegate.custody.requests import LoadCapability
from tidegate.model import ConfigError, Stage

PRIME = 2**255 - 19
LINEA = 59_144
"""A public chain with value that our registry does not know."""
INVALID = ("capability", "capability_invalid")


@pytest.fixture
def world() -> SignerWorld:
    return SignerWorld()


def load(world: SignerWorld, raw: bytes):
    return world.ask(LoadCapability(envelope=raw))


# Keys that sign for everybody


def forged(message: bytes, public_key: bytes) -> bytes | None:
    """Return a signature that nobody made and the library takes, if one of few constants is one."""
    verifier = Ed25519PublicKey.from_public_bytes(public_key)
    for y in (0, 1, PRIME - 1):
        for sign in (0, 1):
            signature = (y | sign << 255).to_bytes(32, "little") + bytes(32)
            try:
                verifier.verify(signature, message)
            except InvalidSignature:
                continue
            return signature
    return None


def test_the_place_holder_of_signer_toml_is_a_key_under_which_anybody_signs_and_is_not_pinned():
    """64 zeros are a point of order 4: a capability that nobody issued would be valid under it."""
    everybody = bytes(32)
    key = hashlib.sha256(everybody).hexdigest()
    found = None
    for serial in range(1, 100):
        payload = encode_capability(capability(issued_by=key, serial=serial))
        found = forged(pre_authentication(CAPABILITY_TYPE, payload), everybody)
        if found is not None:
            break
    assert found is not None, "the library refuses such keys by now: this test may go"
    with pytest.raises(ConfigError, match="anybody can sign"):
        SignerWorld(issuers=(Issuer(name="d", kind=IssuerKind.GATE, public_key=everybody),))


@pytest.mark.parametrize(
    "y",
    [
        0,
        1,
        PRIME - 1,
        PRIME,
        PRIME + 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,  # of order 8
        PRIME - 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    ],
)
@pytest.mark.parametrize("sign", [0, 1])
def test_no_key_of_small_order_is_pinned_in_any_encoding(y, sign):
    weak = Issuer(name="w", kind=IssuerKind.GATE, public_key=(y | sign << 255).to_bytes(32, "little"))
    with pytest.raises(ConfigError) as refused:
        pinned((weak,))
    assert refused.value.code == "issuer_key"


def test_a_key_of_another_length_is_not_pinned():
    with pytest.raises(ConfigError, match="31 bytes"):
        pinned((Issuer(name="w", kind=IssuerKind.GATE, public_key=b"\x07" * 31),))


def test_one_person_is_not_pinned_as_two_nor_one_key_as_two_kinds():
    same_key = issuer(BOB, IssuerKind.PERSON, "eve")
    same_name = issuer(STRANGER, IssuerKind.PERSON, "ann")
    more_rights = issuer(DEVNET_ISSUER, IssuerKind.GATE, "second")
    for another in (same_key, same_name, more_rights):
        with pytest.raises(ConfigError) as refused:
            SignerWorld(issuers=(*ISSUERS, another))
        assert refused.value.code == "issuer_twice"
    assert len(pinned(ISSUERS)) == len(ISSUERS)


# Envelopes


def test_a_signature_of_one_capability_does_not_carry_over_to_a_larger_one(world):
    """Every field of the envelope may be the attacker's, but for what was signed."""
    good = json.loads(envelope())
    larger = encode_capability(capability(serial=2, tx_day=1_000))
    swapped = {**good, "payload": base64.b64encode(larger).decode()}
    assert refusal(load(world, json.dumps(swapped).encode())) == INVALID
    unsigned = {**good, "signatures": [{"keyid": key_id(DEVNET_ISSUER), "sig": ""}]}
    assert refusal(load(world, json.dumps(unsigned).encode())) == INVALID
    foreign = seal(larger, CAPABILITY_TYPE, STRANGER)
    assert refusal(load(world, foreign)) == INVALID
    both = json.loads(seal(larger, CAPABILITY_TYPE, STRANGER))
    both["signatures"].append({"keyid": key_id(DEVNET_ISSUER), "sig": good["signatures"][0]["sig"]})
    assert refusal(load(world, json.dumps(both).encode())) == INVALID


@pytest.mark.parametrize(
    "twist",
    [
        lambda raw: raw.replace(b'"tx_day":10', b'"tx_day":10,"tx_day":1000'),
        lambda raw: raw.replace(b'"tx_day":10', b'"tx_day":1e1'),
        lambda raw: raw.replace(b'"tx_day":10', b'"tx_day":-1'),
        lambda raw: raw.replace(b'"tx_day":10', b'"tx_day":010'),
        lambda raw: raw.replace(b'"desk":"atomic"', b'"desk":"\\u0061tomic"'),
        lambda raw: raw.replace(b'"serial":1', b'"serial":18446744073709551617'),
        lambda raw: raw.replace(TOY.address.encode(), TOY.address.lower().encode()),
        lambda raw: raw + b" ",
        lambda raw: raw.replace(b'"purpose":"act"', b'"purpose":"Act"'),
    ],
    ids=["twice", "float", "negative", "octal", "escaped", "huge", "case", "space", "purpose"],
)
def test_the_issuer_himself_can_not_sign_a_capability_of_two_readings(world, twist):
    """One form alone is a capability: what people read is what is in force."""
    raw = encode_capability(capability(key_address=TOY.address))
    assert twist(raw) != raw
    assert refusal(load(world, seal(twist(raw), CAPABILITY_TYPE, DEVNET_ISSUER))) == INVALID


@pytest.mark.parametrize("serial", [1, 7])
def test_an_old_or_equal_serial_does_not_come_back_not_even_after_a_restart(world, serial):
    held = world.load(serial=7)
    again = world.restarted()
    larger = envelope(serial=serial, tx_day=1_000)
    assert refusal(load(again, larger)) == ("capability", "capability_serial")
    assert is_signed(again.sign(held))


# Devnets that are none


@pytest.mark.parametrize("chain_id", sorted(NETWORKS))
def test_no_public_chain_is_made_a_devnet_by_its_name(chain_id):
    with pytest.raises(ConfigError, match="can not be a devnet"):
        devnet_network(chain_id, name="devnet")


def test_a_kept_key_signs_on_no_devnet_whose_id_a_public_chain_may_have(world):
    """The registry knows fourteen chains. A thousand more have value, and their ids look like devnets."""
    open_door = SignerWorld(networks={**world.networks, LINEA: devnet_network(LINEA)})
    typed = {"chain_id": LINEA, "typed_domains": ()}
    for by in (DEVNET_ISSUER, GATE):
        assert refusal(load(open_door, envelope(by=by, **typed))) == INVALID
    toy = open_door.load(**typed, key_address=TOY.address)
    assert is_signed(open_door.sign(toy, transaction(chain_id=LINEA), key="toy"))


def test_a_devnet_named_like_a_public_chain_is_what_its_id_says(world):
    named = SignerWorld(networks={**NETWORKS, 31_337: devnet_network(31_337, name="ethereum")})
    held = named.load()
    assert is_signed(named.sign(held))
    assert refusal(named.sign(held, transaction(chain_id=1))) == ("scope", "capability_foreign")


def test_a_fork_of_a_mainnet_is_signed_by_a_throw_away_key_and_only_in_stage_fork(world):
    """What is signed there is as good on the chain itself: so the key must be worth nothing."""
    fork = {"chain_id": 1, "typed_domains": ()}
    assert refusal(load(world, envelope(**fork, stage=Stage.FORK))) == INVALID
    for stage in (Stage.PAPER, Stage.CANARY, Stage.PRODUCTION):
        toy = envelope(**fork, stage=stage, key_address=TOY.address)
        assert refusal(load(world, toy)) == INVALID, stage
    held = world.load(**fork, stage=Stage.FORK, key_address=TOY.address)
    claimed = transaction(chain_id=1)
    assert is_signed(world.sign(held, claimed, key="toy", stage=Stage.FORK))
    assert refusal(world.sign(held, claimed, key="hot", stage=Stage.FORK))[0] == "scope"
    assert refusal(world.sign(held, claimed, key="toy", stage=Stage.CANARY))[0] == "scope"

"""Loading capabilities: forged, foreign, tampered, expired, out of order; and narrowing."""

import base64
import json

import pytest
from tests.custody.signer_world import (
    ANN,
    CHAIN,
    DEVNET_ISSUER,
    FRIEND,
    GATE,
    ISSUERS,
    START_S,
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

from tidegate.chain import devnet_network
from tidegate.custody.capability import Purpose, encode_capability
from tidegate.custody.envelope import (
    CAPABILITY_TYPE,
    ORDER_TYPE,
    IssuerKind,
    pre_authentication,
    seal,
    sign_capability,
)
from tidegate.custody.requests import Freeze, LoadCapability, Revoke
from tidegate.model import ConfigError, RecordKind, Stage

INVALID = ("capability", "capability_invalid")
FOREVER = {"typed_domains": ()}


@pytest.fixture
def world():
    return SignerWorld()


def load(world, raw):
    return world.ask(LoadCapability(envelope=raw))


def test_the_bytes_that_are_signed_are_those_of_dsse():
    """The vector of the DSSE protocol text: type and payload with their lengths in decimal."""
    assert (
        pre_authentication("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_envelope_has_the_fields_of_dsse_and_a_signature_that_cryptography_verifies():
    parsed = json.loads(envelope())
    assert parsed["payloadType"] == CAPABILITY_TYPE
    payload = base64.b64decode(parsed["payload"])
    signature = parsed["signatures"][0]
    assert signature["keyid"] == key_id(DEVNET_ISSUER)
    DEVNET_ISSUER.public_key().verify(
        base64.b64decode(signature["sig"]), pre_authentication(CAPABILITY_TYPE, payload)
    )


def test_a_capability_of_a_stranger_is_refused(world):
    assert refusal(load(world, envelope(by=STRANGER))) == INVALID


def test_a_forged_signature_is_refused(world):
    """Signed by a stranger who claims the pinned issuer's key id."""
    wanted = capability()
    parsed = json.loads(seal(encode_capability(wanted), CAPABILITY_TYPE, STRANGER))
    parsed["signatures"][0]["keyid"] = wanted.issued_by
    assert refusal(load(world, json.dumps(parsed).encode())) == INVALID


def test_a_tampered_payload_is_refused(world):
    parsed = json.loads(envelope())
    wider = encode_capability(capability(tx_day=1_000))
    parsed["payload"] = base64.b64encode(wider).decode()
    assert refusal(load(world, json.dumps(parsed).encode())) == INVALID


@pytest.mark.parametrize("place", [0, 40, 400, -10])
def test_one_flipped_byte_of_an_envelope_is_never_loaded(world, place):
    raw = bytearray(envelope())
    raw[place] ^= 1
    assert refusal(load(world, bytes(raw))) == INVALID


@pytest.mark.parametrize(
    "raw", [b"{}", b"[]", b"\xff\xff", b'{"payload":"?","payloadType":"x","signatures":[]}']
)
def test_what_is_no_envelope_is_refused(world, raw):
    assert refusal(load(world, raw)) == INVALID


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"payload":[', b'{"signatures":['])
def test_deep_nesting_is_refused_in_envelope_payload_and_order(world, opening):
    deep = opening + b"[" * 30_000
    assert refusal(load(world, deep)) == INVALID
    assert refusal(load(world, seal(deep, CAPABILITY_TYPE, DEVNET_ISSUER))) == INVALID
    for order in (deep, seal(deep, ORDER_TYPE, ANN)):
        hard = Freeze(reason="odd", by="ann", allow_exit=False, approvals=(order, order))
        assert refusal(world.ask(hard, is_admin=True)) == ("two_people", "two_people")


def test_a_payload_of_another_type_is_refused(world):
    raw = seal(encode_capability(capability()), ORDER_TYPE, DEVNET_ISSUER)
    assert refusal(load(world, raw)) == INVALID


def test_the_issuer_that_is_named_must_be_the_one_who_signed(world):
    raw = seal(encode_capability(capability(by=GATE)), CAPABILITY_TYPE, DEVNET_ISSUER)
    assert refusal(load(world, raw)) == INVALID
    both = seal(encode_capability(capability(by=GATE)), CAPABILITY_TYPE, DEVNET_ISSUER, GATE)
    assert load(world, both).capability_id == capability(by=GATE).id
    with pytest.raises(ConfigError, match="signed by the issuer that it names"):
        sign_capability(capability(by=GATE), DEVNET_ISSUER)


def test_a_person_issues_no_capabilities(world):
    assert refusal(load(world, envelope(by=ANN))) == INVALID


def test_a_capability_for_a_key_that_is_not_here_is_refused(world):
    assert refusal(load(world, envelope(key_address=FRIEND))) == ("capability", "capability_foreign")


def test_an_expired_capability_is_not_loaded_and_one_that_begins_later_is(world):
    gone = envelope(not_before=START_S - 100, expires_at=START_S)
    assert refusal(load(world, gone)) == ("capability", "capability_expired")
    assert world.load(not_before=START_S + 100, expires_at=START_S + 200)


def test_a_policy_that_this_signer_does_not_have_is_refused(world):
    raw = envelope(policies=({"name": "group_vote", "terms": {}},))
    assert refusal(load(world, raw)) == ("capability", "policy_unknown")


# What issuers may give


@pytest.mark.parametrize(
    ("changes", "loads"),
    [
        ({}, True),
        ({"stage": Stage.PRODUCTION}, True),
        ({"chain_id": 1}, False),
        ({"chain_id": 11_155_111}, False),
        ({"chain_id": 99_999}, False),
        ({"chain_id": 1, "stage": Stage.FORK}, False),
        ({"chain_id": 1, "stage": Stage.FORK, "key_address": TOY.address}, True),
        ({"chain_id": 1, "stage": Stage.CANARY, "key_address": TOY.address}, False),
        ({"chain_id": 99_999, "stage": Stage.FORK, "key_address": TOY.address}, False),
        ({"stage": Stage.FORK, "key_address": TOY.address}, True),
        ({"stage": Stage.CANARY, "key_address": TOY.address}, True),
    ],
    ids=str,
)
def test_the_devnet_issuer_gives_for_devnets_and_for_forks_on_throw_away_keys_alone(world, changes, loads):
    answer = load(world, envelope(**FOREVER, **changes))
    assert (answer.__struct_config__.tag == "loaded") is loads
    if not loads:
        assert refusal(answer) == INVALID


def test_the_gate_gives_nothing_for_a_mainnet_while_no_grant_can_be_checked(world):
    assert refusal(load(world, envelope(by=GATE, **FOREVER, chain_id=1))) == INVALID
    assert world.load(by=GATE, **FOREVER, chain_id=11_155_111)


@pytest.mark.parametrize("stage", [Stage.FORK, Stage.PAPER])
def test_paper_and_fork_are_signed_by_throw_away_keys_alone(world, stage):
    assert refusal(load(world, envelope(stage=stage))) == INVALID
    assert world.load(stage=stage, key_address=TOY.address)


def test_an_issuer_that_is_unpinned_ends_what_it_gave():
    world = SignerWorld()
    held = world.load()
    without = world.restarted(issuers=ISSUERS[1:])
    assert refusal(without.sign(held)) == INVALID
    assert is_signed(world.restarted().sign(held))


def test_a_chain_that_is_no_devnet_any_more_ends_what_the_devnet_issuer_gave(world):
    held = world.load()
    assert refusal(world.restarted(networks={}).sign(held)) == ("scope", "capability_invalid")


def test_an_issuer_of_another_kind_may_not_take_over():
    world = SignerWorld()
    held = world.load()
    demoted = (issuer(DEVNET_ISSUER, IssuerKind.PERSON, "devnet"), *ISSUERS[1:])
    assert refusal(world.restarted(issuers=demoted).sign(held)) == ("scope", "capability_invalid")


# Serials


def test_a_higher_serial_replaces_the_lower_one_of_the_same_line(world):
    first = world.load()
    answer = load(world, envelope(serial=2))
    assert answer.replaced == first
    assert refusal(world.sign(first)) == ("capability", "capability_revoked")
    assert is_signed(world.sign(answer.capability_id))


@pytest.mark.parametrize("serial", [4, 5])
def test_a_lower_or_equal_serial_is_refused(world, serial):
    held = world.load(serial=5)
    again = envelope(serial=serial, tx_day=9)
    assert refusal(load(world, again)) == ("capability", "capability_serial")
    assert refusal(load(world.restarted(), again)) == ("capability", "capability_serial")
    assert is_signed(world.sign(held))


@pytest.mark.parametrize(
    "other",
    [
        {"desk": "momentum"},
        {"key_address": TOY.address},
        {"purpose": Purpose.EXIT},
        {"chain_id": 1_337, "typed_domains": ()},
    ],
    ids=str,
)
def test_desk_chain_key_and_purpose_are_lines_of_their_own(other):
    world = SignerWorld(networks={CHAIN: devnet_network(CHAIN), 1_337: devnet_network(1_337)})
    held = world.load(serial=5)
    world.load(serial=1, **other)
    assert is_signed(world.sign(held))


def test_a_smaller_capability_narrows_and_an_empty_one_ends_the_line(world):
    world.load()
    empty = world.load(
        serial=2,
        targets=(),
        typed_domains=(),
        prices=(),
        unvalued=(),
        notional_tx_usd_e6=0,
        notional_day_usd_e6=0,
        at_risk_tx_usd_e6=0,
        at_risk_day_usd_e6=0,
        tx_day=0,
    )
    assert refusal(world.sign(empty)) == ("target", "target_not_allowed")


def test_a_machine_narrows_over_the_worker_s_socket_also_while_frozen(world):
    world.load()
    world.ask(Freeze(reason="odd", by="watch"))
    assert world.load(serial=2, tx_day=1)


# Revocation


def test_a_revoked_capability_signs_nothing_and_does_not_come_back(world):
    held = world.load()
    order = Revoke(capability_id=held, reason="gone", by="ann")
    assert refusal(world.ask(order)) == ("administrator", "administrator_only")
    assert is_signed(world.sign(held))
    assert world.ask(order, is_admin=True).verb == "revoke"
    revoked = ("capability", "capability_revoked")
    assert refusal(world.sign(held, transaction(nonce=1))) == revoked
    assert refusal(load(world, envelope())) == ("capability", "capability_serial")
    assert refusal(world.restarted().sign(held, transaction(nonce=1))) == revoked
    assert is_signed(world.sign(world.load(serial=2), transaction(nonce=1)))


def test_what_was_never_loaded_can_not_be_revoked(world):
    order = Revoke(capability_id="0" * 64, reason="gone", by="ann")
    assert refusal(world.ask(order, is_admin=True)) == ("capability", "capability_unknown")


def test_loading_is_one_capability_record_that_holds_the_envelope(world):
    world.load()
    record = world.journal.kept[-1]
    assert record.kind is RecordKind.CAPABILITY
    assert record.body["envelope"] == envelope().decode()

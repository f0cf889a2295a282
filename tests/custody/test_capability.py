"""Capabilities as data: every field, its bounds, its one encoding, its id."""

import msgspec
import pytest
from tests.custody.signer_world import (
    DAY_S,
    DEVNET_ISSUER,
    FRIEND,
    PLAIN,
    POOL,
    START_S,
    USDC,
    capability,
    key_id,
)

from tidegate.custody.capability import (
    Capability,
    Purpose,
    encode_capability,
    make_capability,
    parse_capability,
)
from tidegate.model import Denied, Reason, Stage, canonical_json, digest

FIELDS = [
    "id",
    "purpose",
    "desk",
    "stage",
    "chain_id",
    "key_address",
    "targets",
    "typed_domains",
    "policies",
    "prices",
    "notional_tx_usd_e6",
    "notional_day_usd_e6",
    "at_risk_tx_usd_e6",
    "at_risk_day_usd_e6",
    "tx_day",
    "gas_limit_max",
    "max_fee_wei",
    "unvalued",
    "not_before",
    "expires_at",
    "evidence_digest",
    "policy_digest",
    "grant_digest",
    "checkpoint",
    "issued_by",
    "serial",
]
CODE = "0x" + "00" * 32


def refused(match, **changes):
    with pytest.raises(Denied, match=match) as denied:
        capability(**changes)
    assert denied.value.reason is Reason.CAPABILITY_INVALID


def test_the_fields_are_those_of_the_specification_in_its_order():
    assert list(Capability.__struct_fields__) == FIELDS


def test_encoding_is_canonical_json_and_back():
    one = capability()
    encoded = encode_capability(one)
    assert encoded == canonical_json(msgspec.json.decode(encoded))
    assert parse_capability(encoded) == one


def test_the_id_is_the_digest_of_all_other_fields():
    plain = msgspec.json.decode(encode_capability(capability()))
    wanted = plain.pop("id")
    assert wanted == digest(plain)
    changed = canonical_json({**plain, "id": wanted, "tx_day": plain["tx_day"] + 1})
    with pytest.raises(Denied, match="id is not"):
        parse_capability(changed)


@pytest.mark.parametrize("field", [one for one in FIELDS if one != "id"])
def test_a_capability_without_any_one_of_its_fields_is_refused(field):
    plain = {**PLAIN, "issued_by": key_id(DEVNET_ISSUER)}
    plain.pop(field)
    with pytest.raises(Denied, match="not a capability"):
        make_capability(**plain)


def test_an_unknown_field_is_refused():
    refused("not a capability", unlimited=True)
    refused("not a capability", targets=({"address": POOL, "code_hash": CODE, "selectors": (), "any": 1},))


def test_another_encoding_of_the_same_data_is_refused():
    encoded = encode_capability(capability())
    with pytest.raises(Denied, match="encoding"):
        parse_capability(encoded.replace(b'":', b'": ', 1))


@pytest.mark.parametrize(
    ("stage", "life_s"),
    [(Stage.CANARY, DAY_S), (Stage.PRODUCTION, 7 * DAY_S), (Stage.FORK, DAY_S), (Stage.PAPER, DAY_S)],
)
def test_the_longest_life_is_a_day_in_canary_and_seven_in_production(stage, life_s):
    times = {"stage": stage, "not_before": START_S}
    assert capability(**times, expires_at=START_S + life_s).life_max_s == life_s
    refused("expires_at", **times, expires_at=START_S + life_s + 1)


def test_an_exit_capability_may_live_30_days():
    times = {"purpose": Purpose.EXIT, "not_before": START_S}
    assert capability(**times, expires_at=START_S + 30 * DAY_S).purpose is Purpose.EXIT
    refused("expires_at", **times, expires_at=START_S + 30 * DAY_S + 1)


@pytest.mark.parametrize("stage", [Stage.BACKTEST, Stage.SHADOW])
def test_stages_that_sign_nothing_have_no_capability(stage):
    refused("stage", stage=stage)


@pytest.mark.parametrize("expires_at", [START_S - 60, START_S - 61])
def test_a_life_of_nothing_is_refused(expires_at):
    refused("expires_at", expires_at=expires_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"tx_day": -1},
        {"notional_tx_usd_e6": -1},
        {"notional_day_usd_e6": 10**15 + 1},
        {"gas_limit_max": "500000"},
        {"max_fee_wei": 10**15 + 1},
        {"serial": 0},
        {"desk": ""},
        {"chain_id": -1},
        {"chain_id": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"},
        {"purpose": "both"},
        {"evidence_digest": "yes"},
        {"checkpoint": {"seq": 1, "hash": "00"}},
        {"issued_by": "gate"},
        {"targets": ({"address": POOL, "code_hash": "0x00", "selectors": ()},)},
        {"targets": ({"address": POOL, "code_hash": CODE, "selectors": ("0xa9059c",)},)},
        {"prices": ({"token": USDC, "price_usd_e8": 0, "decimals": 6},)},
        {"prices": ({"token": USDC, "price_usd_e8": 1, "decimals": 37},)},
    ],
    ids=str,
)
def test_a_field_out_of_its_bounds_is_refused(changes):
    refused("not a capability", **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"key_address": FRIEND.lower()},
        {"key_address": "0x12"},
        {"targets": ({"address": FRIEND.lower(), "code_hash": CODE, "selectors": ()},)},
        {"prices": ({"token": "USDC", "price_usd_e8": 1, "decimals": 6},)},
        {"unvalued": ({"target": "pool", "function": "0x00000000", "per_day": 1},)},
    ],
    ids=str,
)
def test_an_address_without_its_checksum_is_refused(changes):
    refused("address", **changes)


def test_no_entry_stands_twice():
    entry = {"address": POOL, "code_hash": CODE, "selectors": ()}
    price = {"token": USDC, "price_usd_e8": 1, "decimals": 6}
    free = {"target": POOL, "function": "0x00000000", "per_day": 1}
    refused("targets", targets=(entry, entry))
    refused("prices", prices=(price, price))
    refused("unvalued", unvalued=(free, free))
    refused("selectors", targets=({**entry, "selectors": ("0x", "0x")},))
    refused("selectors", targets=({**entry, "address": None, "selectors": ("0x",)},))


def test_a_limit_per_transaction_is_not_above_that_of_the_day():
    refused("notional_tx_usd_e6", notional_tx_usd_e6=2, notional_day_usd_e6=1)
    refused("at_risk_tx_usd_e6", at_risk_tx_usd_e6=2, at_risk_day_usd_e6=1)


def test_a_typed_domain_is_of_the_capability_s_chain():
    domain = {**PLAIN["typed_domains"][0], "chain_id": 1}
    refused("typed_domains", typed_domains=(domain,))


def test_there_is_room_for_evidence_policy_grant_and_checkpoint():
    full = capability(
        evidence_digest="a" * 64,
        policy_digest="b" * 64,
        grant_digest="c" * 64,
        checkpoint={"seq": 7, "hash": "d" * 64},
    )
    assert parse_capability(encode_capability(full)).checkpoint.seq == 7


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"id":1}'])
def test_what_is_no_capability_is_refused(payload):
    with pytest.raises(Denied, match="not a capability"):
        parse_capability(payload)

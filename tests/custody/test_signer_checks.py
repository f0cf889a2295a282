"""Each check of the signer: what passes, and what stands right beside it and does not."""

import json

import pytest
from eth_account import Account
from tests.custody.signer_world import (
    ETHER,
    FRIEND,
    GATE,
    GWEI,
    HOT,
    POOL,
    REPAY,
    START_S,
    TOY,
    USD,
    USDC,
    USDC_CODE,
    FixedWitness,
    SignerWorld,
    capability,
    is_signed,
    refusal,
    transaction,
    transfer,
)

from tidegate.chain import devnet_network, encode_call, keccak256, selector
from tidegate.custody.requests import AddressOf, Status
from tidegate.model import Denied, RecordKind, Stage

EMPTY_CODE = "0x" + keccak256(b"").hex()


@pytest.fixture
def world():
    return SignerWorld()


def repay(nonce=0, **changes):
    return transaction(nonce=nonce, to=POOL, data=bytes.fromhex(REPAY[2:]) + bytes(32), **changes)


def target(address, code, *selectors):
    return {"address": address, "code_hash": code, "selectors": selectors}


def test_what_every_check_allows_is_signed_by_the_key(world):
    answer = world.sign(world.load())
    assert Account.recover_transaction(answer.raw) == HOT.address == answer.sender


def test_status_and_address_answer_without_a_capability(world):
    world.load()
    status, key, unknown = world.ask(Status(), AddressOf(key="toy"), AddressOf(key="cold"))
    assert [one.name for one in status.keys] == ["hot", "toy"]
    assert status.capabilities[0].tx_day == 10
    assert (key.address, key.is_throw_away) == (TOY.address, True)
    assert refusal(unknown) == ("key", "key_unknown")


# Capability and scope


def test_an_unknown_capability_is_refused(world):
    world.load()
    assert refusal(world.sign("0" * 64)) == ("capability", "capability_unknown")


def test_a_capability_holds_from_not_before_to_right_before_expires_at(world):
    held = world.load(not_before=START_S + 10, expires_at=START_S + 20)
    assert refusal(world.sign(held)) == ("capability", "capability_not_yet")
    world.later(10)
    assert is_signed(world.sign(held))
    world.later(9.999)
    assert is_signed(world.sign(held))
    world.later(0.001)
    assert refusal(world.sign(held)) == ("capability", "capability_expired")


@pytest.mark.parametrize(
    ("changes", "unsigned"),
    [
        ({"desk": "momentum"}, {}),
        ({"stage": Stage.PRODUCTION}, {}),
        ({"key": "toy"}, {}),
        ({}, {"chain_id": 1}),
    ],
)
def test_desk_stage_key_and_chain_must_be_the_capability_s(world, changes, unsigned):
    held = world.load()
    answer = world.sign(held, transaction(**unsigned), **changes)
    assert refusal(answer) == ("scope", "capability_foreign")
    assert is_signed(world.sign(held))


def test_a_key_that_is_not_there_is_refused(world):
    assert refusal(world.sign(world.load(), key="cold")) == ("key", "key_unknown")


def test_the_plan_digest_is_computed_again_from_the_bytes(world):
    held, planned = world.load(), transaction()
    changed = transaction(data=transfer(100 * USD, to=POOL))
    answer = world.sign(held, changed, plan_digest=planned.content_digest)
    assert refusal(answer) == ("plan", "plan_digest_mismatch")
    assert is_signed(world.sign(held, planned))


def test_bytes_that_are_no_transaction_are_refused(world):
    held = world.load()
    whole = world.request(held, transaction()).unsigned
    for raw in (b"\x02\xc0", b"\x01" + whole[1:], whole + b"\x00"):
        assert refusal(world.sign(held, unsigned=raw)) == ("form", "malformed")
    huge = transaction(nonce=2**53 + 1)
    assert refusal(world.sign(held, huge)) == ("form", "malformed")


# Targets


def test_only_listed_targets_are_called(world):
    held = world.load()
    assert refusal(world.sign(held, transaction(to=FRIEND))) == ("target", "target_not_allowed")
    assert is_signed(world.sign(held, transaction(to=USDC)))


def test_only_listed_selectors_of_a_target_are_called(world):
    held = world.load()
    mint = encode_call("mint(address,uint256)", FRIEND, 1)
    assert refusal(world.sign(held, transaction(data=mint))) == ("target", "selector_not_allowed")
    # repay is listed, for the pool alone
    assert refusal(world.sign(held, transaction(data=repay().data))) == ("target", "selector_not_allowed")
    assert refusal(world.sign(held, transaction(data=b"\xa9\x05\x9c"))) == ("target", "selector_not_allowed")
    assert is_signed(world.sign(held, repay()))


def test_a_plain_transfer_of_the_coin_is_a_selector_of_its_own(world):
    held = world.load()
    paid = transaction(to=POOL, data=b"", value_wei=ETHER // 10)
    assert is_signed(world.sign(held, paid))
    assert refusal(world.sign(held, transaction(nonce=1, data=b""))) == ("target", "selector_not_allowed")


def test_a_creation_is_its_own_permission_for_one_code(world):
    code = b"\x60\x00\x60\x00"
    permitted = target(None, "0x" + keccak256(code).hex())
    free = {"target": None, "function": "0x", "per_day": 1}
    held = world.load(targets=(permitted,), unvalued=(free,))
    assert is_signed(world.sign(held, transaction(to=None, data=code)))
    other = transaction(nonce=1, to=None, data=code + b"\x00")
    assert refusal(world.sign(held, other)) == ("target", "creation_not_allowed")
    again = transaction(nonce=1, to=None, data=code)
    assert refusal(world.sign(held, again)) == ("count", "count_limit")
    ordinary = world.load(serial=2)
    assert refusal(world.sign(ordinary, again)) == ("target", "creation_not_allowed")


@pytest.mark.parametrize(
    "signature",
    ["multicall(bytes[])", "execute(bytes)", "aggregate3((address,bool,bytes)[])", "multiSend(bytes)"],
)
def test_a_listed_function_that_hides_other_calls_is_refused(world, signature):
    function = "0x" + selector(signature).hex()
    held = world.load(
        targets=(target(POOL, EMPTY_CODE, function),),
        unvalued=({"target": POOL, "function": function, "per_day": 5},),
    )
    hidden = transaction(to=POOL, data=bytes.fromhex(function[2:]) + transfer(1))
    assert refusal(world.sign(held, hidden)) == ("target", "selector_not_allowed")


# Code, by witness


def seen(**changes):
    return SignerWorld(witness=FixedWitness().saw(USDC, USDC_CODE, **changes))


def test_the_code_that_the_capability_names_is_signed_for():
    world = seen()
    assert is_signed(world.sign(world.load()))


def test_a_target_whose_code_changed_is_refused():
    world = seen()
    held = world.load()
    world.witness.saw(USDC, keccak256(b"upgraded"))
    assert refusal(world.sign(held)) == ("code", "code_changed")


@pytest.mark.parametrize(("age_s", "is_fresh"), [(600, True), (601, False), (-600, True), (-601, False)])
def test_a_reading_counts_for_600_seconds(age_s, is_fresh):
    world = seen(at_s=START_S - age_s)
    answer = world.sign(world.load())
    assert is_signed(answer) if is_fresh else refusal(answer) == ("code", "witness_missing")


def test_without_a_reading_the_check_fails():
    world = SignerWorld(witness=FixedWitness())
    assert refusal(world.sign(world.load())) == ("code", "witness_missing")


def test_a_witness_that_answers_for_something_else_is_not_believed():
    world = seen()
    held = world.load()
    world.witness.readings[31_337, USDC] = FixedWitness().saw(POOL, USDC_CODE).readings[31_337, POOL]
    assert refusal(world.sign(held)) == ("code", "witness_missing")
    world.witness.saw(USDC, USDC_CODE, providers=())
    assert refusal(world.sign(held)) == ("code", "witness_missing")


def test_a_devnet_may_run_without_a_witness_and_a_testnet_may_not():
    world = SignerWorld()
    assert is_signed(world.sign(world.load()))
    sepolia = 11_155_111
    held = world.load(by=GATE, chain_id=sepolia, typed_domains=())
    answer = world.sign(held, transaction(chain_id=sepolia))
    assert refusal(answer) == ("code", "witness_missing")


def test_the_witness_is_asked_for_exactly_the_targets_that_are_listed():
    world = seen()
    held = world.load()
    requests = [
        world.request(held, transaction()),
        world.request(held, transaction(to=FRIEND)),
        world.request("0" * 64, transaction(to=POOL)),
        world.request(held, transaction(), unsigned=b"\x02"),
        Status(),
    ]
    assert world.core.questions(requests) == {(31_337, USDC)}


# Gas


def test_gas_limit_and_fees_have_caps(world):
    held = world.load()
    assert refusal(world.sign(held, repay(gas_limit=500_001, max_fee_wei=GWEI))) == ("gas", "gas_cap")
    over = repay(gas_limit=21_000, max_fee_wei=100 * GWEI + 1)
    assert refusal(world.sign(held, over)) == ("gas", "fee_cap")
    upside_down = repay(max_priority_fee_wei=11 * GWEI)
    assert refusal(world.sign(held, upside_down)) == ("gas", "fee_cap")
    assert is_signed(world.sign(held, repay(gas_limit=500_000, max_fee_wei=100 * GWEI)))


# Typed data


def typed(primary="Permit", domain=None, **message):
    fields = {
        "Permit": [
            ("owner", "address"),
            ("spender", "address"),
            ("value", "uint256"),
            ("nonce", "uint256"),
            ("deadline", "uint256"),
        ],
        "Vote": [("value", "uint256")],
        "Order": [("value", "uint256")],
    }[primary]
    domain = {"name": "USD Coin", "version": "2", "chainId": 31_337, "verifyingContract": USDC} | (
        domain or {}
    )
    domain = {name: value for name, value in domain.items() if value is not None}
    kinds = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    content = {
        "types": {
            "EIP712Domain": [{"name": name, "type": kinds.get(name, "bytes32")} for name in domain],
            primary: [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": primary,
        "domain": domain,
        "message": {
            "owner": HOT.address,
            "spender": FRIEND,
            "value": 100 * USD,
            "nonce": 0,
            "deadline": START_S,
            **message,
        },
    }
    content["message"] = {name: content["message"][name] for name, _ in fields}
    return json.dumps(content).encode()


def test_typed_data_of_a_listed_domain_and_type_is_signed_as_eth_account_signs_it(world):
    answer = world.sign_typed(world.load(), typed())
    wanted = Account.from_key(b"\x11" * 32).sign_typed_data(full_message=json.loads(typed()))
    assert answer.signature == bytes(wanted.signature)
    assert answer.digest == bytes(wanted.message_hash)


@pytest.mark.parametrize(
    "domain",
    [
        {"name": "USD Coins"},
        {"name": None},
        {"version": "1"},
        {"version": None},
        {"chainId": 1},
        {"chainId": None},
        {"verifyingContract": POOL},
        {"verifyingContract": None},
    ],
)
def test_each_field_of_the_domain_must_be_as_listed_present_or_absent(world, domain):
    content = typed("Vote", domain)
    free = tuple({"target": one, "function": "Vote", "per_day": 1} for one in (USDC, POOL, None))
    held = world.load(unvalued=free)
    assert refusal(world.sign_typed(held, content)) == ("typed_data", "typed_data_not_allowed")
    assert is_signed(world.sign_typed(held, typed("Vote")))


def test_a_domain_field_that_is_listed_as_absent_must_be_absent(world):
    listed = {
        "name": "USD Coin",
        "version": None,
        "chain_id": 31_337,
        "verifying_contract": USDC,
        "primary_types": ("Permit",),
    }
    held = world.load(typed_domains=(listed,))
    assert is_signed(world.sign_typed(held, typed(domain={"version": None})))
    assert refusal(world.sign_typed(held, typed())) == ("typed_data", "typed_data_not_allowed")


def test_a_primary_type_that_is_not_listed_is_refused(world):
    free = {"target": USDC, "function": "Order", "per_day": 1}
    answer = world.sign_typed(world.load(unvalued=(free,)), typed("Order"))
    assert refusal(answer) == ("typed_data", "typed_data_not_allowed")


@pytest.mark.parametrize("domain", [{"salt": "0x" + "00" * 32}, {"chainId": "31337"}, {"chainId": True}])
def test_a_domain_of_another_form_is_malformed(world, domain):
    assert refusal(world.sign_typed(world.load(), typed(domain=domain))) == ("form", "malformed")


def test_typed_data_that_would_hold_the_signer_for_long_is_refused_unhashed(world):
    """Many structs of a type that names many others: the work grows with their product."""
    held = world.load()
    small = json.loads(typed())
    many = {f"T{place}": [{"name": "a", "type": f"T{place + 1}[]"}] for place in range(16)}
    wide = {**small, "types": {**small["types"], **many, "T16": []}}
    long = {**small, "message": {**small["message"], "beside": "x" * 8_192}}
    for content in (wide, long):
        refused = world.sign_typed(held, json.dumps(content).encode())
        assert refusal(refused) == ("form", "malformed")
        assert "at most" in refused.found


def test_a_permit_is_valued_as_what_it_allows(world):
    held = world.load()
    assert is_signed(world.sign_typed(held, typed(value=1_000 * USD)))
    assert refusal(world.sign_typed(held, typed(value=1_000 * USD + 1))) == ("notional", "notional_limit")
    assert refusal(world.sign_typed(held, typed(value=str(2**256 - 1)))) == ("notional", "notional_limit")
    assert refusal(world.sign_typed(held, typed(value="0x10"))) == ("notional", "unvalued")


def test_typed_data_that_nobody_values_needs_its_own_count(world):
    held = world.load()
    assert refusal(world.sign_typed(held, typed("Vote"))) == ("notional", "unvalued")
    free = {"target": USDC, "function": "Vote", "per_day": 1}
    held = world.load(serial=2, unvalued=(free,))
    assert is_signed(world.sign_typed(held, typed("Vote")))
    assert is_signed(world.sign_typed(held, typed("Vote")))  # the same again is the same signature
    other = world.sign_typed(held, typed("Vote", value=7))
    assert refusal(other) == ("count", "count_limit")


NO_CHAIN = {
    "chain_id": 0,
    "targets": (),
    "unvalued": ({"target": None, "function": "Vote", "per_day": 5},),
    "typed_domains": (
        {
            "name": "Escrow",
            "version": None,
            "chain_id": None,
            "verifying_contract": None,
            "primary_types": ("Vote",),
        },
    ),
}
EXECUTOR_TERMS = {
    "executors": (POOL,),
    "calls": (),
    "deadline_max_s": 60,
    "gas_limit_max": 21_000,
    "at_risk_tx_usd_e6": 0,
    "flow_tx_usd_e6": 0,
}


def test_chain_zero_is_for_typed_data_alone_and_only_if_a_policy_judges_it():
    networks = {0: devnet_network(0), **SignerWorld().networks}
    world = SignerWorld(networks=networks)
    policies = ({"name": "executor", "terms": EXECUTOR_TERMS},)
    held = world.load(**NO_CHAIN, policies=policies, key_address=TOY.address)
    vote = typed("Vote", {"name": "Escrow", "version": None, "chainId": None, "verifyingContract": None})
    assert refusal(world.sign_typed(held, vote, key="toy")) == ("policies", "policy_refused")
    assert refusal(world.sign(held, transaction(chain_id=0), key="toy")) == ("scope", "capability_foreign")
    with pytest.raises(Denied, match="policies"):
        capability(**NO_CHAIN)
    with pytest.raises(Denied, match="targets"):
        capability(**{**NO_CHAIN, "typed_domains": (), "targets": (target(POOL, EMPTY_CODE),)})


# Every answer is a record


def test_every_answer_yes_or_no_is_one_record_and_a_frame_is_one_commit(world):
    held = world.load()
    before = world.journal.commits
    requests = [
        world.request(held, transaction()),
        world.request(held, transaction(to=FRIEND)),
        Status(),
        AddressOf(key="cold"),
    ]
    answers = world.core.handle(requests, is_admin=False, asked_by="uid 1001")
    assert world.journal.commits == before + 1
    records = world.journal.kept[-4:]
    assert {record.kind for record in records} == {RecordKind.ANSWER}
    assert [record.body.get("reason") for record in records] == [
        None,
        "target_not_allowed",
        None,
        "key_unknown",
    ]
    assert records[0].correlation_id == "intent-0"
    assert records[1].body["asked_by"] == "uid 1001"
    assert is_signed(answers[0])


def test_a_denial_names_the_failed_check_and_the_limit(world):
    answer = world.sign(world.load(), transaction(data=transfer(1_001 * USD)))
    assert answer.check == "notional"
    assert "at most 1000000000" in answer.allowed
    assert "1001000000" in answer.found
    record = world.journal.kept[-1].body
    assert (record["check"], record["allowed"]) == (answer.check, answer.allowed)


@pytest.mark.parametrize("count", [0, 65])
def test_a_frame_holds_1_to_64_requests(world, count):
    with pytest.raises(ValueError, match="1 to 64"):
        world.core.handle([Status()] * count, is_admin=False)
    assert len(world.core.handle([Status()] * 64, is_admin=False)) == 64


def test_what_never_became_a_request_is_journaled_too(world):
    world.core.note("frame", "70,000 bytes", asked_by="uid 1001")
    assert world.journal.kept[-1].body["found"] == "70,000 bytes"

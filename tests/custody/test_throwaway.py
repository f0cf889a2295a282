import asyncio

import msgspec
import pytest
from eth_account import Account

from tidegate.custody import ThrowAwayKey
from tidegate.model import Address, Denied, Reason, Stage, TransactionSigner, UnsignedTransaction

TARGET = Address("0x00000000000000000000000000000000000000AA")
TRANSACTION = UnsignedTransaction(
    chain_id=31337,
    nonce=4,
    to=TARGET,
    data=b"\x01\x02",
    value_wei=5,
    gas_limit=100_000,
    max_fee_wei=10,
    max_priority_fee_wei=1,
)


def key(**changes: object) -> ThrowAwayKey:
    settings = {"stage": Stage.PAPER, "chain_ids": frozenset({31337}), **changes}
    return ThrowAwayKey("test", **settings)  # type: ignore[arg-type]


def sign(signer: ThrowAwayKey, transaction: UnsignedTransaction) -> bytes:
    return signer.sign_now(transaction, intent_id="i", plan_digest=transaction.content_digest).raw


def test_signature_is_of_the_keys_account_and_repeatable() -> None:
    raw = sign(key(), TRANSACTION)
    assert Account.recover_transaction(raw) == key().address
    assert sign(key(), TRANSACTION) == raw


@pytest.mark.parametrize("stage", [one for one in Stage if one not in {Stage.PAPER, Stage.FORK}])
def test_refused_on_every_other_stage(stage: Stage) -> None:
    with pytest.raises(Denied) as caught:
        key(stage=stage)
    assert caught.value.reason is Reason.STAGE


def test_bytes_changed_between_plan_and_signature_are_refused() -> None:
    changed = msgspec.structs.replace(TRANSACTION, data=b"\x01\x03")
    with pytest.raises(Denied) as caught:
        key().sign_now(changed, intent_id="i", plan_digest=TRANSACTION.content_digest)
    assert caught.value.reason is Reason.PLAN_DIGEST_MISMATCH


def test_stands_behind_the_signers_protocol_and_signs_the_same_there() -> None:
    signer: TransactionSigner = key()
    asked = signer.sign_transaction(TRANSACTION, intent_id="i", plan_digest=TRANSACTION.content_digest)
    assert asyncio.run(asked).raw == sign(key(), TRANSACTION)


def test_refused_for_a_foreign_chain() -> None:
    with pytest.raises(Denied, match="another world") as caught:
        sign(key(), msgspec.structs.replace(TRANSACTION, chain_id=1))
    assert caught.value.reason is Reason.CAPABILITY


@pytest.mark.parametrize(
    "change", [{"data": b"\x01\x03"}, {"value_wei": 6}, {"to": None}, {"max_fee_wei": 9}]
)
def test_a_used_nonce_is_not_signed_for_other_content(change: dict[str, object]) -> None:
    signer = key()
    sign(signer, TRANSACTION)
    with pytest.raises(Denied, match="nonce 4 was signed before"):
        sign(signer, msgspec.structs.replace(TRANSACTION, **change))


def test_a_used_nonce_is_signed_again_with_higher_fees() -> None:
    signer = key()
    first = sign(signer, TRANSACTION)
    assert sign(signer, msgspec.structs.replace(TRANSACTION, max_fee_wei=20, max_priority_fee_wei=2)) != first


def test_a_used_nonce_is_signed_for_a_cancel_and_for_nothing_else_after_it() -> None:
    signer = key()
    sign(signer, TRANSACTION)
    cancel = msgspec.structs.replace(
        TRANSACTION, to=signer.address, value_wei=0, data=b"", gas_limit=21_000, max_fee_wei=12
    )
    assert sign(signer, cancel)
    with pytest.raises(Denied, match="nonce 4 was signed before"):
        sign(signer, msgspec.structs.replace(TRANSACTION, max_fee_wei=14))
    with pytest.raises(Denied, match="nonce 4 was signed before"):
        sign(signer, msgspec.structs.replace(cancel, value_wei=1, max_fee_wei=14))


def test_a_chain_without_a_base_fee_gets_one_gas_price_and_its_own_id() -> None:
    legacy = msgspec.structs.replace(TRANSACTION, is_legacy=True)
    raw = sign(key(), legacy)
    assert raw[0] >= 0xC0, "a list, not a typed envelope"
    assert Account.recover_transaction(raw) == key().address
    assert sign(key(), TRANSACTION)[0] == 2


def test_no_secret_in_the_repr() -> None:
    assert repr(key()) == f"ThrowAwayKey({key().address})"

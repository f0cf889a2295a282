"""Throw-away keys: for worlds that we started ourselves, and marked as such for life.

They stand behind the same protocol as the signer process (``model.TransactionSigner``), so
that paper and fork walk the same code as a live stage; the bytes are the signer's own (``transactions``).
"""

from __future__ import annotations

from eth_account import Account

from tidegate.custody.keys import SecpKey
from tidegate.custody.transactions import encode_unsigned, sign
from tidegate.model import (
    Address,
    Denied,
    Reason,
    SignedTransaction,
    Stage,
    UnsignedTransaction,
    sha256_hex,
)

_STAGES = frozenset({Stage.PAPER, Stage.FORK})


class ThrowAwayKey:
    """A key derived from a public label. Anyone can derive it again: it must never hold value.

    Parameters
    ----------
    label
        What the key is derived from; the same label gives the same account.
    stage
        Must be paper or fork; on every other stage keys live in the signer process.
    chain_ids
        The chains that it may sign for: those of worlds that we started.

    Raises
    ------
    Denied
        ``stage`` if the stage is any other.
    """

    is_throw_away = True
    capability_id = ""

    def __init__(self, label: str, *, stage: Stage, chain_ids: frozenset[int]) -> None:
        if stage not in _STAGES:
            raise Denied(
                Reason.STAGE,
                "throw-away keys sign in paper and fork alone",
                found=stage.value,
                allowed="paper, fork",
                fix="live stages need a capability, which only the gate issues",
            )
        self._secret = bytes.fromhex(sha256_hex(f"tidegate throw-away key: {label}".encode()))
        self._key = SecpKey(self._secret, is_throw_away=True)
        self._chain_ids = chain_ids
        self._signed: dict[tuple[int, int], UnsignedTransaction] = {}

    def __repr__(self) -> str:
        return f"ThrowAwayKey({self.address})"

    @property
    def address(self) -> Address:
        """Return the account that the key controls."""
        return self._key.address

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Sign as ``model.TransactionSigner`` asks; see ``sign_now``."""
        return self.sign_now(transaction, intent_id=intent_id, plan_digest=plan_digest)

    def sign_now(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Sign without waiting (RFC 6979: the same input gives the same bytes).

        A second signature for a nonce is given only for the same content (to, value and data
        identical) or for a cancel (nothing, to the key's own account), both fees at least as high.

        Raises
        ------
        Denied
            ``capability`` for a foreign chain, or other content under a used nonce;
            ``plan_digest_mismatch`` if the transaction is not what was planned.
        """
        if transaction.content_digest != plan_digest:
            raise Denied(
                Reason.PLAN_DIGEST_MISMATCH,
                "the transaction is not the one that was planned",
                found=transaction.content_digest,
                allowed=plan_digest,
                fix="stop the desk and compare the plan in the journal with what asked for this",
            )
        if transaction.chain_id not in self._chain_ids:
            raise Denied(
                Reason.CAPABILITY,
                "this throw-away key belongs to another world",
                found=f"chain {transaction.chain_id}",
                allowed=", ".join(str(one) for one in sorted(self._chain_ids)),
            )
        self._refuse_other_content(transaction, intent_id)
        if transaction.is_legacy:
            signed = self._signed_legacy(transaction)
        else:
            signed = sign(encode_unsigned(transaction), self._key)
        self._signed[transaction.chain_id, transaction.nonce] = transaction
        return signed

    def _signed_legacy(self, transaction: UnsignedTransaction) -> SignedTransaction:
        """Sign for a chain without a base fee (EIP-155); the signer process has no form for those."""
        signed = Account.sign_transaction(
            {
                "chainId": transaction.chain_id,
                "nonce": transaction.nonce,
                "to": b"" if transaction.to is None else transaction.to,
                "data": transaction.data,
                "value": transaction.value_wei,
                "gas": transaction.gas_limit,
                "gasPrice": transaction.max_fee_wei,
            },
            self._secret,
        )
        return SignedTransaction(
            hash=bytes(signed.hash), raw=bytes(signed.raw_transaction), sender=self.address
        )

    def _refuse_other_content(self, new: UnsignedTransaction, intent_id: str) -> None:
        old = self._signed.get((new.chain_id, new.nonce))
        if old is None:
            return
        same = (old.to, old.value_wei, old.data) == (new.to, new.value_wei, new.data)
        cancels = (new.to, new.value_wei, new.data) == (self.address, 0, b"")
        raised = new.max_fee_wei >= old.max_fee_wei and new.max_priority_fee_wei >= old.max_priority_fee_wei
        if not ((same or cancels) and raised):
            raise Denied(
                Reason.NONCE_REUSED,
                f"nonce {new.nonce} was signed before with other content",
                found=f"intent {intent_id}",
                allowed="the same to, value and data, or a cancel, with fees at least as high",
            )

"""The signer process as a signer like any other: one key under one capability.

When the signer does not answer, ask again for the *same* content: it gives the same signature and
counts it once. Never for another.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn, Self

from tidegate.chain import keccak256
from tidegate.custody.channel import SignerConnection
from tidegate.custody.requests import (
    AddressAnswer,
    AddressOf,
    CapabilityStatus,
    Signed,
    SignedTyped,
    SignTransaction,
    SignTypedData,
)
from tidegate.custody.transactions import encode_unsigned, is_signed_form
from tidegate.model import (
    Address,
    Denied,
    Divergence,
    Reason,
    SignedTransaction,
    Stage,
    Unavailable,
    UnsignedTransaction,
)

Line = tuple[str, Stage, int, Address, str]
"""Desk, stage, chain, key and purpose: what a capability and the one that renews it have in common."""

_OVER = frozenset(
    {
        Reason.CAPABILITY_EXPIRED,
        Reason.CAPABILITY_REVOKED,
        Reason.CAPABILITY_UNKNOWN,
        Reason.CAPABILITY_INVALID,
    }
)
"""Refusals that say that the capability is no more, while a newer one may be in force."""


class SignerClient:
    """The signer process as a ``model.TransactionSigner``: one key under one capability.

    Make one with ``SignerClient.bind``. ``desk`` and ``stage`` are what the worker believes to act
    for; they must be the capability's.
    """

    def __init__(
        self,
        connection: SignerConnection,
        *,
        key: str,
        address: Address,
        desk: str,
        stage: Stage,
        capability_id: str,
        line: Line | None = None,
    ) -> None:
        self._connection = connection
        self._key = key
        self._address = address
        self._desk = desk
        self._stage = stage
        self._capability_id = capability_id
        self._line = line

    @classmethod
    async def bind(
        cls, connection: SignerConnection, *, key: str, desk: str, stage: Stage, capability_id: str
    ) -> Self:
        """Ask the signer which account ``key`` controls, and return a signer for it."""
        answer = await connection.demand(AddressOf(key=key), AddressAnswer)
        held = {one.id: one for one in (await connection.status()).capabilities}
        return cls(
            connection,
            key=key,
            address=answer.address,
            desk=desk,
            stage=stage,
            capability_id=capability_id,
            line=line_of(held[capability_id]) if capability_id in held else None,
        )

    def __repr__(self) -> str:
        return f"SignerClient({self._key}, {self._address})"

    @property
    def address(self) -> Address:
        """Return the account that the key controls."""
        return self._address

    @property
    def capability_id(self) -> str:
        """Return the id of the capability that it signs under."""
        return self._capability_id

    async def follow(self) -> bool:
        """Bind to the capability that renews this one, if one is in force, and say whether.

        Capabilities are renewed while a desk runs; under the old one nothing is signed any more.
        """
        held = (await self._connection.status()).capabilities
        heirs = [one for one in held if not one.is_revoked and line_of(one) == self._line]
        newest = max(heirs, key=lambda one: one.serial, default=None)
        if newest is None or newest.id == self._capability_id:
            return False
        self._capability_id = newest.id
        return True

    async def sign_transaction(
        self, transaction: UnsignedTransaction, *, intent_id: str, plan_digest: str
    ) -> SignedTransaction:
        """Return the signed bytes as ``model.TransactionSigner`` asks.

        Raises
        ------
        Denied
            With the signer's reason: ``plan_digest_mismatch``, ``frozen``, ``notional_limit`` …
        Unavailable
            If the signer does not answer. Ask again for the same content, never for another.
        Divergence
            If it answers with anything but the signed form of what was asked.
        """
        if transaction.is_legacy:
            raise Denied(
                Reason.MALFORMED,
                "the signer signs EIP-1559 transactions alone",
                found=f"a legacy transaction for chain {transaction.chain_id}",
                allowed="a chain that has a base fee",
                fix="leave that chain to stages that sign with a throw-away key",
            )
        unsigned = encode_unsigned(transaction)
        request = SignTransaction(
            key=self._key,
            desk=self._desk,
            stage=self._stage,
            capability_id=self._capability_id,
            intent_id=intent_id,
            plan_digest=plan_digest,
            unsigned=unsigned,
        )
        try:
            signed = await self._connection.demand(request, Signed)
        except Denied as denial:
            if denial.reason in _OVER:
                with suppress(Denied, Unavailable):  # what is asked next goes under what renews it
                    await self.follow()
            raise
        is_asked_for = is_signed_form(signed.raw, unsigned) and signed.hash == keccak256(signed.raw)
        if signed.sender != self._address or not is_asked_for:
            _other_content(
                f"hash 0x{signed.hash.hex()} from {signed.sender}", f"a signature of {self._address}"
            )
        return SignedTransaction(hash=signed.hash, raw=signed.raw, sender=signed.sender)

    async def sign_typed_data(self, typed: bytes, *, intent_id: str) -> SignedTyped:
        """Return the signature of EIP-712 typed data, given as JSON; errors as ``sign_transaction``."""
        request = SignTypedData(
            key=self._key,
            desk=self._desk,
            stage=self._stage,
            capability_id=self._capability_id,
            intent_id=intent_id,
            typed=typed,
        )
        signed = await self._connection.demand(request, SignedTyped)
        if signed.signer != self._address:
            _other_content(f"a signature of {signed.signer}", f"one of {self._address}")
        return signed


def line_of(one: CapabilityStatus) -> Line:
    """Return what a capability and the one that renews it have in common."""
    return one.desk, one.stage, one.chain_id, one.key_address, one.purpose


def _other_content(found: str, allowed: str) -> NoReturn:
    raise Divergence(
        "the signer answered with something that was not asked for",
        code="signer_answer",
        found=found,
        allowed=allowed,
        fix="stop the desk and find out what listens on the signer's socket",
    )

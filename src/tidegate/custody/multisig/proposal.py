"""A proposal: a Safe's transaction on its way, proposed, signed by k of m, executed.

A proposal is one JSON file that people hand around. Nothing in it is trusted: the hash is computed
from the content, and each signature is recovered, when it is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tidegate.chain import address, hex_data, octets
from tidegate.custody.nesting import is_shallow
from tidegate.model import Address, ConfigError, Tampered, Unavailable
from tidegate.venues.safe import SafeTransaction, owner_of

LARGEST_BYTES = 1_048_576
_FORMAT = "tidegate-safe-proposal/1"


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction of a Safe with the signatures so far, by owner. ``reason`` is for people."""

    transaction: SafeTransaction
    reason: str
    signatures: Mapping[Address, bytes] = {}
    executed_in: str = ""

    @property
    def hash(self) -> bytes:
        """Return what owners sign."""
        return self.transaction.hash

    def state(self, threshold: int) -> str:
        """Return ``proposed``, ``signed(k of m)`` or ``executed``."""
        if self.executed_in:
            return "executed"
        count = len(self.signatures)
        return f"signed({count} of {threshold})" if count else "proposed"

    def signed(self, signature: bytes, owners: tuple[Address, ...]) -> Proposal:
        """Return the proposal with one more signature.

        Raises
        ------
        Tampered
            If it is nobody's, or not one of the owners'.
        """
        who = owner_of(signature, self.hash)
        if who not in owners:
            raise Tampered(
                "the signature is of nobody who owns this Safe, or of other content",
                code="safe_signature",
                found=who,
                allowed=", ".join(owners),
                fix="sign the hash that `tidegate safe show` prints, with an owner's key",
            )
        return msgspec.structs.replace(self, signatures={**self.signatures, who: signature})

    def executed(self, transaction_hash: bytes) -> Proposal:
        """Return the proposal with the transaction that executed it."""
        return msgspec.structs.replace(self, executed_in=hex_data(transaction_hash))


def write_proposal(proposal: Proposal, path: Path) -> None:
    """Write a proposal whole or not at all.

    Raises
    ------
    Unavailable
        If the place can not be written.
    """
    transaction = proposal.transaction
    value = {
        "format": _FORMAT,
        "safe": transaction.safe,
        "chain_id": transaction.chain_id,
        "to": transaction.to,
        "value_wei": str(transaction.value_wei),
        "data": hex_data(transaction.data),
        "operation": transaction.operation,
        "nonce": transaction.nonce,
        "hash": hex_data(proposal.hash),
        "reason": proposal.reason,
        "signatures": {owner: hex_data(one) for owner, one in proposal.signatures.items()},
        "executed_in": proposal.executed_in,
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise Unavailable(
            f"{path} can not be written", found=str(error), fix="choose another place with --output"
        ) from error


def read_proposal(path: Path) -> Proposal:
    """Read a proposal; its hash and every signature are computed anew.

    Raises
    ------
    ConfigError
        If the file is none.
    Tampered
        If the content does not give its hash, or a signature is not of the owner that it names.
    """
    value = _read(path)
    try:
        proposal = Proposal(
            transaction=SafeTransaction(
                safe=address(value["safe"]),
                chain_id=_natural(value["chain_id"]),
                to=address(value["to"]),
                value_wei=_natural(value["value_wei"]),
                data=octets(value["data"]),
                operation=_natural(value["operation"]),
                nonce=_natural(value["nonce"]),
            ),
            reason=str(value["reason"]),
            signatures={
                address(owner): octets(signature) for owner, signature in value["signatures"].items()
            },
            executed_in=str(value["executed_in"]),
        )
        named = octets(value["hash"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path.name} is no proposal", code="safe_proposal", found=repr(error), allowed=_FORMAT
        ) from error
    if named != proposal.hash:
        raise Tampered(
            f"{path.name} does not give its hash",
            code="safe_proposal",
            found=hex_data(proposal.hash),
            allowed=hex_data(named),
            fix="ask the proposer for the file again; sign nothing",
        )
    for owner, signature in proposal.signatures.items():
        if owner_of(signature, proposal.hash) != owner:
            raise Tampered(
                f"a signature in {path.name} is not of the owner that it names",
                code="safe_signature",
                found=owner_of(signature, proposal.hash),
                allowed=owner,
            )
    return proposal


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        is_sound = len(content) <= LARGEST_BYTES and is_shallow(content)
        value = msgspec.json.decode(content) if is_sound else None
    except OSError as error:
        raise ConfigError(
            f"there is no {path}",
            code="safe_proposal",
            found=type(error).__name__,
            allowed="a proposal's file",
        ) from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{path.name} is no JSON", code="safe_proposal", found=str(error), allowed=_FORMAT
        ) from error
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise ConfigError(
            f"{path.name} is no proposal", code="safe_proposal", found="something else", allowed=_FORMAT
        )
    return value


def _natural(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or not 0 <= number < 1 << 256:
        raise ValueError(f"a whole number below 2**256, was {value!r}")
    return number

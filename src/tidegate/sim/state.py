"""The state of a world as plain data: what accounts hold, and one digest over it.

Both worlds give it in the same form, so that the same script can be compared across them.
"""

from __future__ import annotations

import gzip
import json

import msgspec

from tidegate.chain import address, keccak256
from tidegate.model import Address, Divergence, digest

SYSTEM_ACCOUNTS = frozenset(
    {
        # Kept by the protocol itself: block hashes (EIP-2935), beacon roots (EIP-4788).
        address("0x0000F90827F1C53a10cb7A02335B175320002935"),
        address("0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02"),
        # The creation proxy that anvil starts with.
        address("0x4e59b44847b379578588920cA78FbF26c0B4956C"),
    }
)


class AccountState(msgspec.Struct, frozen=True):
    """One account; ``storage`` holds the slots that are not zero."""

    nonce: int
    balance_wei: int
    code: bytes
    storage: dict[int, int]

    @property
    def is_empty(self) -> bool:
        """Say whether the account is as if it had never been."""
        return not (self.nonce or self.balance_wei or self.code or self.storage)


WorldState = dict[Address, AccountState]


def state_digest(state: WorldState) -> str:
    """Return the SHA-256 over all accounts but empty ones and those that the protocol keeps."""
    return digest(
        {
            account: {
                "balance": str(held.balance_wei),
                "code": keccak256(held.code).hex(),
                "nonce": held.nonce,
                "storage": {f"{slot:064x}": f"{word:064x}" for slot, word in held.storage.items() if word},
            }
            for account, held in state.items()
            if not held.is_empty and account not in SYSTEM_ACCOUNTS
        }
    )


def state_from_dump(dump: bytes) -> WorldState:
    """Return the accounts in what ``anvil_dumpState`` gives (gzipped JSON).

    Raises
    ------
    Divergence
        If the node's format is another than the pinned version's.
    """
    try:
        accounts = json.loads(gzip.decompress(dump))["accounts"]
        return {
            address(account): AccountState(
                nonce=parts["nonce"],
                balance_wei=int(parts["balance"], 16),
                code=bytes.fromhex(parts["code"][2:]),
                storage={int(s, 16): int(w, 16) for s, w in parts["storage"].items() if int(w, 16)},
            )
            for account, parts in accounts.items()
        }
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Divergence("the node's state dump has another form", code="dump", found=repr(error)) from error

"""Bundle relays: how bytes reach a block without passing through the public mempool.

``Dispatch`` is the way out that a sender is given: the plan's routes in their order, the same bytes on each.
A relay owes nothing: what it accepted may never be included, and whoever builds the block may have read it.
So what a transaction may do stands in its own bytes, and what became of it is asked of the chain alone.
"""

from tidegate.chain.relays.bundle import BYTES_MAX, TRANSACTIONS_MAX, Bundle, uuid_of
from tidegate.chain.relays.dispatch import Dispatch
from tidegate.chain.relays.identity import HEADER, RelayIdentity, asker_of, header_of
from tidegate.chain.relays.relay import BundleRelay, RelayPlace, Supports

__all__ = [
    "BYTES_MAX",
    "HEADER",
    "TRANSACTIONS_MAX",
    "Bundle",
    "BundleRelay",
    "Dispatch",
    "RelayIdentity",
    "RelayPlace",
    "Supports",
    "asker_of",
    "header_of",
    "uuid_of",
]

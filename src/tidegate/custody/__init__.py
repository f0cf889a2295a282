"""Who holds keys: in paper and fork a throw-away key; live, a separate signer process.

Whoever signs stands behind ``model.TransactionSigner``; no other room sees a key. ``SignerCore``
judges and signs without I/O, ``SignerServer`` is the process around it, ``SignerClient`` the worker's
side; the witness (``custody.witness``) reads chains for the signer, and ``custody.keys`` are the keys
at rest. Called by ``pipeline/`` (through the protocol) and built by ``app/``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.custody.asking import SignerRules
    from tidegate.custody.capability import Capability, Purpose
    from tidegate.custody.channel import SignerConnection, denied
    from tidegate.custody.client import SignerClient
    from tidegate.custody.connection import Door
    from tidegate.custody.core import SignerCore
    from tidegate.custody.envelope import Issuer, IssuerKind, sign_capability
    from tidegate.custody.hardening import Confinement, confine
    from tidegate.custody.issue import devnet_capability, executor_terms
    from tidegate.custody.orders import Order, OrderKind, sign_order
    from tidegate.custody.rate import check_rate
    from tidegate.custody.relay_key import RelayKey
    from tidegate.custody.server import SignerServer
    from tidegate.custody.sockets import inherited, listen
    from tidegate.custody.throwaway import ThrowAwayKey
    from tidegate.custody.witness import WitnessedChain, WitnessService, WitnessView

__all__ = [
    "Capability",
    "Confinement",
    "Door",
    "Issuer",
    "IssuerKind",
    "Order",
    "OrderKind",
    "Purpose",
    "RelayKey",
    "SignerClient",
    "SignerConnection",
    "SignerCore",
    "SignerRules",
    "SignerServer",
    "ThrowAwayKey",
    "WitnessService",
    "WitnessView",
    "WitnessedChain",
    "check_rate",
    "confine",
    "denied",
    "devnet_capability",
    "executor_terms",
    "inherited",
    "listen",
    "sign_capability",
    "sign_order",
]

_NAMES: dict[str, tuple[str, ...]] = {
    "asking": ("SignerRules",),
    "capability": (
        "Capability",
        "Purpose",
    ),
    "channel": (
        "SignerConnection",
        "denied",
    ),
    "client": ("SignerClient",),
    "connection": ("Door",),
    "core": ("SignerCore",),
    "envelope": (
        "Issuer",
        "IssuerKind",
        "sign_capability",
    ),
    "hardening": (
        "Confinement",
        "confine",
    ),
    "issue": (
        "devnet_capability",
        "executor_terms",
    ),
    "orders": (
        "Order",
        "OrderKind",
        "sign_order",
    ),
    "rate": ("check_rate",),
    "relay_key": ("RelayKey",),
    "server": ("SignerServer",),
    "sockets": (
        "inherited",
        "listen",
    ),
    "throwaway": ("ThrowAwayKey",),
    "witness": (
        "WitnessedChain",
        "WitnessService",
        "WitnessView",
    ),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: a freeze must not wait for what it does not need."""
    for module, names in _NAMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

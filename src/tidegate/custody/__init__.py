"""Who holds keys: in paper and fork a throw-away key; live, a separate signer process.

Whoever signs stands behind ``model.TransactionSigner``; no other room sees a key. Called by
``pipeline/`` (through the protocol) and built by ``app/``.
"""

from tidegate.custody.throwaway import ThrowAwayKey

__all__ = ["ThrowAwayKey"]

"""Which tokens strategies may name on which chain, before any node is asked."""

from __future__ import annotations

from tidegate.app.devnet.spec import DevnetSpec
from tidegate.desks.atomic import TokenTables
from tidegate.venues import NATIVE

_NATIVE_DECIMALS = 18


def token_tables() -> TokenTables:
    """Return the tokens of every chain that strategies can name, with their decimals."""
    devnet = DevnetSpec()
    tokens = {token.symbol: token.decimals for token in devnet.tokens}
    return {devnet.chain: {**tokens, NATIVE: _NATIVE_DECIMALS}}

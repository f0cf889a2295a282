"""What the codes of Balancer v2's reverts stand for (``BalancerErrors`` of the vault)."""

from __future__ import annotations

ERROR_MEANINGS = {
    "BAL#102": "the tokens are not in ascending order",
    "BAL#400": "the vault is locked: it is lending, swapping or being joined already",
    "BAL#401": "the sender is not allowed to do this",
    "BAL#402": "the vault is paused",
    "BAL#515": "the loan was not repaid",
    "BAL#528": "the vault holds less of the token than asked for",
    "BAL#602": "the loan was repaid without its whole fee",
}
"""The codes that a loan of ours can meet, in our words."""

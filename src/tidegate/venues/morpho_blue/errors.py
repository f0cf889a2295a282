"""What the texts of Morpho Blue's reverts stand for (``ErrorsLib`` of 1.0.0)."""

from __future__ import annotations

ERROR_MEANINGS = {
    "zero assets": "the amount is 0",
    "no code": "the token has no code",
    "transfer reverted": "the token refused to be sent: there is less of it than asked for, or it is paused",
    "transfer returned false": "the token answered false when it was sent",
    "transferFrom reverted": "the token refused to be taken back: it is not approved, or there is too little",
    "transferFrom returned false": "the token answered false when it was taken back",
    "insufficient liquidity": "the market has lent out what is asked for",
    "market not created": "there is no such market",
}
"""The texts that a loan or a supply of ours can meet, in our words."""

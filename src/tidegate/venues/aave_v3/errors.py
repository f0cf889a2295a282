"""What the texts of Aave v3's reverts stand for: the pool says a number (``Errors.sol`` of 3.0.x)."""

from __future__ import annotations

ERROR_MEANINGS = {
    "13": "the receiver of the flash loan did not answer that it accepts it",
    "26": "the amount is 0",
    "27": "the reserve is not active",
    "28": "the reserve is frozen",
    "29": "the reserve is paused",
    "30": "the asset can not be borrowed",
    "32": "more than the balance would be withdrawn",
    "33": "no such interest rate mode",
    "34": "there is no collateral",
    "35": "the health factor would be below the liquidation threshold",
    "36": "the collateral does not cover the new debt",
    "39": "no debt of the selected type",
    "42": "no debt at the variable rate",
    "43": "nothing of the asset is supplied",
    "45": "the health factor is too good for a liquidation",
    "46": "this collateral can not be liquidated",
    "47": "the account does not owe this asset",
    "50": "the reserve's borrow cap would be exceeded",
    "51": "the reserve's supply cap would be exceeded",
    "53": "the debt ceiling of the isolated collateral would be exceeded",
    "57": "the debt would be above what the loan-to-value allows",
    "58": "the asset is not of the account's efficiency category",
    "59": "the price sentinel allows it no longer, or not yet",
    "60": "the asset can not be borrowed against isolated collateral",
    "62": "the asset can not serve as collateral of this account",
    "82": "the asset is not listed",
    "89": "a siloed asset can not be borrowed beside another",
    "91": "flash loans of the asset are switched off",
}
"""The codes that a run of ours can meet, in our words."""

"""Read a price feed: the call, and what its answer says."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.chain import decode_output, selector

LATEST_ROUND = selector("latestRoundData()")
"""Call data of ``latestRoundData()``, which takes no argument."""


@dataclass(frozen=True, slots=True)
class Round:
    """A feed's newest round. ``price_usd_e8`` may be nonsense (0 or below); whoever uses it checks."""

    price_usd_e8: int
    updated_at_s: int


def decode_round(answer: bytes) -> Round:
    """Return what ``latestRoundData()`` answered.

    Raises
    ------
    Divergence
        If the answer is none: there is no feed at that address.
    """
    _, price, _, updated_at_s, _ = decode_output(("uint80", "int256", "uint256", "uint256", "uint80"), answer)
    return Round(price_usd_e8=price, updated_at_s=updated_at_s)

"""Flash-loan sources: who lends, what it costs, which one to take.

Lenders hold no state; each question goes to a view of one pinned block. The desks' planners call.
"""

from tidegate.venues.flash.choose import (
    HEADROOM_BPS,
    PENALTY_USD_E6,
    PLAN_GAS,
    LenderQuote,
    LoanPrices,
    ask,
    choose,
    is_allowed,
    with_headroom,
)
from tidegate.venues.flash.lenders import (
    LOCKED_WHILE_LENDING,
    AaveV3Lender,
    BalancerV2Lender,
    Erc3156Lender,
    Lender,
    LiquidityCall,
    MorphoBlueLender,
    UniswapV3Lender,
    lenders_of,
)
from tidegate.venues.flash.trial import refusal_of

__all__ = [
    "HEADROOM_BPS",
    "LOCKED_WHILE_LENDING",
    "PENALTY_USD_E6",
    "PLAN_GAS",
    "AaveV3Lender",
    "BalancerV2Lender",
    "Erc3156Lender",
    "Lender",
    "LenderQuote",
    "LiquidityCall",
    "LoanPrices",
    "MorphoBlueLender",
    "UniswapV3Lender",
    "ask",
    "choose",
    "is_allowed",
    "lenders_of",
    "refusal_of",
    "with_headroom",
]

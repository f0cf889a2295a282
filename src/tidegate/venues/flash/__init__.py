"""Flash-loan sources: who lends, what it costs, which one to take.

Lenders hold no state; each question goes to a view of one pinned block. The desks' planners call.
"""

from tidegate.venues.flash.choose import (
    PENALTY_USD_E6,
    PLAN_GAS,
    LenderQuote,
    LoanPrices,
    ask,
    choose,
    is_allowed,
)
from tidegate.venues.flash.lenders import (
    AaveV3Lender,
    Erc3156Lender,
    Lender,
    UniswapV3Lender,
    lenders_of,
)

__all__ = [
    "PENALTY_USD_E6",
    "PLAN_GAS",
    "AaveV3Lender",
    "Erc3156Lender",
    "Lender",
    "LenderQuote",
    "LoanPrices",
    "UniswapV3Lender",
    "ask",
    "choose",
    "is_allowed",
    "lenders_of",
]

"""The public names of what the venues share."""

from __future__ import annotations

import tidegate.venues as shared
from tidegate.venues import flash


def test_the_shared_room() -> None:
    assert sorted(shared.__all__) == [
        "ActionKind",
        "ActionSpec",
        "AddressBook",
        "BESIDE",
        "EDITION",
        "Entry",
        "ExitFunctions",
        "HEALTH_AFTER_EXIT_E18",
        "HEALTH_FACTOR",
        "Input",
        "InputType",
        "Limit",
        "LimitKind",
        "NATIVE",
        "Output",
        "Probe",
        "REDUCING",
        "SHIPPED",
        "Spend",
        "StateView",
        "Token",
        "Verdict",
        "Word",
        "WordSource",
        "catalogue",
        "edition_of",
        "exit_functions",
        "glossary_of",
        "judge_operation",
        "load_book",
        "parse_action",
        "parse_probe",
        "parse_rule",
        "permissions",
        "reducing_action",
        "shipped_book",
    ]
    assert shared.__doc__


def test_flash_loan_sources() -> None:
    assert sorted(flash.__all__) == [
        "AaveV3Lender",
        "BalancerV2Lender",
        "Erc3156Lender",
        "HEADROOM_BPS",
        "LOCKED_WHILE_LENDING",
        "Lender",
        "LenderQuote",
        "LiquidityCall",
        "LoanPrices",
        "MorphoBlueLender",
        "PENALTY_USD_E6",
        "PLAN_GAS",
        "UniswapV3Lender",
        "ask",
        "choose",
        "is_allowed",
        "lenders_of",
        "refusal_of",
        "with_headroom",
    ]
    assert flash.__doc__

"""The public names of the venues that deploy themselves."""

from __future__ import annotations

from importlib import import_module

import pytest

NAMES = {
    "weth": {"deploy_weth", "wrap"},
    "tokens": {"MintableToken", "approve", "balance_of", "deploy_token", "mint", "transfer"},
    "erc3156": {"deploy_erc3156_lender", "list_token"},
    "balancer_v2": {
        *("BalancerPool", "BalancerV2", "ERROR_MEANINGS", "create_pool", "deploy_balancer_v2", "events"),
        *("join_pool", "set_flash_fee", "set_paused"),
    },
    "morpho_blue": {
        *("ERROR_MEANINGS", "MorphoBlue", "deploy_morpho_blue", "events", "supply", "withdraw"),
    },
    "chainlink": {"PriceFeed", "deploy_price_feed", "set_answer", "set_round"},
    "uniswap_v2": {
        *("PAIR_INIT_CODE_HASH", "UniswapV2", "UniswapV2Pair", "add_liquidity", "create_pair"),
        *("deploy_uniswap_v2", "pair_address", "reserves", "sorted_tokens", "swap_exact_in"),
    },
    "uniswap_v3": {
        *("POOL_INIT_CODE_HASH", "TICK_SPACINGS", "UniswapV3", "UniswapV3Pool", "add_range", "create_pool"),
        *(
            "deploy_uniswap_v3",
            "keep_observations",
            "pool_address",
            "quote_exact_in",
            "slot0",
            "sqrt_price_x96",
            "swap_exact_in",
        ),
    },
    "aave_v3": {
        *(
            "AaveV3",
            "AccountData",
            "ERROR_MEANINGS",
            "RateCurve",
            "ReserveSettings",
            "ReserveTokens",
            "account_data",
            "add_efficiency_category",
        ),
        *("borrow", "deploy_aave_v3", "liquidate", "set_flash_loans", "supply"),
    },
    "safe": {
        *("CALL", "DELEGATE_CALL", "SAFE_SINGLETON_FACTORY", "Safe", "SafeCall", "SafeContracts"),
        *("approve_and_execute", "approved_hash_signatures", "create_safe", "deploy_safe_contracts"),
        *("execute_signed", "transaction_hash"),
    },
}


@pytest.mark.parametrize("venue", sorted(NAMES))
def test_each_venue_exports_its_deployment(venue: str) -> None:
    room = import_module(f"tidegate.venues.{venue}")
    assert NAMES[venue] <= set(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)
    assert room.__doc__

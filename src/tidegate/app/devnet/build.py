"""Build a devnet in a world: the protocols, then what lives in them.

The deployer creates every contract and does nothing else, so that addresses are the same in every
world and on every chain. Everything is done with calls that anyone could make; the world only
gives out ether.
"""

from __future__ import annotations

from dataclasses import replace

from tidegate.app.devnet.accounts import ACCOUNTS, devnet_address
from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.govern import change_executor
from tidegate.app.devnet.seed import (
    FUNDED,
    fund_account,
    let_time_pass,
    seed_aave,
    seed_balancer,
    seed_loans,
    seed_pairs,
    seed_pools,
)
from tidegate.app.devnet.spec import DevnetSpec, EfficiencySpec, ReserveSpec
from tidegate.model import Address, ConfigError
from tidegate.sim import Artifacts, World
from tidegate.venues.aave_v3 import (
    AaveV3,
    RateCurve,
    ReserveSettings,
    add_efficiency_category,
    deploy_aave_v3,
)
from tidegate.venues.balancer_v2 import deploy_balancer_v2
from tidegate.venues.chainlink import PriceFeed, deploy_price_feed
from tidegate.venues.erc3156 import deploy_erc3156_lender
from tidegate.venues.executor import Change, Role, deploy_executor, deploy_guard_lens
from tidegate.venues.morpho_blue import deploy_morpho_blue
from tidegate.venues.safe import create_safe, deploy_safe_contracts
from tidegate.venues.tokens import MintableToken, deploy_token
from tidegate.venues.uniswap_v2 import deploy_uniswap_v2
from tidegate.venues.uniswap_v3 import deploy_uniswap_v3
from tidegate.venues.weth import deploy_weth

ETHER = 10**18
CONTRACTS = ("test_token", "price_feed", "erc3156_lender", "atomic_executor", "guard_lens")
"""Which of our own sources a devnet holds."""


def build_devnet(
    world: World, spec: DevnetSpec | None = None, *, artifacts: Artifacts | None = None
) -> Devnet:
    """Deploy and seed everything that ``spec`` names; the default spec if it is None.

    Parameters
    ----------
    artifacts
        The canonical contracts; loaded if not given.

    Raises
    ------
    ConfigError
        If the world has another chain id than the spec, or is not new.
    WorldReverted
        With the decoded revert, if the spec asks for what a protocol refuses.
    """
    spec = spec or DevnetSpec()
    _require_new(world, spec)
    devnet = _deploy(world, spec, artifacts or Artifacts.load())
    operator = Change.role(devnet.accounts["operator"], Role.OPERATOR)
    change_executor(world, devnet, [operator])
    for name in FUNDED:
        fund_account(world, spec, devnet, devnet.accounts[name])
    seed_loans(world, spec, devnet)
    pairs, pools = seed_pairs(world, spec, devnet), seed_pools(world, spec, devnet)
    let_time_pass(world, spec, devnet)
    seed_aave(world, spec, devnet)
    return replace(
        devnet,
        uniswap_v2_pairs=pairs,
        uniswap_v3_pools=pools,
        balancer_pools=seed_balancer(world, spec, devnet),
    )


def _deploy(world: World, spec: DevnetSpec, artifacts: Artifacts) -> Devnet:
    """Deploy every contract but the pairs and pools, which are made with their liquidity."""
    accounts = {name: devnet_address(name) for name in ACCOUNTS}
    deployer, admin = accounts["deployer"], accounts["admin"]
    for account in accounts.values():
        world.set_balance(account, 1_000_000 * ETHER)

    weth = deploy_weth(world, artifacts, deployer=deployer)
    tokens = _deploy_tokens(world, spec, weth, deployer=deployer, admin=admin)
    feeds = {
        token.pair: _deploy_feed(world, token.pair, token.price_usd_e8, deployer, admin)
        for token in spec.tokens
    }
    v2 = deploy_uniswap_v2(world, artifacts, deployer=deployer, weth=weth, admin=admin)
    v3 = deploy_uniswap_v3(world, artifacts, deployer=deployer, weth=weth, v2_factory=v2.factory)
    market = deploy_aave_v3(
        world,
        artifacts,
        deployer=deployer,
        admin=admin,
        treasury=accounts["treasury"],
        reserves=_reserve_settings(spec, spec.reserves, tokens, feeds),
        flash_premium_bps=spec.flash_premium_bps,
    )
    for category in spec.efficiency:
        _add_efficiency(world, market, category)
    safe_contracts = deploy_safe_contracts(world, artifacts, deployer=deployer)
    owners = tuple(accounts[f"owner{number}"] for number in range(1, 6))
    owner_safe = create_safe(world, safe_contracts, owners, 3, sender=admin)
    lender = deploy_erc3156_lender(world, owner=admin, deployer=deployer)
    executor = deploy_executor(
        world,
        owner=owner_safe.address,
        treasury=accounts["treasury"],
        weth=weth,
        deployer=deployer,
        guardians=(accounts["guardian"],),
    )
    return Devnet(
        chain=spec.chain,
        chain_id=spec.chain_id,
        spec_digest=spec.digest,
        accounts=accounts,
        weth=weth,
        tokens=tokens,
        feeds=feeds,
        token_feeds={token.symbol: token.pair for token in spec.tokens},
        uniswap_v2=v2,
        uniswap_v2_pairs=(),
        uniswap_v3=v3,
        uniswap_v3_pools=(),
        aave_v3=market,
        safe=safe_contracts,
        owner_safe=owner_safe,
        executor=executor,
        guard_lens=deploy_guard_lens(world, deployer=deployer),
        erc3156_lender=lender,
        morpho_blue=deploy_morpho_blue(
            world,
            artifacts,
            deployer=deployer,
            owner=admin,
            assets=[tokens[symbol].address for symbol, _ in spec.morpho_idle],
        ),
        balancer_v2=deploy_balancer_v2(world, artifacts, deployer=deployer, weth=weth, admin=admin),
        balancer_pools=(),
        # Last, so that what stood before it stands where it stood.
        aave_v3_prime=deploy_aave_v3(
            world,
            artifacts,
            deployer=deployer,
            admin=admin,
            treasury=accounts["treasury"],
            reserves=_reserve_settings(spec, spec.prime_reserves, tokens, feeds),
            flash_premium_bps=spec.flash_premium_bps,
        ),
    )


def _require_new(world: World, spec: DevnetSpec) -> None:
    if world.chain_id != spec.chain_id:
        raise ConfigError(
            "the world is another chain than the devnet's spec",
            code="chain_id",
            found=str(world.chain_id),
            allowed=str(spec.chain_id),
        )
    if nonce := world.nonce(devnet_address("deployer")):
        raise ConfigError(
            "the world holds a devnet already",
            code="devnet",
            found=f"nonce {nonce} of the deployer",
            allowed="0: a new world",
            fix="start a new world, or load the one that was built",
        )


def _deploy_tokens(
    world: World, spec: DevnetSpec, weth: Address, *, deployer: Address, admin: Address
) -> dict[str, MintableToken]:
    tokens = {}
    for token in spec.tokens:
        if token.symbol == "WETH":
            tokens["WETH"] = MintableToken(weth, "WETH", 18, weth)
            continue
        tokens[token.symbol] = deploy_token(
            world,
            name=token.name,
            symbol=token.symbol,
            decimals=token.decimals,
            owner=admin,
            deployer=deployer,
        )
    return tokens


def _deploy_feed(world: World, pair: str, price_usd_e8: int, deployer: Address, admin: Address) -> PriceFeed:
    description = pair.replace("/", " / ")
    return deploy_price_feed(
        world, description=description, first_answer=price_usd_e8, owner=admin, deployer=deployer
    )


def _reserve_settings(
    spec: DevnetSpec,
    reserves: tuple[ReserveSpec, ...],
    tokens: dict[str, MintableToken],
    feeds: dict[str, PriceFeed],
) -> tuple[ReserveSettings, ...]:
    return tuple(
        ReserveSettings(
            asset=tokens[item.token].address,
            symbol=item.token,
            decimals=tokens[item.token].decimals,
            price_feed=feeds[spec.token(item.token).pair].address,
            curve=RateCurve(item.optimal_usage_bps, 0, item.slope1_bps, item.slope2_bps),
            ltv_bps=item.ltv_bps,
            liquidation_threshold_bps=item.liquidation_threshold_bps,
            liquidation_bonus_bps=item.liquidation_bonus_bps,
            reserve_factor_bps=item.reserve_factor_bps,
        )
        for item in reserves
    )


def _add_efficiency(world: World, market: AaveV3, category: EfficiencySpec) -> None:
    add_efficiency_category(
        world,
        market.configurator,
        number=category.number,
        label=category.label,
        assets=tuple(market.reserve(symbol).asset for symbol in category.tokens if market.lists(symbol)),
        ltv_bps=category.ltv_bps,
        liquidation_threshold_bps=category.liquidation_threshold_bps,
        liquidation_bonus_bps=category.liquidation_bonus_bps,
        admin=market.admin,
    )

"""Put an Aave v3 market into a world: libraries, provider, pool, oracle, reserves.

The order is the protocol's own: the provider makes the proxies, the pool needs an ACL manager, the
configurator needs the pool, and a reserve needs all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import Artifacts, World
from tidegate.venues.aave_v3.reserves import ReserveSettings, configure_reserve
from tidegate.venues.calls import create, read, send

_INIT_RESERVES = (
    "initReserves((address,address,address,uint8,address,address,address,address,"
    "string,string,string,string,string,string,bytes)[])"
)


@dataclass(frozen=True, slots=True)
class ReserveTokens:
    """The tokens that stand for what is supplied to and borrowed from a reserve."""

    asset: Address
    symbol: str
    a_token: Address
    variable_debt_token: Address
    rate_strategy: Address


@dataclass(frozen=True, slots=True)
class AaveV3:
    """A market: where its contracts are. ``admin`` holds every role of its ACL manager."""

    provider: Address
    acl_manager: Address
    pool: Address
    configurator: Address
    oracle: Address
    data_provider: Address
    reserves: tuple[ReserveTokens, ...]
    admin: Address

    def lists(self, symbol: str) -> bool:
        """Say whether a token has a reserve here."""
        return any(reserve.symbol == symbol for reserve in self.reserves)

    def reserve(self, symbol: str) -> ReserveTokens:
        """Return the reserve of a token, by its symbol. Raises ``KeyError`` if there is none."""
        for reserve in self.reserves:
            if reserve.symbol == symbol:
                return reserve
        raise KeyError(symbol)


def deploy_aave_v3(
    world: World,
    artifacts: Artifacts,
    *,
    deployer: Address,
    admin: Address,
    treasury: Address,
    reserves: tuple[ReserveSettings, ...],
    flash_premium_bps: int = 5,
) -> AaveV3:
    """Deploy a market with ``reserves``, priced by their feeds, flash loans at ``flash_premium_bps``.

    Parameters
    ----------
    admin
        Owner of the provider and holder of the roles pool, risk, asset-listing and emergency admin.
    treasury
        Receives the reserve factors.
    """
    provider = create(world, artifacts["PoolAddressesProvider"], "Tidegate devnet", admin, sender=deployer)

    def settle(signature: str, value: Address) -> None:
        send(world, provider, signature, value, sender=admin)

    settle("setACLAdmin(address)", admin)
    acl_manager = create(world, artifacts["ACLManager"], provider, sender=deployer)
    settle("setACLManager(address)", acl_manager)
    for role in ("addPoolAdmin", "addRiskAdmin", "addAssetListingAdmin", "addEmergencyAdmin"):
        send(world, acl_manager, f"{role}(address)", admin, sender=admin)

    pool, configurator = _create_pool(world, artifacts, provider, deployer=deployer, admin=admin)
    oracle = create(
        world,
        artifacts["AaveOracle"],
        provider,
        [item.asset for item in reserves],
        [item.price_feed for item in reserves],
        ZERO_ADDRESS,
        ZERO_ADDRESS,
        10**8,
        sender=deployer,
    )
    settle("setPriceOracle(address)", oracle)
    data_provider = create(world, artifacts["AaveProtocolDataProvider"], provider, sender=deployer)
    settle("setPoolDataProvider(address)", data_provider)
    send(world, configurator, "updateFlashloanPremiumTotal(uint128)", flash_premium_bps, sender=admin)
    strategies = _list_reserves(
        world, artifacts, provider, pool, configurator, reserves, treasury, deployer=deployer, admin=admin
    )
    for item in reserves:
        configure_reserve(world, configurator, item, admin=admin)
    tokens = tuple(
        _reserve_tokens(world, data_provider, item, strategy)
        for item, strategy in zip(reserves, strategies, strict=True)
    )
    return AaveV3(provider, acl_manager, pool, configurator, oracle, data_provider, tokens, admin)


def _create_pool(
    world: World, artifacts: Artifacts, provider: Address, *, deployer: Address, admin: Address
) -> tuple[Address, Address]:
    libraries: dict[str, Address] = {}
    for name in (
        *("BorrowLogic", "BridgeLogic", "ConfiguratorLogic", "EModeLogic", "FlashLoanLogic"),
        *("LiquidationLogic", "PoolLogic", "SupplyLogic"),
    ):
        libraries[name] = create(world, artifacts[name], sender=deployer, libraries=libraries)
    pool_code = create(world, artifacts["Pool"], provider, sender=deployer, libraries=libraries)
    send(world, provider, "setPoolImpl(address)", pool_code, sender=admin)
    configurator_code = create(world, artifacts["PoolConfigurator"], sender=deployer, libraries=libraries)
    send(world, provider, "setPoolConfiguratorImpl(address)", configurator_code, sender=admin)
    return (
        read(world, provider, "getPool()(address)"),
        read(world, provider, "getPoolConfigurator()(address)"),
    )


def _list_reserves(
    world: World,
    artifacts: Artifacts,
    provider: Address,
    pool: Address,
    configurator: Address,
    reserves: tuple[ReserveSettings, ...],
    treasury: Address,
    *,
    deployer: Address,
    admin: Address,
) -> list[Address]:
    a_token = create(world, artifacts["AToken"], pool, sender=deployer)
    stable_debt = create(world, artifacts["StableDebtToken"], pool, sender=deployer)
    variable_debt = create(world, artifacts["VariableDebtToken"], pool, sender=deployer)
    strategies, inputs = [], []
    for item in reserves:
        strategy = create(
            world,
            artifacts["DefaultReserveInterestRateStrategy"],
            provider,
            *item.curve.constructor_arguments(),
            sender=deployer,
        )
        strategies.append(strategy)
        addresses = (strategy, item.asset, treasury, ZERO_ADDRESS)
        names = (
            *(f"Aave {item.symbol}", f"a{item.symbol}"),
            *(f"Aave variable debt {item.symbol}", f"variableDebt{item.symbol}"),
            *(f"Aave stable debt {item.symbol}", f"stableDebt{item.symbol}"),
        )
        inputs.append((a_token, stable_debt, variable_debt, item.decimals, *addresses, *names, b""))
    send(world, configurator, _INIT_RESERVES, inputs, sender=admin)
    return strategies


def _reserve_tokens(
    world: World, data_provider: Address, item: ReserveSettings, strategy: Address
) -> ReserveTokens:
    signature = "getReserveTokensAddresses(address)(address,address,address)"
    a_token, _, variable_debt = read(world, data_provider, signature, item.asset)
    return ReserveTokens(item.asset, item.symbol, a_token, variable_debt, strategy)

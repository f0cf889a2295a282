"""What a reserve of Aave v3 is set to, and how that is written into the configurator."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model import ZERO_ADDRESS, Address
from tidegate.sim import World
from tidegate.venues.calls import send

RAY = 10**27


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Interest over utilisation, in basis points: two slopes that meet at ``optimal_usage_bps``.

    Formula: ``DefaultReserveInterestRateStrategy``; below the optimum the variable rate is
    base + slope1 · usage / optimal, above it base + slope1 + slope2 · (usage − optimal) / (1 − optimal).
    """

    optimal_usage_bps: int
    base_bps: int
    slope1_bps: int
    slope2_bps: int

    def constructor_arguments(self) -> tuple[int, ...]:
        """Return the strategy's nine numbers in rays. Nobody may borrow at a stable rate here."""
        variable = (self.optimal_usage_bps, self.base_bps, self.slope1_bps, self.slope2_bps)
        stable = (self.slope1_bps, self.slope2_bps, 100, 800, 2000)
        return tuple(bps * RAY // 10_000 for bps in variable + stable)


@dataclass(frozen=True, slots=True)
class ReserveSettings:
    """A token of the market and its risk parameters.

    Attributes
    ----------
    price_feed
        Where the oracle reads its price in USD with 8 decimals.
    ltv_bps, liquidation_threshold_bps
        How much may be borrowed against it, and from where on a position may be liquidated.
    liquidation_bonus_bps
        What a liquidator receives for each 10,000 paid: 10,500 is a bonus of 5 %.
    supply_cap, borrow_cap
        In whole tokens; 0 means no cap.
    """

    asset: Address
    symbol: str
    decimals: int
    price_feed: Address
    curve: RateCurve
    ltv_bps: int
    liquidation_threshold_bps: int
    liquidation_bonus_bps: int
    reserve_factor_bps: int = 1000
    liquidation_protocol_fee_bps: int = 1000
    supply_cap: int = 0
    borrow_cap: int = 0
    is_borrowable: bool = True
    is_flash_loanable: bool = True


def configure_reserve(
    world: World, configurator: Address, settings: ReserveSettings, *, admin: Address
) -> None:
    """Write all settings but the tokens and the curve, which ``initReserves`` took."""
    asset = settings.asset

    def set_(signature: str, *values: int | bool) -> None:
        send(world, configurator, signature, asset, *values, sender=admin)

    set_(
        "configureReserveAsCollateral(address,uint256,uint256,uint256)",
        settings.ltv_bps,
        settings.liquidation_threshold_bps,
        settings.liquidation_bonus_bps,
    )
    set_("setReserveFactor(address,uint256)", settings.reserve_factor_bps)
    set_("setLiquidationProtocolFee(address,uint256)", settings.liquidation_protocol_fee_bps)
    set_("setSupplyCap(address,uint256)", settings.supply_cap)
    set_("setReserveBorrowing(address,bool)", settings.is_borrowable)
    set_("setBorrowCap(address,uint256)", settings.borrow_cap)
    set_("setReserveFlashLoaning(address,bool)", settings.is_flash_loanable)


def add_efficiency_category(
    world: World,
    configurator: Address,
    *,
    number: int,
    label: str,
    assets: tuple[Address, ...],
    ltv_bps: int,
    liquidation_threshold_bps: int,
    liquidation_bonus_bps: int,
    admin: Address,
) -> None:
    """Make an efficiency category (e-mode) of ``assets``; whoever enters it borrows only these."""
    send(
        world,
        configurator,
        "setEModeCategory(uint8,uint16,uint16,uint16,address,string)",
        *(number, ltv_bps, liquidation_threshold_bps, liquidation_bonus_bps, ZERO_ADDRESS, label),
        sender=admin,
    )
    for asset in assets:
        send(world, configurator, "setAssetEModeCategory(address,uint8)", asset, number, sender=admin)


def set_flash_loans(
    world: World, configurator: Address, asset: Address, *, enabled: bool, admin: Address
) -> None:
    """Open or close flash loans of one reserve."""
    send(world, configurator, "setReserveFlashLoaning(address,bool)", asset, enabled, sender=admin)

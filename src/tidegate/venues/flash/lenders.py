"""Who lends for the length of a call: how much there is, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tidegate.chain import address, decode_output, encode_call
from tidegate.model import BPS, Address, mul_div_up
from tidegate.venues.book import AddressBook, Entry
from tidegate.venues.executor import FlashKind
from tidegate.venues.view import StateView

FEE_MILLIONTHS = 1_000_000

_ACTIVE, _PAUSED, _FLASH_LOANS = 1 << 56, 1 << 60, 1 << 63
"""Bits of an Aave v3 reserve's configuration word (``ReserveConfiguration``)."""


class Lender(Protocol):
    """A source of flash loans. Amounts and fees in base units of the asset."""

    @property
    def name(self) -> str:
        """Return its name in the address book."""
        ...

    @property
    def kind(self) -> FlashKind:
        """Return the interface that the executor speaks with it."""
        ...

    @property
    def address(self) -> Address:
        """Return the contract that is called, and calls back."""
        ...

    def side(self, asset: Address) -> int:
        """Return 1 if ``asset`` is token1 of a Uniswap v3 pool, else 0."""
        ...

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return the largest loan there is; 0 if it does not lend ``asset``, or not now."""
        ...

    def fee(self, asset: Address, amount: int, view: StateView) -> int:
        """Return the most that a loan of ``amount`` costs, rounded up."""
        ...


@dataclass(frozen=True, slots=True)
class AaveV3Lender:
    """An Aave v3 pool (``flashLoanSimple``).

    Version 3.0 rounds its premium half up, later ones up: what is told here is never too little.
    """

    name: str
    address: Address
    kind: FlashKind = FlashKind.AAVE_V3

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: a pool of many assets has no sides."""
        return 0

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return what lies in the reserve, 0 unless it is active, unpaused and lends for a call."""
        reserve = view.call(self.address, encode_call("getReserveData(address)", asset))
        (configuration,) = decode_output(("uint256",), reserve[:32])
        if configuration & (_ACTIVE | _PAUSED | _FLASH_LOANS) != _ACTIVE | _FLASH_LOANS:
            return 0
        return _balance(asset, address(reserve[8 * 32 : 9 * 32]), view)

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return ⌈amount·premium/10⁴⌉ at the premium of this block: 12,345,678,901 at 5 bps is 6,172,840."""
        premium = view.call(self.address, encode_call("FLASHLOAN_PREMIUM_TOTAL()"))
        (premium_bps,) = decode_output(("uint128",), premium)
        return mul_div_up(amount, premium_bps, BPS)


@dataclass(frozen=True, slots=True)
class UniswapV3Lender:
    """One Uniswap v3 pool (``flash``); ``fee_millionths`` is the pool's own swap fee."""

    name: str
    address: Address
    token0: Address
    token1: Address
    fee_millionths: int
    kind: FlashKind = FlashKind.UNISWAP_V3

    def side(self, asset: Address) -> int:
        """Return 1 for token1."""
        return int(asset == self.token1)

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return the pool's balance of ``asset``."""
        return _balance(asset, self.address, view) if asset in (self.token0, self.token1) else 0

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return ⌈amount·fee/10⁶⌉: 12,345,678,901 at 100 millionths is 1,234,568."""
        return mul_div_up(amount, self.fee_millionths, FEE_MILLIONTHS)


@dataclass(frozen=True, slots=True)
class Erc3156Lender:
    """Any lender of the ERC-3156 interface (``flashLoan``, ``flashFee``, ``maxFlashLoan``)."""

    name: str
    address: Address
    kind: FlashKind = FlashKind.ERC3156

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: there are no sides."""
        return 0

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return what the lender itself says."""
        answer = view.call(self.address, encode_call("maxFlashLoan(address)", asset))
        (amount,) = decode_output(("uint256",), answer)
        return int(amount)

    def fee(self, asset: Address, amount: int, view: StateView) -> int:
        """Return what the lender itself says."""
        answer = view.call(self.address, encode_call("flashFee(address,uint256)", asset, amount))
        (fee,) = decode_output(("uint256",), answer)
        return int(fee)


def lenders_of(book: AddressBook) -> tuple[Lender, ...]:
    """Return every lender of the address book, by name.

    They are: ``aave_v3.pool``; contracts of protocol ``uniswap_v3`` that say ``token0``, ``token1``
    and ``fee`` about themselves; contracts of protocol ``erc3156``.
    """
    entries = [book.contracts[name] for name in sorted(book.contracts)]
    return tuple(lender for entry in entries for lender in _lender(entry))


def _lender(entry: Entry) -> Iterable[Lender]:
    if entry.name == "aave_v3.pool":
        yield AaveV3Lender(entry.name, entry.address)
    elif entry.protocol == "uniswap_v3" and {"token0", "token1", "fee"} <= entry.about.keys():
        about = entry.about
        yield UniswapV3Lender(
            entry.name, entry.address, address(about["token0"]), address(about["token1"]), int(about["fee"])
        )
    elif entry.protocol == "erc3156":
        yield Erc3156Lender(entry.name, entry.address)


def _balance(asset: Address, holder: Address, view: StateView) -> int:
    (balance,) = decode_output(("uint256",), view.call(asset, encode_call("balanceOf(address)", holder)))
    return int(balance)

"""Who lends for the length of a call: how much there is, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tidegate.chain import address, decode_output, encode_call
from tidegate.model import BPS, Address, mul_div_up
from tidegate.venues.book import AddressBook, Entry
from tidegate.venues.executor import FlashKind
from tidegate.venues.view import StateView

FEE_MILLIONTHS = 1_000_000
FEE_E18 = 10**18

LOCKED_WHILE_LENDING = frozenset({FlashKind.UNISWAP_V3, FlashKind.BALANCER_V2})
"""Kinds whose contract has a lock of its own: until it is repaid it lends nothing more, to nobody."""

_ACTIVE, _PAUSED, _FLASH_LOANS = 1 << 56, 1 << 60, 1 << 63
"""Bits of an Aave v3 reserve's configuration word (``ReserveConfiguration``)."""

LiquidityCall: TypeAlias = tuple[Address, bytes]
"""A call, target and data, whose first word is what there is to lend."""


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

    @property
    def code_hash(self) -> str:
        """Return the keccak of its code as the address book knows it, in hex; empty if it does not."""
        ...

    def side(self, asset: Address) -> int:
        """Return 1 if ``asset`` is token1 of a Uniswap v3 pool, else 0."""
        ...

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:
        """Return the call that answers how much there is, while the lender is open."""
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
    code_hash: str = ""
    kind: FlashKind = FlashKind.AAVE_V3

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: a pool of many assets has no sides."""
        return 0

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:
        """Return the balance of the reserve's aToken: what is supplied lies there."""
        return _balance_call(asset, address(self._reserve(asset, view)[8 * 32 : 9 * 32]))

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return what lies in the reserve, 0 unless it is active, unpaused and lends for a call."""
        reserve = self._reserve(asset, view)
        (configuration,) = decode_output(("uint256",), reserve[:32])
        if configuration & (_ACTIVE | _PAUSED | _FLASH_LOANS) != _ACTIVE | _FLASH_LOANS:
            return 0
        return _word(view, _balance_call(asset, address(reserve[8 * 32 : 9 * 32])))

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return ⌈amount·premium/10⁴⌉ at the premium of this block: 12,345,678,901 at 5 bps is 6,172,840."""
        premium = view.call(self.address, encode_call("FLASHLOAN_PREMIUM_TOTAL()"))
        (premium_bps,) = decode_output(("uint128",), premium)
        return mul_div_up(amount, premium_bps, BPS)

    def _reserve(self, asset: Address, view: StateView) -> bytes:
        return view.call(self.address, encode_call("getReserveData(address)", asset))


@dataclass(frozen=True, slots=True)
class UniswapV3Lender:
    """One Uniswap v3 pool (``flash``); ``fee_millionths`` is the pool's own swap fee."""

    name: str
    address: Address
    token0: Address
    token1: Address
    fee_millionths: int
    code_hash: str = ""
    kind: FlashKind = FlashKind.UNISWAP_V3

    def side(self, asset: Address) -> int:
        """Return 1 for token1."""
        return int(asset == self.token1)

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:  # noqa: ARG002 - the interface
        """Return the pool's balance."""
        return _balance_call(asset, self.address)

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return the pool's balance; 0 of what it does not trade, and without liquidity at its price."""
        if asset not in (self.token0, self.token1):
            return 0
        in_range = _word(view, (self.address, encode_call("liquidity()")))
        return _word(view, self.liquidity_call(asset, view)) if in_range else 0

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return ⌈amount·fee/10⁶⌉: 12,345,678,901 at 100 millionths is 1,234,568."""
        return mul_div_up(amount, self.fee_millionths, FEE_MILLIONTHS)


@dataclass(frozen=True, slots=True)
class Erc3156Lender:
    """Any lender of the ERC-3156 interface (``flashLoan``, ``flashFee``, ``maxFlashLoan``)."""

    name: str
    address: Address
    code_hash: str = ""
    kind: FlashKind = FlashKind.ERC3156

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: there are no sides."""
        return 0

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:  # noqa: ARG002 - the interface
        """Return the standard's own question."""
        return self.address, encode_call("maxFlashLoan(address)", asset)

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return what the lender itself says."""
        return _word(view, self.liquidity_call(asset, view))

    def fee(self, asset: Address, amount: int, view: StateView) -> int:
        """Return what the lender itself says."""
        return _word(view, (self.address, encode_call("flashFee(address,uint256)", asset, amount)))


@dataclass(frozen=True, slots=True)
class MorphoBlueLender:
    """Morpho Blue (``flashLoan``): lends all that it holds, of every market together, for nothing."""

    name: str
    address: Address
    code_hash: str = ""
    kind: FlashKind = FlashKind.MORPHO_BLUE

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: there are no sides."""
        return 0

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:  # noqa: ARG002 - the interface
        """Return its balance."""
        return _balance_call(asset, self.address)

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return its balance."""
        return _word(view, self.liquidity_call(asset, view))

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return 0: its code takes back what it lent, and knows no fee."""
        return 0


@dataclass(frozen=True, slots=True)
class BalancerV2Lender:
    """The Balancer v2 vault (``flashLoan``): lends what lies in all pools, for a fee that is read live."""

    name: str
    address: Address
    code_hash: str = ""
    kind: FlashKind = FlashKind.BALANCER_V2

    def side(self, asset: Address) -> int:  # noqa: ARG002 - the interface
        """Return 0: there are no sides."""
        return 0

    def liquidity_call(self, asset: Address, view: StateView) -> LiquidityCall:  # noqa: ARG002 - the interface
        """Return the vault's balance."""
        return _balance_call(asset, self.address)

    def liquidity(self, asset: Address, view: StateView) -> int:
        """Return the vault's balance, 0 while it is paused."""
        is_paused = _word(view, (self.address, encode_call("getPausedState()")))
        return 0 if is_paused else _word(view, self.liquidity_call(asset, view))

    def fee(self, asset: Address, amount: int, view: StateView) -> int:  # noqa: ARG002 - the interface
        """Return ⌈amount·fee/10¹⁸⌉ at the fee that the vault's collector takes in this block."""
        collector = address(_word(view, (self.address, encode_call("getProtocolFeesCollector()"))))
        fee_e18 = _word(view, (collector, encode_call("getFlashLoanFeePercentage()")))
        return mul_div_up(amount, fee_e18, FEE_E18)


def lenders_of(book: AddressBook) -> tuple[Lender, ...]:
    """Return every lender of the address book, by name.

    They are: ``aave_v3.pool``, ``morpho_blue.morpho`` and ``balancer_v2.vault``; contracts of protocol
    ``uniswap_v3`` that say ``token0``, ``token1`` and ``fee`` about themselves; those of ``erc3156``.
    """
    entries = [book.contracts[name] for name in sorted(book.contracts)]
    return tuple(lender for entry in entries for lender in _lender(entry))


def _lender(entry: Entry) -> Iterable[Lender]:
    known = (entry.name, entry.address)
    if entry.name == "aave_v3.pool":
        yield AaveV3Lender(*known, entry.code_hash)
    elif entry.name == "morpho_blue.morpho":
        yield MorphoBlueLender(*known, entry.code_hash)
    elif entry.name == "balancer_v2.vault":
        yield BalancerV2Lender(*known, entry.code_hash)
    elif entry.protocol == "uniswap_v3" and {"token0", "token1", "fee"} <= entry.about.keys():
        tokens = address(entry.about["token0"]), address(entry.about["token1"])
        yield UniswapV3Lender(*known, *tokens, int(entry.about["fee"]), entry.code_hash)
    elif entry.protocol == "erc3156":
        yield Erc3156Lender(*known, entry.code_hash)


def _balance_call(asset: Address, holder: Address) -> LiquidityCall:
    return asset, encode_call("balanceOf(address)", holder)


def _word(view: StateView, call: LiquidityCall) -> int:
    """Return the first word of the answer.

    Raises
    ------
    TidegateError
        If the call reverts or answers less than a word.
    """
    (word,) = decode_output(("uint256",), view.call(*call)[:32])
    return int(word)

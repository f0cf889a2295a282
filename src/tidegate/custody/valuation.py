"""What plain content moves, by the capability's own prices: coin, ERC-20 calls, ERC-2612 permits.

Only the exact form that the standard gives is valued: a word with dirty high bits, or one byte more,
is content of unknown meaning. All dollars are rounded up.
"""

from __future__ import annotations

from tidegate.chain import selector
from tidegate.custody.content import Content, Judgement, Prices, TypedContent
from tidegate.model import ZERO_ADDRESS, Address, Denied, Reason, UnsignedTransaction
from tidegate.venues.executor import FORBIDDEN_CALLS

TRANSFER = selector("transfer(address,uint256)")
TRANSFER_FROM = selector("transferFrom(address,address,uint256)")
APPROVE = selector("approve(address,uint256)")
_GIVING = (
    "increaseAllowance(address,uint256)",
    "increaseApproval(address,uint256)",
    "transferAndCall(address,uint256)",
    "transferAndCall(address,uint256,bytes)",
    "transferFromAndCall(address,address,uint256)",
    "approveAndCall(address,uint256)",
    "approveAndCall(address,uint256,bytes)",
    "send(address,uint256,bytes)",
    "authorizeOperator(address)",
    "approveDelegation(address,uint256)",
    "setAuthorization(address,bool)",
    "transferOwnership(address)",
)
MOVES = frozenset({TRANSFER, TRANSFER_FROM, APPROVE, *FORBIDDEN_CALLS, *map(selector, _GIVING)})
"""Functions that give away tokens, or power over them: under an exit capability they are no exits."""

_ADDRESS_WORDS = {TRANSFER: 1, TRANSFER_FROM: 2, APPROVE: 1}
_WORD = 32
_PERMIT = (
    ("owner", "address"),
    ("spender", "address"),
    ("value", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)


def gas_usd_e6(transaction: UnsignedTransaction, prices: Prices) -> int:
    """Return gas limit times max fee in millionths of a dollar, rounded up: the most that gas costs.

    Raises
    ------
    Denied
        ``unvalued`` if the chain's own coin has no price.
    """
    return _usd_e6(prices, ZERO_ADDRESS, transaction.gas_limit * transaction.max_fee_wei)


def value_content(content: Content, prices: Prices) -> Judgement:
    """Return what ``content`` moves and may lose.

    A judgement with ``unvalued`` values what can be (coin and gas); the rest nobody knows.

    Raises
    ------
    Denied
        ``unvalued`` if coin moves, or gas is paid, that has no price.
    """
    if isinstance(content, TypedContent):
        return _value_typed(content, prices)
    coin = _usd_e6(prices, ZERO_ADDRESS, content.value_wei)
    gas = gas_usd_e6(content, prices)
    if content.to is None:
        return Judgement(coin, coin + gas, unvalued=":0x")
    if not content.data:
        return Judgement(coin, coin + gas)
    tokens = _erc20_amount(content)
    if tokens is None or content.to not in prices:
        return Judgement(coin, coin + gas, unvalued=f"{content.to}:0x{content.data[:4].hex()}")
    moved = coin + _usd_e6(prices, content.to, tokens)
    return Judgement(moved, moved + gas)


def is_permit(content: TypedContent) -> bool:
    """Say whether typed data is a permit by ERC-2612: an approval that anyone may hand in."""
    return content.primary_type == "Permit" and content.fields == _PERMIT


def permit_ends_s(content: TypedContent) -> int | None:
    """Return the deadline of a permit in Unix seconds, None if it is none that we can read."""
    return _integer(content.message.get("deadline"))


def _value_typed(content: TypedContent, prices: Prices) -> Judgement:
    token = content.verifying_contract
    amount = _integer(content.message.get("value"))
    if is_permit(content) and token in prices and token is not None and amount is not None:
        moved = _usd_e6(prices, token, amount)
        return Judgement(moved, moved)
    return Judgement(0, 0, unvalued=f"{token or ''}:{content.primary_type}")


def _erc20_amount(transaction: UnsignedTransaction) -> int | None:
    """Return the base units that a strictly encoded ERC-20 call moves or allows, None for others."""
    addresses = _ADDRESS_WORDS.get(transaction.data[:4])
    if addresses is None:
        return None
    words = transaction.data[4:]
    if len(words) != _WORD * (addresses + 1):
        return None
    if any(any(words[_WORD * place : _WORD * place + 12]) for place in range(addresses)):
        return None
    return int.from_bytes(words[-_WORD:])


def _integer(value: object) -> int | None:
    """Return an amount of typed data as it is hashed: a JSON integer, or its plain decimal digits."""
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return None


def _usd_e6(prices: Prices, token: Address, amount: int) -> int:
    if not amount:
        return 0
    if token not in prices:
        raise Denied(
            Reason.UNVALUED,
            "the capability has no price for what this moves",
            found="the chain's own coin" if token == ZERO_ADDRESS else token,
            allowed=", ".join(sorted(prices)) or "none",
            fix="ask for a capability with a price for it",
        )
    return prices[token].usd_e6(amount)

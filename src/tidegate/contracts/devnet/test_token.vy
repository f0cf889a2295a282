# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
# pragma nonreentrancy off
"""
@title test_token
@license Apache-2.0
@notice A strict ERC-20 for devnets: it returns true or reverts, and its owner mints.
@dev No permit, no hooks, no fee. Balances can not overflow: their sum is `totalSupply`, a checked sum.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

implements: IERC20
implements: IERC20Detailed

name: public(immutable(String[32]))
symbol: public(immutable(String[16]))
decimals: public(immutable(uint8))

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
totalSupply: public(uint256)
owner: public(address)


@deploy
def __init__(token_name: String[32], token_symbol: String[16], token_decimals: uint8, token_owner: address):
    """
    @notice Name the token and the one who mints it.
    @param token_name Name for people, at most 32 bytes.
    @param token_symbol Symbol for people, at most 16 bytes.
    @param token_decimals How many decimals people see, at most 36.
    @param token_owner The one who mints; not zero.
    """
    assert token_decimals <= 36, "test_token: decimals"
    assert token_owner != empty(address), "test_token: owner"
    name = token_name
    symbol = token_symbol
    decimals = token_decimals
    self.owner = token_owner


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Move `amount` from the caller to `to`.
    @param to The receiver; not zero.
    @param amount Base units, zero allowed.
    @return Always true; a transfer that fails reverts.
    """
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(holder: address, to: address, amount: uint256) -> bool:
    """
    @notice Move `amount` from `holder` to `to` out of the caller's allowance.
    @dev The largest allowance never shrinks.
    @param holder Whose tokens move.
    @param to The receiver; not zero.
    @param amount Base units, zero allowed.
    @return Always true; a transfer that fails reverts.
    """
    allowed: uint256 = self.allowance[holder][msg.sender]
    if allowed != max_value(uint256):
        assert allowed >= amount, "test_token: allowance"
        # allowed >= amount was asserted
        allowed = unsafe_sub(allowed, amount)
        self.allowance[holder][msg.sender] = allowed
        log IERC20.Approval(owner=holder, spender=msg.sender, value=allowed)
    self._move(holder, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let `spender` move up to `amount` of the caller's tokens.
    @param spender Who may spend.
    @param amount Base units; replaces what was allowed before.
    @return Always true.
    """
    self.allowance[msg.sender][spender] = amount
    log IERC20.Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def mint(to: address, amount: uint256):
    """
    @notice Create `amount` for `to`. Only the owner.
    @param to The receiver; not zero.
    @param amount Base units.
    """
    assert msg.sender == self.owner, "test_token: not the owner"
    assert to != empty(address), "test_token: receiver"
    self.totalSupply += amount
    # a balance is at most totalSupply, whose sum was checked
    self.balanceOf[to] = unsafe_add(self.balanceOf[to], amount)
    log IERC20.Transfer(sender=empty(address), receiver=to, value=amount)


@internal
def _move(holder: address, to: address, amount: uint256):
    assert to != empty(address), "test_token: receiver"
    held: uint256 = self.balanceOf[holder]
    assert held >= amount, "test_token: balance"
    # held >= amount was asserted
    self.balanceOf[holder] = unsafe_sub(held, amount)
    # the sum of all balances is totalSupply, which fits
    self.balanceOf[to] = unsafe_add(self.balanceOf[to], amount)
    log IERC20.Transfer(sender=holder, receiver=to, value=amount)

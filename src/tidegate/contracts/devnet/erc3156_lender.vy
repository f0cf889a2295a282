#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
#pragma nonreentrancy off
"""
@title ERC-3156 lender
@license Apache-2.0
@author Tidegate contributors
@notice A double for devnet and tests: lends its own balances by ERC-3156, for a fee that its owner sets.
@dev A double, because no package ships a lender of this standard that stands alone. It keeps to the standard word
     by word: `maxFlashLoan` is 0 and `flashFee` reverts for a token that is not lent; the tokens are sent before
     the callback; the callback must answer the standard's hash; amount and fee are then pulled by `transferFrom`.
     The fee rounds up, in the lender's favour. It holds no other value than what it was given to lend.
"""


interface Token:
    def balanceOf(account: address) -> uint256: view
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable


interface Borrower:
    def onFlashLoan(
        initiator: address, token: address, amount: uint256, fee: uint256, data: Bytes[DATA]
    ) -> bytes32: nonpayable


DATA: constant(uint256) = 4096
BASIS_POINTS: constant(uint256) = 10**4
CALLBACK_SUCCESS: constant(bytes32) = keccak256("ERC3156FlashBorrower.onFlashLoan")


owner: public(immutable(address))


is_lent: public(HashMap[address, bool])
fee_bps: public(HashMap[address, uint256])


event Listed:
    token: indexed(address)
    fee_bps: uint256


event FlashLoan:
    receiver: indexed(address)
    initiator: indexed(address)
    token: indexed(address)
    amount: uint256
    fee: uint256


@deploy
def __init__(lender_owner: address):
    """
    @notice A lender that lends nothing yet.
    @param lender_owner Who lists tokens and sets fees.
    """
    assert lender_owner != empty(address), "erc3156_lender: owner"
    owner = lender_owner


@external
def list_token(token: address, token_fee_bps: uint256):
    """
    @notice Lends a token, or changes its fee; owner only.
    @param token What to lend.
    @param token_fee_bps The fee in 1/10,000 of the amount, at most all of it.
    """
    assert msg.sender == owner, "erc3156_lender: not the owner"
    assert token_fee_bps <= BASIS_POINTS, "erc3156_lender: fee"
    self.is_lent[token] = True
    self.fee_bps[token] = token_fee_bps
    log Listed(token=token, fee_bps=token_fee_bps)


@external
@view
def maxFlashLoan(token: address) -> uint256:
    """
    @notice How much can be borrowed now.
    @param token What to borrow.
    @return The lender's balance, or 0 for a token that is not lent.
    """
    if not self.is_lent[token]:
        return 0
    return staticcall Token(token).balanceOf(self)


@external
@view
def flashFee(token: address, amount: uint256) -> uint256:
    """
    @notice The fee of a loan; reverts for a token that is not lent.
    @param token What to borrow.
    @param amount How much.
    @return The fee in the same token, rounded up.
    """
    return self._fee(token, amount)


@external
def flashLoan(receiver: address, token: address, amount: uint256, data: Bytes[DATA]) -> bool:
    """
    @notice Lends within one call.
    @param receiver Who gets the tokens and the callback, and pays.
    @param token What to lend.
    @param amount How much.
    @param data Handed to the callback unchanged.
    @return True.
    """
    fee: uint256 = self._fee(token, amount)
    assert extcall Token(token).transfer(receiver, amount, default_return_value=True), "erc3156_lender: transfer"
    answer: bytes32 = extcall Borrower(receiver).onFlashLoan(msg.sender, token, amount, fee, data)
    assert answer == CALLBACK_SUCCESS, "erc3156_lender: callback"
    assert extcall Token(token).transferFrom(
        receiver, self, amount + fee, default_return_value=True
    ), "erc3156_lender: repayment"
    log FlashLoan(receiver=receiver, initiator=msg.sender, token=token, amount=amount, fee=fee)
    return True


@internal
@view
def _fee(token: address, amount: uint256) -> uint256:
    assert self.is_lent[token], "erc3156_lender: token not lent"
    product: uint256 = amount * self.fee_bps[token]
    fee: uint256 = product // BASIS_POINTS
    if product % BASIS_POINTS != 0:
        # a quotient by 10**4 leaves room for one more
        fee = unsafe_add(fee, 1)
    return fee

# pragma version 0.4.3
# pragma evm-version cancun
"""
@title borrower
@license Apache-2.0
@notice Takes a loan of any of the five kinds and repays it, less as many base units as it was told.
"""

from ethereum.ercs import IERC20

ACCEPTED: constant(bytes32) = keccak256("ERC3156FlashBorrower.onFlashLoan")

lender: address
token: address
amount: uint256
short: uint256
fee: public(uint256)
held: public(uint256)


@external
def borrow(lender: address, data: Bytes[1024], token: address, amount: uint256, short: uint256):
    """
    @notice Call `lender` with `data`, which asks for `amount` of `token`; repay `short` too little.
    """
    self.lender = lender
    self.token = token
    self.amount = amount
    self.short = short
    raw_call(lender, data)


@external
def executeOperation(
    asset: address, amount: uint256, premium: uint256, initiator: address, params: Bytes[32]
) -> bool:
    self._let_pull(premium)
    return True


@external
def onFlashLoan(
    initiator: address, token: address, amount: uint256, fee: uint256, data: Bytes[32]
) -> bytes32:
    self._let_pull(fee)
    return ACCEPTED


@external
def onMorphoFlashLoan(assets: uint256, data: Bytes[32]):
    self._let_pull(0)


@external
def uniswapV3FlashCallback(fee0: uint256, fee1: uint256, data: Bytes[32]):
    self._push(fee0 + fee1)


@external
def receiveFlashLoan(
    tokens: DynArray[address, 1], amounts: DynArray[uint256, 1], fees: DynArray[uint256, 1], data: Bytes[32]
):
    self._push(fees[0])


@internal
def _let_pull(fee: uint256):
    self._note(fee)
    extcall IERC20(self.token).approve(self.lender, self.amount + fee - self.short)


@internal
def _push(fee: uint256):
    self._note(fee)
    extcall IERC20(self.token).transfer(self.lender, self.amount + fee - self.short)


@internal
def _note(fee: uint256):
    assert msg.sender == self.lender, "borrower: caller"
    self.fee = fee
    self.held = staticcall IERC20(self.token).balanceOf(self)

#pragma version 0.4.3
"""
@title Lending by all five interfaces, honest unless told otherwise
@license Apache-2.0
@dev A module: the contracts beside it give it the entries, as one contract can not have two called flashLoan.
     `fee_bps` rounds up. A trick is a bit; each is one way in which a lender can cheat.
"""

interface Token:
    def balanceOf(account: address) -> uint256: view
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable


PROGRAM: constant(uint256) = 4096
CALLBACK: constant(uint256) = 4800

AAVE_V3: constant(uint256) = 1
ERC_3156: constant(uint256) = 2
UNISWAP_V3: constant(uint256) = 3
MORPHO_BLUE: constant(uint256) = 4
BALANCER_V2: constant(uint256) = 5

NO_CALLBACK: constant(uint256) = 1
TWICE: constant(uint256) = 2
OTHER_DATA: constant(uint256) = 4
OTHER_TOKEN: constant(uint256) = 8
OTHER_AMOUNT: constant(uint256) = 16
OTHER_INITIATOR: constant(uint256) = 32
HIGHER_FEE: constant(uint256) = 64
LENDS_NOTHING: constant(uint256) = 128
PULLS_LESS: constant(uint256) = 256
SHORTER_DATA: constant(uint256) = 512
TWO_TOKENS: constant(uint256) = 1024
OTHER_SIDE: constant(uint256) = 2048

fee_bps: public(uint256)
trick: public(uint256)
# of the pool that kind 3 stands for
token0: public(address)
token1: public(address)


@deploy
def __init__(token0: address, token1: address):
    self.token0 = token0
    self.token1 = token1


@external
def set_terms(fee_bps: uint256, trick: uint256):
    self.fee_bps = fee_bps
    self.trick = trick


@internal
def lend(kind: uint256, receiver: address, token: address, amount: uint256, side: uint256, program: Bytes[PROGRAM]):
    fee: uint256 = self._fee(kind, amount)
    before: uint256 = staticcall Token(token).balanceOf(self)
    if self.trick & LENDS_NOTHING == 0:
        extcall Token(token).transfer(receiver, amount, default_return_value=True)
    if self.trick & NO_CALLBACK == 0:
        self._call_back(kind, receiver, token, amount, fee, side, program)
    if self.trick & TWICE != 0:
        self._call_back(kind, receiver, token, amount, fee, side, program)
    if kind == AAVE_V3 or kind == ERC_3156 or kind == MORPHO_BLUE:
        owed: uint256 = amount + fee
        if self.trick & PULLS_LESS != 0:
            owed -= 1
        if self.trick & NO_CALLBACK == 0:
            assert extcall Token(token).transferFrom(receiver, self, owed, default_return_value=True), "lender: pull"
    elif self.trick & (NO_CALLBACK | LENDS_NOTHING) == 0:
        assert staticcall Token(token).balanceOf(self) >= before + fee, "lender: not repaid"


@internal
@view
def _fee(kind: uint256, amount: uint256) -> uint256:
    fee: uint256 = 0
    if kind != MORPHO_BLUE:
        fee = (amount * self.fee_bps + 9999) // 10000
    if self.trick & HIGHER_FEE != 0:
        fee += 1
    return fee


@internal
def _call_back(
    kind: uint256, receiver: address, token: address, amount: uint256, fee: uint256, side: uint256, program: Bytes[PROGRAM]
):
    said_token: address = token
    said_amount: uint256 = amount
    said_initiator: address = receiver
    said_side: uint256 = side
    said: Bytes[PROGRAM] = program
    if self.trick & OTHER_TOKEN != 0:
        said_token = self
    if self.trick & OTHER_AMOUNT != 0:
        said_amount = amount + 1
    if self.trick & OTHER_INITIATOR != 0:
        said_initiator = self
    if self.trick & OTHER_SIDE != 0:
        said_side = 1 - side
    if self.trick & OTHER_DATA != 0:
        said = convert(
            concat(slice(program, 0, 28), x"00000001", slice(program, 32, len(program) - 32)), Bytes[PROGRAM]
        )
    if self.trick & SHORTER_DATA != 0:
        said = slice(program, 0, len(program) - 32)
    data: Bytes[CALLBACK] = b""
    if kind == AAVE_V3:
        data = abi_encode(
            said_token, said_amount, fee, said_initiator, said,
            method_id=method_id("executeOperation(address,uint256,uint256,address,bytes)"),
        )
    elif kind == ERC_3156:
        data = abi_encode(
            said_initiator, said_token, said_amount, fee, said,
            method_id=method_id("onFlashLoan(address,address,uint256,uint256,bytes)"),
        )
    elif kind == UNISWAP_V3:
        fees: uint256[2] = [0, 0]
        fees[said_side] = fee
        data = abi_encode(fees[0], fees[1], said, method_id=method_id("uniswapV3FlashCallback(uint256,uint256,bytes)"))
    elif kind == MORPHO_BLUE:
        data = abi_encode(said_amount, said, method_id=method_id("onMorphoFlashLoan(uint256,bytes)"))
    else:
        tokens: DynArray[address, 2] = [said_token]
        amounts: DynArray[uint256, 2] = [said_amount]
        fees: DynArray[uint256, 2] = [fee]
        if self.trick & TWO_TOKENS != 0:
            tokens = [said_token, said_token]
            amounts = [said_amount, said_amount]
            fees = [fee, fee]
        data = abi_encode(
            tokens, amounts, fees, said,
            method_id=method_id("receiveFlashLoan(address[],uint256[],uint256[],bytes)"),
        )
    answer: Bytes[32] = raw_call(receiver, data, max_outsize=32)
    if kind == AAVE_V3:
        assert convert(answer, uint256) == 1, "lender: answer"
    elif kind == ERC_3156:
        assert convert(answer, bytes32) == keccak256("ERC3156FlashBorrower.onFlashLoan"), "lender: answer"

#pragma version 0.4.3
"""
@title A router that swaps at two fixed rates
@license Apache-2.0
@notice The one function of SwapRouter02 that the golden program calls; it holds what it pays out.
"""

interface Token:
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable


struct ExactInputSingle:
    token_in: address
    token_out: address
    fee: uint24
    recipient: address
    amount_in: uint256
    amount_out_minimum: uint256
    price_limit: uint160


numerator: HashMap[address, uint256]
denominator: HashMap[address, uint256]


@external
def set_rate(token_in: address, numerator: uint256, denominator: uint256):
    self.numerator[token_in] = numerator
    self.denominator[token_in] = denominator


@external
@payable
def exactInputSingle(params: ExactInputSingle) -> uint256:
    amount_out: uint256 = params.amount_in * self.numerator[params.token_in] // self.denominator[params.token_in]
    assert amount_out >= params.amount_out_minimum, "Too little received"
    assert extcall Token(params.token_in).transferFrom(msg.sender, self, params.amount_in)
    assert extcall Token(params.token_out).transfer(params.recipient, amount_out)
    return amount_out

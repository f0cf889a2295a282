#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
"""
@title What the executor relies on the compiler for
@license Apache-2.0
"""

interface Token:
    def approve(spender: address, amount: uint256) -> bool: nonpayable


@external
def call_out(target: address) -> (bool, Bytes[64]):
    success: bool = False
    answer: Bytes[64] = b""
    success, answer = raw_call(target, method_id("long_answer()"), max_outsize=64, revert_on_failure=False)
    return success, answer


@external
@view
def long_answer() -> Bytes[96]:
    return abi_encode(convert(1, uint256), convert(2, uint256), convert(3, uint256))


@external
def approve_on(token: address) -> bool:
    return extcall Token(token).approve(self, 1, default_return_value=True)


@external
def __default__():
    pass


@external
@pure
def read_outside(data: Bytes[64], at: uint256) -> bytes32:
    return extract32(data, at)


@external
@pure
def cut(data: Bytes[64], at: uint256, size: uint256) -> Bytes[64]:
    return slice(data, at, size)


@external
@pure
def to_selector(word: bytes32) -> bytes4:
    return convert(word, bytes4)


@external
@pure
def divided(left: int256, right: int256) -> int256:
    return left // right


@external
@pure
def refuse(code: uint256):
    raw_revert(abi_encode(code, method_id=method_id("Refused(uint256)")))


@external
@view
def cost_of_reads(data: Bytes[64]) -> (uint256, uint256):
    word: bytes32 = empty(bytes32)
    start: uint256 = msg.gas
    word = extract32(data, 32)
    middle: uint256 = msg.gas
    word = convert(slice(data, 32, 32), bytes32)
    return start - middle, middle - msg.gas

#pragma version 0.4.3
"""
@title A target that does what its arguments say
@license Apache-2.0
"""

interface Token:
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable
    def transferFrom(sender: address, recipient: address, amount: uint256) -> bool: nonpayable


ANSWER: constant(uint256) = 10240

calls: public(uint256)
kept: public(uint256[2])


@external
@payable
def __default__():
    pass


@external
@payable
@raw_return
def answer(size: uint256, seed: uint256) -> Bytes[ANSWER]:
    """
    @notice Answers `size` bytes: the words seed, seed + 1, ... up to eight, then zeros.
    """
    self.calls += 1
    return self._bytes(size, seed)


@external
@view
@raw_return
def look(size: uint256, seed: uint256) -> Bytes[ANSWER]:
    return self._bytes(size, seed)


@external
def refuse(size: uint256, seed: uint256):
    raw_revert(self._bytes(size, seed))


@external
def burn_gas():
    for i: uint256 in range(max_value(uint256)):
        self.calls = i


@external
def pull(token: address, amount: uint256):
    assert extcall Token(token).transferFrom(msg.sender, self, amount, default_return_value=True), "target: pull"


@external
def push(token: address, amount: uint256):
    assert extcall Token(token).transfer(msg.sender, amount, default_return_value=True), "target: push"


@external
def swap(token_in: address, token_out: address, amount_in: uint256, amount_out: uint256) -> uint256:
    assert extcall Token(token_in).transferFrom(msg.sender, self, amount_in, default_return_value=True), "target: in"
    assert extcall Token(token_out).transfer(msg.sender, amount_out, default_return_value=True), "target: out"
    return amount_out


@external
def pay(amount: uint256):
    raw_call(msg.sender, b"", value=amount)


@external
@payable
def keep(first: uint256, second: uint256):
    """
    @notice Remembers its arguments: what argument rules are judged on is what arrives.
    """
    self.kept = [first, second]


@internal
@view
def _bytes(size: uint256, seed: uint256) -> Bytes[ANSWER]:
    words: uint256[8] = empty(uint256[8])
    for i: uint256 in range(8):
        words[i] = unsafe_add(seed, i)
    whole: Bytes[ANSWER] = concat(abi_encode(words), abi_encode(empty(uint256[312])))
    return slice(whole, 0, size)

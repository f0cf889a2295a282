#pragma version 0.4.3
"""
@title A token with a chosen quirk
@license Apache-2.0
@notice Honest by default; each quirk is a way in which tokens in the field differ from the standard.
@dev ANSWERS_FALSE, APPROVES_FALSE and SILENT concern answers, RACE and STICKY allowances, FEE and REBASING amounts; HOOK calls out on each
     move and approval; LIAR reports a balance that nobody has; UNPAYABLE refuses to send to `blocked`.
"""

FEE: constant(uint256) = 1
ANSWERS_FALSE: constant(uint256) = 2
SILENT: constant(uint256) = 3
RACE: constant(uint256) = 4
HOOK: constant(uint256) = 5
STICKY: constant(uint256) = 6
LIAR: constant(uint256) = 7
REBASING: constant(uint256) = 8
UNPAYABLE: constant(uint256) = 9
APPROVES_FALSE: constant(uint256) = 10

quirk: public(uint256)
hook: public(address)
blocked: public(address)
shares: public(HashMap[address, uint256])
granted: public(HashMap[address, HashMap[address, uint256]])
index_bps: public(uint256)


@deploy
def __init__():
    self.index_bps = 10000


@external
def set_quirk(quirk: uint256, subject: address):
    self.quirk = quirk
    if quirk == HOOK:
        self.hook = subject
    else:
        self.blocked = subject


@external
def rebase(index_bps: uint256):
    self.index_bps = index_bps


@external
def mint(account: address, amount: uint256):
    self.shares[account] += amount


@external
def drain(account: address, amount: uint256):
    self.shares[account] -= amount


@external
@view
def balanceOf(account: address) -> uint256:
    if self.quirk == LIAR:
        return max_value(uint256)
    return self.shares[account] * self.index_bps // 10000


@external
@view
def allowance(holder: address, spender: address) -> uint256:
    return self.granted[holder][spender]


@external
@raw_return
def approve(spender: address, amount: uint256) -> Bytes[32]:
    assert self.quirk != RACE or amount == 0 or self.granted[msg.sender][spender] == 0, "token: race"
    self.granted[msg.sender][spender] = amount
    if self.quirk == APPROVES_FALSE:
        return abi_encode(False)
    return self._answer()


@external
@raw_return
def transfer(recipient: address, amount: uint256) -> Bytes[32]:
    if self.quirk == ANSWERS_FALSE:
        return abi_encode(False)
    self._move(msg.sender, recipient, amount)
    return self._answer()


@external
@raw_return
def transferFrom(sender: address, recipient: address, amount: uint256) -> Bytes[32]:
    if self.quirk == ANSWERS_FALSE:
        return abi_encode(False)
    if self.quirk != STICKY:
        self.granted[sender][msg.sender] -= amount
    self._move(sender, recipient, amount)
    return self._answer()


@internal
def _move(sender: address, recipient: address, amount: uint256):
    assert self.quirk != UNPAYABLE or recipient != self.blocked, "token: blocked"
    amount_shares: uint256 = amount * 10000 // self.index_bps
    self.shares[sender] -= amount_shares
    if self.quirk == FEE:
        amount_shares -= amount_shares // 100
    self.shares[recipient] += amount_shares


@internal
def _answer() -> Bytes[32]:
    if self.quirk == HOOK:
        raw_call(self.hook, method_id("token_moved()"))
    if self.quirk == SILENT:
        return b""
    return abi_encode(True)

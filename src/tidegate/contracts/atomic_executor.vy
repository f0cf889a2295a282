#pragma version 0.4.3
#pragma evm-version cancun
#pragma optimize gas
#pragma nonreentrancy off
"""
@title Atomic executor
@license Apache-2.0
@author Tidegate contributors
@notice Runs one packed program as one transaction: all of it within its bounds, or nothing.
@dev An immutable interpreter. What a program may call stands in `policy`, per target, selector and argument;
     what it may cost stands in its own lines and in the guarded tokens' loss limits; no approval outlives a run.
     Layout of programs, policy words and changes: specs/atomic.md, section 4. Custom errors, which Vyper does not
     list, stand in atomic_executor.errors.json and are merged into the ABI by the build.

     One interpreter, `_run`, serves the outermost frame and every flash scope. It takes the program once, because
     Vyper's memory is static: each helper that took the program too would lay another 4 kB under every frame.
     Reads outside the program, of a register beyond the sixteenth, and sums, products and quotients that do not
     fit, revert with no data.

     Wherever `unsafe_add`, `unsafe_sub` or `unsafe_mul` stands, these bounds are its proof: a program is at most
     4,096 B long; `size`, `scope` and `skip` are two bytes wide, every other field of an op but its words one byte;
     `cursor` is at most `stop` <= 4,096 when an op starts. So no position or length exceeds 2**18, and no shift or
     count of theirs can wrap. Steps that rest on more than this say so where they stand.
"""


interface Token:
    def balanceOf(account: address) -> uint256: view
    def allowance(holder: address, spender: address) -> uint256: view
    def approve(spender: address, amount: uint256) -> bool: nonpayable
    def transfer(recipient: address, amount: uint256) -> bool: nonpayable


interface NonFungible:
    def transferFrom(sender: address, recipient: address, id: uint256): nonpayable


# Sizes. PROGRAM holds nested scopes too; DATA is a selector and 32 words; RET is 8 words of return data.
PROGRAM: constant(uint256) = 4096
DATA: constant(uint256) = 1028
RET: constant(uint256) = 256
OPS: constant(uint256) = 128
APPROVALS: constant(uint256) = 8
REGISTERS: constant(uint256) = 16
LINES: constant(uint256) = 8
GUARDED: constant(uint256) = 8
TRACE: constant(uint256) = 16
CHANGES: constant(uint256) = 32
SWEEP: constant(uint256) = 16
GUARDIANS: constant(uint256) = 4
GRACE: constant(uint256) = 1209600
MAX_DELAY: constant(uint256) = 2592000

# Masks and marks inside packed words.
BYTE: constant(uint256) = 2**8 - 1
TWO_BYTES: constant(uint256) = 2**16 - 1
FIVE_BYTES: constant(uint256) = 2**40 - 1
WORD_160: constant(uint256) = 2**160 - 1
WORD_128: constant(uint256) = 2**128 - 1
WORD_127: constant(uint256) = 2**127 - 1
NO_REGISTER: constant(uint256) = 255
PAUSED: constant(uint256) = 1 << 160
GUARDED_SHIFT: constant(uint256) = 168
GUARDED_ONE: constant(uint256) = 1 << 168
PAYOUT: constant(uint256) = 1 << 88
LIMIT_SET: constant(uint256) = 1 << 255

# How `_run` is entered: the flash kinds by their numbers, then the three ways to start a program.
AAVE_V3: constant(uint256) = 1
ERC_3156: constant(uint256) = 2
UNISWAP_V3: constant(uint256) = 3
MORPHO_BLUE: constant(uint256) = 4
BALANCER_V2: constant(uint256) = 5
EXECUTE: constant(uint256) = 16
SIMULATE: constant(uint256) = 17
UNWIND: constant(uint256) = 18
PULLS: constant(uint256) = (1 << 1) | (1 << 2) | (1 << 4)

# Ops.
CALL: constant(uint256) = 1
READ: constant(uint256) = 2
APPROVE: constant(uint256) = 3
FLASH: constant(uint256) = 4
LOAD: constant(uint256) = 5
MATH: constant(uint256) = 6
CHECK: constant(uint256) = 7
TAKE: constant(uint256) = 8
FRAME_TAG: constant(uint256) = 255

# Bytes of a CALL's or READ's first word: how many patches; the two registers, whose bits are all ones for none.
PATCHES: constant(uint256) = 255 << 232
VALUE_REGISTER: constant(uint256) = 255 << 224
CAPTURE_REGISTER: constant(uint256) = 255 << 216

# Policy words: the flags, their reserved bits, and the kinds of argument rule.
MAY_SEND_VALUE: constant(uint256) = 4
MAY_APPROVE: constant(uint256) = 8
RESULT_TRUE: constant(uint256) = 16
FLAGS: constant(uint256) = 31
RESERVED_FLAGS: constant(uint256) = (7 << 5) | (TWO_BYTES << 48)
RULES: constant(uint256) = 12
RULE_SELF: constant(uint256) = 1
RULE_SELF_OR_TREASURY: constant(uint256) = 2
RULE_ASSET: constant(uint256) = 3
RULE_CAP: constant(uint256) = 64
RULE_PIN: constant(uint256) = 128

# Rule numbers of PolicyDenied.
DENIED_ENTRY: constant(uint256) = 1
DENIED_VALUE: constant(uint256) = 2
DENIED_EXPIRED: constant(uint256) = 3
DENIED_NO_CODE: constant(uint256) = 4
DENIED_SPENDER: constant(uint256) = 5
DENIED_LENDER: constant(uint256) = 6
DENIED_ARGUMENT: constant(uint256) = 16

# Roles. An address holds at most one, the owner none; the owner's bit stands only in the masks of `_authorise`.
OPERATOR: constant(uint256) = 1
GUARDIAN: constant(uint256) = 2
RESCUER: constant(uint256) = 4
OWNER: constant(uint256) = 8

# Kinds of change.
POLICY: constant(uint256) = 1
LENDER: constant(uint256) = 2
SPENDER: constant(uint256) = 3
ASSET: constant(uint256) = 4
CAP: constant(uint256) = 5
LOSS_LIMIT: constant(uint256) = 6
ROLE: constant(uint256) = 7
TREASURY: constant(uint256) = 8
UNGUARD: constant(uint256) = 9
LENDER_BITS: constant(uint256) = 62

APPROVE_SELECTOR: constant(bytes4) = method_id("approve(address,uint256)", output_type=bytes4)
TRANSFER_SELECTOR: constant(bytes4) = method_id("transfer(address,uint256)", output_type=bytes4)
# Never callable: what moves or approves by another's right, and the lenders' own entries, which only FLASH may use.
FORBIDDEN: constant(bytes4[15]) = [
    method_id("transferFrom(address,address,uint256)", output_type=bytes4),
    method_id("increaseAllowance(address,uint256)", output_type=bytes4),
    method_id("setApprovalForAll(address,bool)", output_type=bytes4),
    method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", output_type=bytes4),
    method_id("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", output_type=bytes4),
    method_id("approve(address,address,uint160,uint48)", output_type=bytes4),
    method_id("safeTransferFrom(address,address,uint256)", output_type=bytes4),
    method_id("safeTransferFrom(address,address,uint256,bytes)", output_type=bytes4),
    method_id("safeTransferFrom(address,address,uint256,uint256,bytes)", output_type=bytes4),
    method_id("flashLoanSimple(address,address,uint256,bytes,uint16)", output_type=bytes4),
    method_id("flashLoan(address,address[],uint256[],uint256[],address,bytes,uint16)", output_type=bytes4),
    method_id("flashLoan(address,address,uint256,bytes)", output_type=bytes4),
    method_id("flash(address,uint256,uint256,bytes)", output_type=bytes4),
    method_id("flashLoan(address,uint256,bytes)", output_type=bytes4),
    method_id("flashLoan(address,address[],uint256[],bytes)", output_type=bytes4),
]

version: public(constant(uint256)) = 1
ON_FLASH_LOAN: constant(bytes32) = keccak256("ERC3156FlashBorrower.onFlashLoan")


WETH: public(immutable(address))
DELAY: public(immutable(uint256))


struct Change:
    kind: uint256
    key: bytes32
    word: uint256


owner: public(address)
pending_owner: public(address)
# treasury 160 bits | paused, bit 160 | count of guarded tokens, bits 168..175
head: public(uint256)
roles: public(HashMap[address, uint256])
policy: public(HashMap[bytes32, uint256])
# bit k: the lender may be asked for a loan of kind k
lenders: public(HashMap[address, uint256])
spenders: public(HashMap[address, bool])
assets: public(HashMap[address, bool])
# by kind of rule, 64..127
caps: public(uint256[128])
guarded: public(address[GUARDED])
# bit 255 | per day u127 | per run u128
limits: public(HashMap[address, uint256])
# UTC day u128 | lost on it u128
lost: public(HashMap[address, uint256])
used: public(HashMap[bytes32, bool])
eta: public(HashMap[bytes32, uint256])

# The caller of the run under way; empty is unlocked.
lock: transient(address)
# lender 160 bits | kind 8 | scope start 16 | scope stop 16 | simulating 1
expect: transient(uint256)
digest: transient(bytes32)
regs: transient(uint256[REGISTERS])
# entries of 32 bits, lowest first: gas left u24 | tag u8 << 24
trace: transient(uint256[TRACE])
traced: transient(uint256)


event Executed:
    program_hash: indexed(bytes32)
    caller: indexed(address)
    delta: int256


event Scheduled:
    kind: indexed(uint256)
    key: indexed(bytes32)
    word: uint256
    eta: uint256


event Applied:
    kind: indexed(uint256)
    key: indexed(bytes32)
    word: uint256


event Cancelled:
    kind: indexed(uint256)
    key: indexed(bytes32)
    word: uint256


event Tightened:
    kind: indexed(uint256)
    key: indexed(bytes32)
    word: uint256
    by: address


event Paused:
    by: indexed(address)


event Unpaused:
    by: indexed(address)


event Swept:
    token: indexed(address)
    amount: uint256


event OwnershipOffered:
    to: indexed(address)


event OwnershipTaken:
    owner: indexed(address)


@deploy
def __init__(
    owner: address, treasury: address, weth: address, delay_s: uint256, guardians: DynArray[address, GUARDIANS]
):
    """
    @notice Names everyone who holds power from the first block; the deployer holds none.
    @param owner The Safe that schedules changes.
    @param treasury Where payouts and sweeps go.
    @param weth The wrapped native token, which may send ETH outside a run.
    @param delay_s Seconds between scheduling a change and applying it.
    @param guardians Addresses that may pause, cancel, tighten and apply.
    """
    assert owner != empty(address), "atomic: deploy"
    assert treasury != empty(address), "atomic: deploy"
    assert weth != empty(address), "atomic: deploy"
    assert delay_s <= MAX_DELAY, "atomic: deploy"
    for guardian: address in guardians:
        assert guardian != empty(address), "atomic: deploy"
        assert guardian != owner, "atomic: deploy"
        self.roles[guardian] = GUARDIAN
        log Applied(kind=ROLE, key=convert(guardian, bytes32), word=GUARDIAN)
    self.owner = owner
    self.head = convert(treasury, uint256)
    WETH = weth
    DELAY = delay_s
    log OwnershipTaken(owner=owner)


@external
@payable
def __default__():
    """
    @notice Takes bare ETH while a run is under way, and from WETH at any time.
    """
    assert len(msg.data) == 0 and (self.lock != empty(address) or msg.sender == WETH), "atomic: unknown call"


@external
@payable
def execute(program: Bytes[PROGRAM]):
    """
    @notice Runs a program; operators only, not while paused.
    @param program Header, run id if flagged, lines, ops.
    """
    self._run(program, EXECUTE, empty(address), empty(address), 0, 0, 0)


@external
@payable
def simulate(program: Bytes[PROGRAM]):
    """
    @notice Runs a program as `execute` does, then always reverts `Simulated`.
    @param program Header, run id if flagged, lines, ops.
    """
    self._run(program, SIMULATE, empty(address), empty(address), 0, 0, 0)


@external
@payable
def unwind(program: Bytes[PROGRAM]):
    """
    @notice Runs a program for the rescuer, also while paused and free of loss limits: a halt never blocks an exit.
    @param program Header, run id if flagged, lines, ops.
    """
    self._run(program, UNWIND, empty(address), empty(address), 0, 0, 0)


@external
def executeOperation(
    asset: address, amount: uint256, premium: uint256, initiator: address, params: Bytes[PROGRAM]
) -> bool:
    """
    @notice Aave v3's callback: runs the scope that was committed.
    @param asset The token lent.
    @param amount How much was lent.
    @param premium The fee.
    @param initiator Who asked for the loan: this contract.
    @param params The program.
    @return True; Aave then pulls amount and premium.
    """
    self._run(params, AAVE_V3, initiator, asset, amount, premium, 0)
    return True


@external
def onFlashLoan(
    initiator: address, token: address, amount: uint256, fee: uint256, data: Bytes[PROGRAM]
) -> bytes32:
    """
    @notice ERC-3156's callback: runs the scope that was committed.
    @param initiator Who asked for the loan: this contract.
    @param token The token lent.
    @param amount How much was lent.
    @param fee The fee.
    @param data The program.
    @return The standard's answer; the lender then pulls amount and fee.
    """
    self._run(data, ERC_3156, initiator, token, amount, fee, 0)
    return ON_FLASH_LOAN


@external
def uniswapV3FlashCallback(fee0: uint256, fee1: uint256, data: Bytes[PROGRAM]):
    """
    @notice Uniswap v3's callback: runs the scope that was committed, then sends back amount and fee.
    @dev The pool reports neither initiator, token nor amount; it counts its own balances after the callback.
    @param fee0 The fee in token0.
    @param fee1 The fee in token1.
    @param data The program.
    """
    self._run(data, UNISWAP_V3, self, empty(address), 0, fee0, fee1)


@external
def onMorphoFlashLoan(assets: uint256, data: Bytes[PROGRAM]):
    """
    @notice Morpho Blue's callback: runs the scope that was committed; Morpho then pulls what it lent.
    @param assets How much was lent.
    @param data The program.
    """
    self._run(data, MORPHO_BLUE, self, empty(address), assets, 0, 0)


@external
def receiveFlashLoan(
    tokens: DynArray[address, 1], amounts: DynArray[uint256, 1], fees: DynArray[uint256, 1], data: Bytes[PROGRAM]
):
    """
    @notice Balancer v2's callback: runs the scope that was committed, then sends back amount and fee.
    @param tokens The one token lent.
    @param amounts How much was lent.
    @param fees The fee.
    @param data The program.
    """
    assert len(tokens) == 1 and len(amounts) == 1 and len(fees) == 1, "atomic: terms"
    self._run(data, BALANCER_V2, self, tokens[0], amounts[0], fees[0], 0)


@external
def schedule(changes: DynArray[Change, CHANGES]):
    """
    @notice Starts the delay of each change; owner only. A change scheduled again starts its delay anew.
    @param changes What to change, each admissible now.
    """
    self._authorise(OWNER)
    for change: Change in changes:
        self._admit(change)
        ripe: uint256 = block.timestamp + DELAY
        self.eta[self._id(change)] = ripe
        log Scheduled(kind=change.kind, key=change.key, word=change.word, eta=ripe)


@external
def apply(changes: DynArray[Change, CHANGES]):
    """
    @notice Makes scheduled changes true; owner or guardian, from their eta until GRACE later.
    @param changes The changes, each admissible still.
    """
    self._authorise(OWNER | GUARDIAN)
    for change: Change in changes:
        id: bytes32 = self._id(change)
        ripe: uint256 = self.eta[id]
        assert ripe != 0 and block.timestamp >= ripe and block.timestamp <= ripe + GRACE, "atomic: not ready"
        self._admit(change)
        self.eta[id] = 0
        self._set(change)
        log Applied(kind=change.kind, key=change.key, word=change.word)


@external
def cancel(changes: DynArray[Change, CHANGES]):
    """
    @notice Forgets scheduled changes; owner or guardian.
    @param changes The changes.
    """
    self._authorise(OWNER | GUARDIAN)
    for change: Change in changes:
        self.eta[self._id(change)] = 0
        log Cancelled(kind=change.kind, key=change.key, word=change.word)


@external
def tighten(changes: DynArray[Change, CHANGES]):
    """
    @notice Narrows what is allowed, at once; owner or guardian, a guardian only operators among roles.
    @param changes Entries to zero, or caps and loss limits to lower.
    """
    self._authorise(OWNER | GUARDIAN)
    for change: Change in changes:
        tighter: bool = False
        if change.kind == CAP:
            cap: uint256 = convert(change.key, uint256)
            tighter = cap < RULE_PIN and change.word <= self.caps[cap]
        elif change.kind == LOSS_LIMIT:
            limit: uint256 = self.limits[self._account(change.key)]
            tighter = (
                limit != 0
                and change.word & LIMIT_SET != 0
                and change.word >> 128 <= limit >> 128
                and change.word & WORD_128 <= limit & WORD_128
            )
        elif change.kind != 0 and change.kind <= ROLE:
            tighter = change.word == 0
            if change.kind == ROLE and msg.sender != self.owner:
                assert self.roles[self._account(change.key)] == OPERATOR, "atomic: role"
        assert tighter, "atomic: loosens"
        self._set(change)
        log Tightened(kind=change.kind, key=change.key, word=change.word, by=msg.sender)


@external
def pause():
    """
    @notice Stops `execute` and `simulate`; owner or guardian.
    """
    self._authorise(OWNER | GUARDIAN)
    self.head |= PAUSED
    log Paused(by=msg.sender)


@external
def unpause():
    """
    @notice Lets programs run again; owner only.
    """
    self._authorise(OWNER)
    self.head &= ~PAUSED
    log Unpaused(by=msg.sender)


@external
def sweep(tokens: DynArray[address, SWEEP]):
    """
    @notice Sends whole balances to the treasury; owner or rescuer, also while paused.
    @param tokens What to send, the zero address being ETH; a balance may be zero.
    """
    self._authorise(OWNER | RESCUER)
    self.lock = msg.sender
    for token: address in tokens:
        amount: uint256 = self._balance(token)
        self._send(token, self._treasury(), amount)
        log Swept(token=token, amount=amount)
    self.lock = empty(address)


@external
def sweep_nft(token: address, id: uint256):
    """
    @notice Sends one non-fungible token to the treasury; owner or rescuer, also while paused.
    @param token The collection.
    @param id Which one.
    """
    self._authorise(OWNER | RESCUER)
    self.lock = msg.sender
    extcall NonFungible(token).transferFrom(self, self._treasury(), id)
    self.lock = empty(address)
    log Swept(token=token, amount=1)


@external
def offer_ownership(to: address):
    """
    @notice Names who may take the ownership; owner only. The zero address withdraws an offer.
    @param to The next owner, without a role here.
    """
    self._authorise(OWNER)
    assert self.roles[to] == 0, "atomic: inadmissible"
    self.pending_owner = to
    log OwnershipOffered(to=to)


@external
def accept_ownership():
    """
    @notice Takes an offered ownership; the former owner keeps nothing.
    """
    assert self.lock == empty(address), "atomic: locked"
    assert msg.sender == self.pending_owner, "atomic: role"
    assert self.roles[msg.sender] == 0, "atomic: inadmissible"
    self.owner = msg.sender
    self.pending_owner = empty(address)
    log OwnershipTaken(owner=msg.sender)


@external
@view
def treasury() -> address:
    """
    @notice Where payouts and sweeps go.
    @return The treasury.
    """
    return self._treasury()


@external
@view
def paused() -> bool:
    """
    @notice Whether `execute` and `simulate` are stopped.
    @return True while paused.
    """
    return self.head & PAUSED != 0


@external
@view
def guarded_count() -> uint256:
    """
    @notice How many tokens have a loss limit.
    @return 0 to 8.
    """
    return (self.head >> GUARDED_SHIFT) & BYTE


@internal
def _run(
    program: Bytes[PROGRAM],
    entry: uint256,
    initiator: address,
    lent_token: address,
    lent_amount: uint256,
    fee0: uint256,
    fee1: uint256,
):
    """
    @dev Runs one frame: the whole program, or the flash scope that a lender's callback enters.
    """
    gas_at_entry: uint256 = msg.gas
    program_hash: bytes32 = keccak256(program)
    header: uint256 = extract32(program, 0, output_type=uint256)
    registers: uint256 = (header >> 232) & BYTE
    cursor: uint256 = 32
    stop: uint256 = len(program)
    simulating: bool = False

    # Outermost frame: the lines and the guarded tokens, as they stood before.
    lines: uint256 = 0
    lines_start: uint256 = 0
    payouts: uint256 = 0
    guarded: uint256 = 0
    balances: uint256[LINES] = empty(uint256[LINES])
    deltas: int256[LINES] = empty(int256[LINES])
    guarded_balances: uint256[GUARDED] = empty(uint256[GUARDED])

    # Flash scope: what goes back to the lender.
    loan_token: address = empty(address)
    owed: uint256 = 0

    if entry >= EXECUTE:
        assert self.lock == empty(address), "atomic: locked"
        role: uint256 = self.roles[msg.sender]
        head: uint256 = self.head
        if entry == UNWIND:
            assert role == RESCUER, "atomic: role"
        else:
            assert role == OPERATOR, "atomic: role"
            assert head & PAUSED == 0, "atomic: paused"
            guarded = (head >> GUARDED_SHIFT) & BYTE
            simulating = entry == SIMULATE
        lines = (header >> 224) & BYTE
        # version 1, no flag but bit 0, no bit in the last four bytes
        if header >> 241 != 128 or registers > REGISTERS or unsafe_sub(lines, 1) >= LINES or header << 224 != 0:
            self._malformed()
        assert (header >> 32) & (2**64 - 1) == chain.id, "atomic: chain"
        assert block.timestamp <= (header >> 184) & FIVE_BYTES, "atomic: expired"
        assert block.timestamp >= (header >> 144) & FIVE_BYTES, "atomic: early"
        assert block.basefee <= (header >> 96) & (2**48 - 1), "atomic: base fee"
        if (header >> 240) & 1 != 0:
            run_id: bytes32 = extract32(program, 32)
            assert not self.used[run_id], "atomic: run id used"
            self.used[run_id] = True
            cursor = 64
        self.lock = msg.sender
        lines_start = cursor
        previous: uint256 = 0
        for i: uint256 in range(lines, bound=LINES):
            line: uint256 = extract32(program, cursor, output_type=uint256)
            token: uint256 = line >> 96
            # ETH, the zero address, can only be the first
            if (i != 0 and token <= previous) or line << 168 != 0 or (line >> 88) & BYTE > 1:
                self._malformed()
            previous = token
            payouts |= ((line >> 88) & 1) << i
            balances[i] = self._balance(convert(token, address))
            cursor = unsafe_add(cursor, 64)
        for i: uint256 in range(guarded, bound=GUARDED):
            guarded_balances[i] = self._balance(self.guarded[i])
    else:
        expected: uint256 = self.expect
        assert expected & (2**168 - 1) == convert(msg.sender, uint256) | (entry << 160), "atomic: bad callback"
        assert self.digest == program_hash, "atomic: payload"
        self.expect = 0
        self.digest = empty(bytes32)
        assert initiator == self, "atomic: initiator"
        cursor = (expected >> 168) & TWO_BYTES
        stop = (expected >> 184) & TWO_BYTES
        simulating = expected >> 200 != 0
        # The op's second and third word end where the scope starts.
        terms: uint256 = extract32(program, unsafe_sub(cursor, 64), output_type=uint256)
        max_fee: uint256 = extract32(program, unsafe_sub(cursor, 32), output_type=uint256)
        loan_token = convert(terms >> 96, address)
        owed = self.regs[(terms >> 88) & BYTE]
        fee: uint256 = fee0
        if entry == UNISWAP_V3:
            if (terms >> 72) & BYTE != 0:
                fee = fee1
        else:
            assert lent_amount == owed, "atomic: terms"
            if entry != MORPHO_BLUE:
                assert lent_token == loan_token, "atomic: terms"
        if fee > max_fee:
            raw_revert(abi_encode(fee, max_fee, method_id=method_id("FeeTooHigh(uint256,uint256)")))
        owed += fee
        repay_register: uint256 = (terms >> 80) & BYTE
        if repay_register != NO_REGISTER:
            assert repay_register < registers, "atomic: register"
            self.regs[repay_register] = owed

    if simulating:
        self._trace(FRAME_TAG)

    # The ops.
    succeeded: bool = False
    result: Bytes[RET] = b""
    approvals: uint256 = 0
    approved_tokens: uint256[APPROVALS] = empty(uint256[APPROVALS])
    approved_spenders: address[APPROVALS] = empty(address[APPROVALS])
    for _: uint256 in range(OPS):
        if cursor >= stop:
            break
        step: uint256 = extract32(program, cursor, output_type=uint256)
        op: uint256 = step >> 248
        if simulating:
            self._trace((step >> 240) & BYTE)

        # CALL and READ
        if unsafe_sub(op, 1) < READ:
            size: uint256 = (step >> 192) & TWO_BYTES
            data: Bytes[DATA] = b""
            # a selector at least
            if unsafe_sub(size, 4) <= DATA - 4:
                data = convert(slice(program, unsafe_add(cursor, 28), size), Bytes[DATA])
            else:
                self._malformed()
            cursor = unsafe_add(cursor, unsafe_add(28, size))
            if step & PATCHES != 0:
                # 15 patches lie in the word that ends with the last, which is applied first
                patches: uint256 = (step >> 232) & BYTE
                if patches > 15:
                    self._malformed()
                cursor = unsafe_add(cursor, patches << 1)
                pairs: uint256 = extract32(program, unsafe_sub(cursor, 32), output_type=uint256)
                for _p: uint256 in range(patches, bound=15):
                    # at most 4 + 32 * 255 + 32
                    at: uint256 = unsafe_add(4, ((pairs >> 8) & BYTE) << 5)
                    after: uint256 = unsafe_add(at, 32)
                    if after > size:
                        self._malformed()
                    data = convert(
                        concat(
                            slice(data, 0, at),
                            convert(self.regs[pairs & BYTE], bytes32),
                            slice(data, after, unsafe_sub(size, after)),
                        ),
                        Bytes[DATA],
                    )
                    pairs >>= 16

            permission: uint256 = self.policy[convert(step << 64, bytes32)]
            # CALL is bit 0, READ bit 1: the op's own number is its flag
            if permission & op == 0:
                self._deny(step, convert(step << 64, bytes32), DENIED_ENTRY)
            amount: uint256 = 0
            if step & VALUE_REGISTER != VALUE_REGISTER:
                if op == READ or permission & MAY_SEND_VALUE == 0:
                    self._deny(step, convert(step << 64, bytes32), DENIED_VALUE)
                amount = self.regs[(step >> 224) & BYTE]
            if permission > FLAGS:
                if (permission >> 8) & FIVE_BYTES != 0:
                    if block.timestamp > (permission >> 8) & FIVE_BYTES:
                        self._deny(step, convert(step << 64, bytes32), DENIED_EXPIRED)
                rules: uint256 = permission >> 64
                if rules != 0:
                    for i: uint256 in range(RULES):
                        # where the argument ends; a rule's low byte is 1 at least, so this is 36 at least
                        end: uint256 = unsafe_add((rules & BYTE) << 5, 4)
                        admitted: bool = False
                        if end <= size:
                            argument: uint256 = extract32(data, unsafe_sub(end, 32), output_type=uint256)
                            kind: uint256 = (rules >> 8) & BYTE
                            if kind == RULE_ASSET:
                                if argument <= WORD_160:
                                    admitted = self.assets[convert(argument, address)]
                            elif kind >= RULE_CAP:
                                if kind >= RULE_PIN:
                                    admitted = argument == unsafe_sub(kind, RULE_PIN) << 5
                                else:
                                    cap: uint256 = self.caps[kind]
                                    # an unset cap blocks, 0 too
                                    if argument <= cap:
                                        admitted = cap != 0
                            elif argument == convert(self, uint256):
                                admitted = True
                            elif kind == RULE_SELF_OR_TREASURY:
                                admitted = argument == self.head & WORD_160
                        if not admitted:
                            self._deny(step, convert(step << 64, bytes32), unsafe_add(DENIED_ARGUMENT, i))
                        rules >>= 16
                        if rules == 0:
                            break

            if op == READ:
                succeeded, result = raw_call(
                    convert((step >> 32) & WORD_160, address),
                    data,
                    max_outsize=RET,
                    is_static_call=True,
                    revert_on_failure=False,
                )
            else:
                succeeded, result = raw_call(
                    convert((step >> 32) & WORD_160, address),
                    data,
                    max_outsize=RET,
                    value=amount,
                    revert_on_failure=False,
                )
            if not succeeded:
                self._step_failed(step, step, result)
            if len(result) == 0:
                target: address = convert((step >> 32) & WORD_160, address)
                if not target.is_contract:
                    self._deny(step, convert(step << 64, bytes32), DENIED_NO_CODE)
            elif permission & RESULT_TRUE != 0:
                if len(result) < 32 or extract32(result, 0, output_type=uint256) != 1:
                    self._step_failed(step, step, result)
            if step & CAPTURE_REGISTER != CAPTURE_REGISTER:
                capture: uint256 = (step >> 216) & BYTE
                assert capture < registers, "atomic: register"
                at: uint256 = ((step >> 208) & BYTE) << 5
                if unsafe_add(at, 32) > len(result):
                    self._step_failed(step, step, result)
                self.regs[capture] = extract32(result, at, output_type=uint256)

        elif op == LOAD:
            loaded: uint256 = step & (2**224 - 1)
            source: uint256 = (step >> 224) & BYTE
            if source != 0:
                if source == 1:
                    loaded = self._balance(convert(step & WORD_160, address))
                elif source == 2:
                    loaded = block.timestamp
                elif source == 3:
                    loaded = block.basefee
                elif source == 4:
                    loaded = msg.gas
                else:
                    self._malformed()
            destination: uint256 = (step >> 232) & BYTE
            assert destination < registers, "atomic: register"
            self.regs[destination] = loaded
            cursor = unsafe_add(cursor, 32)

        elif op == MATH:
            function: uint256 = (step >> 224) & BYTE
            left: uint256 = self.regs[(step >> 216) & BYTE]
            right: uint256 = step & WORD_128
            if (step >> 208) & BYTE != NO_REGISTER:
                right = self.regs[(step >> 208) & BYTE]
            computed: uint256 = 0
            if function > 6:
                product: uint256 = left * right
                if function > 8:
                    if function != 9:
                        self._malformed()
                    computed = product // 10**18
                else:
                    computed = product // 10**4
                    if function == 8:
                        # at most 2**256 // 10**4 before
                        if product % 10**4 != 0:
                            computed = unsafe_add(computed, 1)
            elif function > 4:
                divisor: uint256 = step & WORD_128
                if (step >> 200) & BYTE != NO_REGISTER:
                    divisor = self.regs[(step >> 200) & BYTE]
                product: uint256 = left * right
                computed = product // divisor
                # a remainder means a divisor of 2 at least: the sum is at most product
                if function == 6 and unsafe_mul(computed, divisor) != product:
                    computed = unsafe_add(computed, 1)
            elif function == 0:
                computed = left + right
            elif function == 1:
                computed = left - right
            elif function == 2:
                if left > right:
                    computed = unsafe_sub(left, right)
            elif function == 3:
                computed = min(left, right)
            else:
                computed = max(left, right)
            destination: uint256 = (step >> 232) & BYTE
            assert destination < registers, "atomic: register"
            self.regs[destination] = computed
            cursor = unsafe_add(cursor, 32)

        elif op == CHECK:
            left: uint256 = self.regs[(step >> 224) & BYTE]
            right: uint256 = step & WORD_128
            if (step >> 216) & BYTE != NO_REGISTER:
                right = self.regs[(step >> 216) & BYTE]
            comparison: uint256 = (step >> 232) & BYTE
            holds: bool = False
            if comparison == 0:
                holds = left >= right
            elif comparison == 1:
                holds = left <= right
            elif comparison == 2:
                holds = left == right
            elif comparison == 3:
                # the larger minus the smaller
                gap: uint256 = unsafe_sub(max(left, right), min(left, right))
                holds = gap * 10**4 <= right * ((step >> 192) & TWO_BYTES)
            else:
                self._malformed()
            cursor = unsafe_add(cursor, 32)
            if not holds:
                skip: uint256 = (step >> 176) & TWO_BYTES
                if skip == 0:
                    raw_revert(
                        abi_encode(
                            (step >> 240) & BYTE,
                            left,
                            right,
                            method_id=method_id("CheckFailed(uint256,uint256,uint256)"),
                        )
                    )
                cursor = unsafe_add(cursor, skip)

        elif op == TAKE:
            at: uint256 = ((step >> 224) & BYTE) << 5
            if unsafe_add(at, 32) > len(result):
                self._step_failed(step, 0, result)
            destination: uint256 = (step >> 232) & BYTE
            assert destination < registers, "atomic: register"
            self.regs[destination] = extract32(result, at, output_type=uint256)
            cursor = unsafe_add(cursor, 32)

        elif op == APPROVE:
            token: uint256 = (step >> 80) & WORD_160
            key: bytes32 = convert((token << 96) | (convert(APPROVE_SELECTOR, uint256) << 64), bytes32)
            spender: address = convert(
                extract32(program, unsafe_add(cursor, 32), output_type=uint256) >> 96, address
            )
            if self.policy[key] & MAY_APPROVE == 0:
                self._deny(step, key, DENIED_ENTRY)
            if not self.spenders[spender]:
                self._deny(step, convert(spender, bytes32), DENIED_SPENDER)
            if approvals >= APPROVALS:
                self._malformed()
            self._approve(convert(token, address), spender, self.regs[(step >> 72) & BYTE])
            # bit 160: zero_after
            approved_tokens[approvals] = token | (((step >> 64) & 1) << 160)
            approved_spenders[approvals] = spender
            approvals = unsafe_add(approvals, 1)
            cursor = unsafe_add(cursor, 64)

        elif op == FLASH:
            kind: uint256 = (step >> 232) & BYTE
            lender: address = convert((step >> 72) & WORD_160, address)
            # only kinds 1..5 can have a bit
            if (self.lenders[lender] >> kind) & 1 == 0:
                self._deny(step, convert(lender, bytes32), DENIED_LENDER)
            terms: uint256 = extract32(program, unsafe_add(cursor, 32), output_type=uint256)
            token: address = convert(terms >> 96, address)
            amount: uint256 = self.regs[(terms >> 88) & BYTE]
            scope: uint256 = unsafe_add(cursor, 96)
            cursor = unsafe_add(scope, (step >> 56) & TWO_BYTES)
            if cursor > stop:
                self._malformed()
            self.expect = (
                convert(lender, uint256)
                | (kind << 160)
                | (scope << 168)
                | (cursor << 184)
                | (convert(simulating, uint256) << 200)
            )
            self.digest = program_hash
            if kind == AAVE_V3:
                raw_call(
                    lender,
                    abi_encode(
                        self,
                        token,
                        amount,
                        program,
                        empty(uint16),
                        method_id=method_id("flashLoanSimple(address,address,uint256,bytes,uint16)"),
                    ),
                )
            elif kind == ERC_3156:
                raw_call(
                    lender,
                    abi_encode(
                        self, token, amount, program, method_id=method_id("flashLoan(address,address,uint256,bytes)")
                    ),
                )
            elif kind == UNISWAP_V3:
                amount0: uint256 = amount
                amount1: uint256 = 0
                if (terms >> 72) & BYTE != 0:
                    amount0 = 0
                    amount1 = amount
                raw_call(
                    lender,
                    abi_encode(
                        self, amount0, amount1, program, method_id=method_id("flash(address,uint256,uint256,bytes)")
                    ),
                )
            elif kind == MORPHO_BLUE:
                raw_call(
                    lender,
                    abi_encode(token, amount, program, method_id=method_id("flashLoan(address,uint256,bytes)")),
                )
            else:
                tokens: DynArray[address, 1] = [token]
                amounts: DynArray[uint256, 1] = [amount]
                raw_call(
                    lender,
                    abi_encode(
                        self,
                        tokens,
                        amounts,
                        program,
                        method_id=method_id("flashLoan(address,address[],uint256[],bytes)"),
                    ),
                )
            assert self.expect == 0, "atomic: no callback"
            if (PULLS >> kind) & 1 != 0:
                self._assert_no_allowance(token, lender)

        else:
            self._malformed()

    # Consumed exactly, within the 128 ops of a frame.
    if cursor != stop:
        self._malformed()

    for i: uint256 in range(approvals, bound=APPROVALS):
        token: address = convert(approved_tokens[i] & WORD_160, address)
        if approved_tokens[i] > WORD_160:
            self._approve(token, approved_spenders[i], 0)
        self._assert_no_allowance(token, approved_spenders[i])

    if entry < EXECUTE:
        if (PULLS >> entry) & 1 != 0:
            self._approve(loan_token, msg.sender, owed)
        else:
            self._send(loan_token, msg.sender, owed)
        return

    # Settlement of the outermost frame: bounds, loss limits, payout. No op can reach or reorder it.
    cursor = lines_start
    for i: uint256 in range(lines, bound=LINES):
        token: address = convert(extract32(program, cursor, output_type=uint256) >> 96, address)
        least: int256 = extract32(program, unsafe_add(cursor, 32), output_type=int256)
        delta: int256 = convert(self._balance(token), int256) - convert(balances[i], int256)
        if delta < least:
            raw_revert(abi_encode(token, delta, least, method_id=method_id("DeltaTooLow(address,int256,int256)")))
        deltas[i] = delta
        cursor = unsafe_add(cursor, 64)

    for i: uint256 in range(guarded, bound=GUARDED):
        token: address = self.guarded[i]
        balance_now: uint256 = self._balance(token)
        if balance_now < guarded_balances[i]:
            self._book_loss(token, unsafe_sub(guarded_balances[i], balance_now))

    if payouts != 0:
        recipient: address = self._treasury()
        for i: uint256 in range(lines, bound=LINES):
            if (payouts >> i) & 1 != 0 and deltas[i] > 0:
                line: uint256 = extract32(program, unsafe_add(lines_start, i << 6), output_type=uint256)
                self._send(convert(line >> 96, address), recipient, convert(deltas[i], uint256))

    if simulating:
        gas_used: uint256 = unsafe_sub(gas_at_entry, msg.gas)
        shown_deltas: DynArray[int256, LINES] = []
        for i: uint256 in range(lines, bound=LINES):
            shown_deltas.append(deltas[i])
        shown_registers: DynArray[uint256, REGISTERS] = []
        for i: uint256 in range(registers, bound=REGISTERS):
            shown_registers.append(self.regs[i])
        shown_trace: DynArray[uint256, TRACE] = []
        for i: uint256 in range((self.traced + 7) >> 3, bound=TRACE):
            shown_trace.append(self.trace[i])
        raw_revert(
            abi_encode(
                gas_used,
                shown_deltas,
                shown_registers,
                shown_trace,
                method_id=method_id("Simulated(uint256,int256[],uint256[],uint256[])"),
            )
        )

    for i: uint256 in range(registers, bound=REGISTERS):
        self.regs[i] = 0
    self.lock = empty(address)
    log Executed(program_hash=program_hash, caller=msg.sender, delta=deltas[0])


@internal
@view
def _authorise(allowed: uint256):
    """
    @dev No run is under way, and the caller is one of those allowed.
    """
    assert self.lock == empty(address), "atomic: locked"
    held: uint256 = self.roles[msg.sender]
    if msg.sender == self.owner:
        held = OWNER
    assert held & allowed != 0, "atomic: role"


@internal
@view
def _treasury() -> address:
    return convert(self.head & WORD_160, address)


@internal
@view
def _balance(token: address) -> uint256:
    if token == empty(address):
        return self.balance
    return staticcall Token(token).balanceOf(self)


@internal
def _approve(token: address, spender: address, amount: uint256):
    assert extcall Token(token).approve(spender, amount, default_return_value=True), "atomic: approve"


@internal
@view
def _assert_no_allowance(token: address, spender: address):
    if staticcall Token(token).allowance(self, spender) != 0:
        raw_revert(abi_encode(token, spender, method_id=method_id("AllowanceLeft(address,address)")))


@internal
def _send(token: address, recipient: address, amount: uint256):
    if token == empty(address):
        assert raw_call(recipient, b"", value=amount, revert_on_failure=False), "atomic: transfer"
    else:
        assert extcall Token(token).transfer(recipient, amount, default_return_value=True), "atomic: transfer"


@internal
def _book_loss(token: address, loss: uint256):
    """
    @dev Losses add up within a UTC day; gains do not refund.
    """
    limit: uint256 = self.limits[token]
    today: uint256 = block.timestamp // 86400
    record: uint256 = self.lost[token]
    day: uint256 = loss
    if record >> 128 == today:
        day += record & WORD_128
    if loss > limit & WORD_128 or day > (limit >> 128) & WORD_127:
        raw_revert(abi_encode(token, loss, day, method_id=method_id("LossTooHigh(address,uint256,uint256)")))
    # day fits in 127 bits: it is within its limit
    self.lost[token] = (today << 128) | day


@internal
def _trace(tag: uint256):
    """
    @dev Keeps the tag and the low 24 bits of the gas left, eight entries a word, lowest first; the first 128.
    """
    index: uint256 = self.traced
    if index < TRACE * 8:
        mark: uint256 = (tag << 24) | (msg.gas & (2**24 - 1))
        self.trace[index >> 3] |= mark << ((index & 7) << 5)
        self.traced = unsafe_add(index, 1)


@internal
@pure
def _malformed():
    raise "atomic: malformed"


@internal
@pure
def _deny(step: uint256, key: bytes32, rule: uint256):
    raw_revert(
        abi_encode((step >> 240) & BYTE, key, rule, method_id=method_id("PolicyDenied(uint256,bytes32,uint256)"))
    )


@internal
@pure
def _step_failed(step: uint256, called: uint256, reason: Bytes[RET]):
    """
    @dev Names the failing step's tag, and the target and selector of the call whose result it is.
    """
    raw_revert(
        abi_encode(
            (step >> 240) & BYTE,
            convert((called >> 32) & WORD_160, address),
            convert(convert(called & (2**32 - 1), uint32), bytes4),
            reason,
            method_id=method_id("StepFailed(uint256,address,bytes4,bytes)"),
        )
    )


@internal
@pure
def _id(change: Change) -> bytes32:
    return keccak256(abi_encode(change.kind, change.key, change.word))


@internal
@pure
def _account(key: bytes32) -> address:
    """
    @dev An address key, right-aligned.
    """
    assert convert(key, uint256) <= WORD_160, "atomic: inadmissible"
    return convert(convert(key, uint256), address)


@internal
@view
def _admit(change: Change):
    """
    @dev Refuses what must never become true, whoever signs it.
    """
    kind: uint256 = change.kind
    word: uint256 = change.word
    admissible: bool = False
    if kind == POLICY:
        admissible = self._policy_admissible(convert(change.key, uint256), word)
    elif kind == CAP:
        admissible = convert(change.key, uint256) >= RULE_CAP and convert(change.key, uint256) < RULE_PIN
    elif kind != 0 and kind <= UNGUARD:
        account: address = self._account(change.key)
        if kind == LOSS_LIMIT:
            admissible = word & LIMIT_SET != 0 and (
                self.limits[account] != 0 or (self.head >> GUARDED_SHIFT) & BYTE < GUARDED
            )
        elif kind == UNGUARD:
            admissible = word == 1 and self.limits[account] != 0
        elif kind == LENDER:
            admissible = word != 0 and word & ~LENDER_BITS == 0
        elif kind == ROLE:
            admissible = (
                (word == OPERATOR or word == GUARDIAN or word == RESCUER)
                and account != empty(address)
                and account != self.owner
                and self.roles[account] == 0
            )
        else:
            admissible = word == 1 and (kind != TREASURY or account != empty(address))
    assert admissible, "atomic: inadmissible"


@internal
@view
def _policy_admissible(key: uint256, word: uint256) -> bool:
    target: address = convert(key >> 96, address)
    selector: bytes4 = convert(convert((key >> 64) & (2**32 - 1), uint32), bytes4)
    if key << 192 != 0 or target == self or not target.is_contract:
        return False
    if selector == APPROVE_SELECTOR:
        return word == MAY_APPROVE
    # one of CALL and READ, and no approval by another selector
    if word & RESERVED_FLAGS != 0 or word & MAY_APPROVE != 0 or word & (CALL | READ) == 0:
        return False
    if word & CALL != 0 and selector in FORBIDDEN:
        return False
    rules: uint256 = word >> 64
    if selector == TRANSFER_SELECTOR and (
        rules & TWO_BYTES != (RULE_SELF << 8) | 1 and rules & TWO_BYTES != (RULE_SELF_OR_TREASURY << 8) | 1
    ):
        return False
    for _: uint256 in range(RULES):
        if rules == 0:
            break
        argument: uint256 = rules & BYTE
        rule: uint256 = (rules >> 8) & BYTE
        # a zero rule ends the list, so none may stand below another; kinds 1..3 and 64..255
        if argument == 0 or rule == 0 or (rule > RULE_ASSET and rule < RULE_CAP):
            return False
        rules >>= 16
    return True


@internal
def _set(change: Change):
    """
    @dev Writes an admitted or tightening change.
    """
    if change.kind == POLICY:
        self.policy[change.key] = change.word
    elif change.kind == CAP:
        self.caps[convert(change.key, uint256)] = change.word
    else:
        account: address = self._account(change.key)
        if change.kind == LENDER:
            self.lenders[account] = change.word
        elif change.kind == SPENDER:
            self.spenders[account] = change.word != 0
        elif change.kind == ASSET:
            self.assets[account] = change.word != 0
        elif change.kind == ROLE:
            self.roles[account] = change.word
        elif change.kind == TREASURY:
            self.head = (self.head & ~WORD_160) | convert(account, uint256)
        elif change.kind == LOSS_LIMIT:
            if self.limits[account] == 0:
                # admitted with fewer than 8 guarded: the count stays within its byte
                self.guarded[(self.head >> GUARDED_SHIFT) & BYTE] = account
                self.head = unsafe_add(self.head, GUARDED_ONE)
            self.limits[account] = change.word
        else:
            self._unguard(account)


@internal
def _unguard(token: address):
    """
    @dev The last guarded token takes the place of the one that leaves.
    """
    # admitted as guarded: there is one at least
    last: uint256 = unsafe_sub((self.head >> GUARDED_SHIFT) & BYTE, 1)
    for i: uint256 in range(GUARDED):
        if self.guarded[i] == token:
            self.guarded[i] = self.guarded[last]
            break
    self.guarded[last] = empty(address)
    self.head = unsafe_sub(self.head, GUARDED_ONE)
    self.limits[token] = 0

"""P24: the executor's interpreter once more, in Python, written from the specification.

It reads the raw bytes (not through our codec), keeps its own balances and allowances, and says what
a run does: the state after it, or the very bytes of its revert. The target, tokens and lenders are
those of ``contracts/``, as far as the house's policy lets a program reach them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NoReturn

from eth_abi import encode

from tidegate.chain import selector

WORD = 1 << 256
MAX = WORD - 1
PROGRAM, DATA, RETURNED = 4096, 1028, 256
NONE = 255
ETH = 0
LAST_PRECOMPILE = 0x11
APPROVE = int.from_bytes(selector("approve(address,uint256)"))
AAVE, ERC3156, UNISWAP, MORPHO, BALANCER = 1, 2, 3, 4, 5
PULLED = (AAVE, ERC3156, MORPHO)
NO_CALLBACK, TWICE, OTHER_AMOUNT, HIGHER_FEE, LENDS_NOTHING, PULLS_LESS = 1, 2, 16, 64, 128, 256


class Reverted(Exception):
    """The run reverts with these bytes."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data.hex())
        self.data = data


class Unpredictable(Exception):
    """The run depends on gas left, or on what a precompile answers to a token's call.

    (SHA-256 at address 2 answers ``balanceOf`` with a hash, the same before and after: a line on it
    is a line on nothing, like one on any token that the program does not touch.)
    """


def fail(name: str, types: str, *values: object) -> NoReturn:
    raise Reverted(selector(f"{name}({types})") + encode(types.split(","), values))


def say(text: str) -> NoReturn:
    fail("Error", "string", text)


def need(holds: bool, text: str) -> None:
    if not holds:
        say(text)


def checked(value: int) -> int:
    if not 0 <= value < WORD:
        raise Reverted
    return value


@dataclass
class Rules:
    """What the owner has allowed, and who is who. Accounts are integers."""

    executor: int
    treasury: int
    target: int
    tokens: tuple[int, int]
    roles: dict[int, int]
    policy: dict[bytes, int]
    lenders: dict[int, int]
    spenders: set[int]
    assets: set[int]
    caps: dict[int, int]
    limits: dict[int, tuple[int, int]]
    chain_id: int
    now: int = 0


@dataclass
class State:
    """Everything that a run may change."""

    balances: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    allowances: dict[tuple[int, int, int], int] = field(default_factory=lambda: defaultdict(int))
    calls: int = 0
    kept: tuple[int, int] = (0, 0)
    terms: dict[int, tuple[int, int]] = field(default_factory=dict)  # lender: fee in bps, tricks
    used: set[bytes] = field(default_factory=set)

    def copy(self) -> State:
        """Return a state that can change without this one."""
        return State(
            self.balances.copy(),
            self.allowances.copy(),
            self.calls,
            self.kept,
            dict(self.terms),
            set(self.used),
        )


@dataclass
class Result:
    """A run that went through."""

    deltas: tuple[int, ...]
    registers: tuple[int, ...]
    tags: tuple[int, ...]


class Model:
    """One run. ``execute`` is its entry; the state is good only if it returns."""

    def __init__(self, rules: Rules, state: State) -> None:
        self.rules, self.state = rules, state
        self.registers = [0] * 16
        self.expect: tuple[int, int, int, int] | None = None
        self.tags: list[int] = []

    def execute(self, raw: bytes, *, sender: int, value: int, exempt: bool = False) -> Result:
        """Run ``raw`` as ``execute``, or as ``unwind`` if ``exempt``."""
        if len(raw) > PROGRAM:
            raise Reverted
        self.raw = raw
        self.state.balances[ETH, sender] -= value
        self.state.balances[ETH, self.rules.executor] += value
        head = self.word(0)
        need(self.rules.roles.get(sender) == (4 if exempt else 1), "atomic: role")
        flags, registers, lines = head >> 240 & 0xFF, head >> 232 & 0xFF, head >> 224 & 0xFF
        if head >> 248 != 1 or flags > 1 or registers > 16 or not 1 <= lines <= 8 or head & 0xFFFF_FFFF:
            say("atomic: malformed")
        self.declared = registers
        need(head >> 32 & (1 << 64) - 1 == self.rules.chain_id, "atomic: chain")
        need(self.rules.now <= head >> 184 & (1 << 40) - 1, "atomic: expired")
        need(self.rules.now >= head >> 144 & (1 << 40) - 1, "atomic: early")
        cursor = 32
        if flags:
            run_id = self.word(32).to_bytes(32)
            need(run_id not in self.state.used, "atomic: run id used")
            self.state.used.add(run_id)
            cursor = 64
        parsed, cursor = self.lines(cursor, lines)
        guarded = {} if exempt else {token: self.balance(token) for token in self.rules.limits}
        self.frame(cursor, len(raw))
        deltas = self.settle(parsed, guarded)
        return Result(deltas, tuple(self.registers[:registers]), tuple(self.tags[:128]))

    def lines(self, cursor: int, count: int) -> tuple[list[tuple[int, bool, int, int]], int]:
        parsed: list[tuple[int, bool, int, int]] = []
        for _ in range(count):
            line = self.word(cursor)
            token, flags = line >> 96, line >> 88 & 0xFF
            ascends = not parsed or token > parsed[-1][0]
            if not ascends or flags > 1 or line & (1 << 88) - 1:
                say("atomic: malformed")
            parsed.append((token, bool(flags), self.balance(token), cursor + 32))
            cursor += 64
        return parsed, cursor

    def settle(self, lines: list[tuple[int, bool, int, int]], guarded: dict[int, int]) -> tuple[int, ...]:
        deltas = []
        for token, _, before, floor_at in lines:
            floor = signed(self.word(floor_at))
            delta = self.balance(token) - before
            if delta < floor:
                fail("DeltaTooLow", "address,int256,int256", shown(token), delta, floor)
            deltas.append(delta)
        for token, before in guarded.items():
            loss = before - self.balance(token)
            per_run, per_day = self.rules.limits[token]
            if loss > 0 and (loss > per_run or loss > per_day):
                fail("LossTooHigh", "address,uint256,uint256", shown(token), loss, loss)
        for (token, payout, _, _), delta in zip(lines, deltas, strict=True):
            if payout and delta > 0:
                self.move(token, self.rules.executor, self.rules.treasury, delta)
        return tuple(deltas)

    def frame(self, cursor: int, stop: int) -> None:
        """Run the ops from ``cursor`` to ``stop``; the approvals of the frame end at zero."""
        self.tags.append(255)
        outer = getattr(self, "result", b"")
        self.result, approvals = b"", []
        for _ in range(128):
            if cursor >= stop:
                break
            step = self.word(cursor)
            op = step >> 248
            self.tags.append(step >> 240 & 0xFF)
            if op in (1, 2):
                cursor = self.call(step, op, cursor)
            elif op == 3:
                self.approve(step, cursor, approvals)
                cursor += 64
            elif op == 4:
                cursor = self.flash(step, cursor, stop)
            elif op == 5:
                self.load(step)
                cursor += 32
            elif op == 6:
                self.math(step)
                cursor += 32
            elif op == 7:
                cursor += 32 + self.check(step)
            elif op == 8:
                self.write(step >> 232 & 0xFF, self.returned(step, 0, step >> 224 & 0xFF))
                cursor += 32
            else:
                say("atomic: malformed")
        if cursor != stop:
            say("atomic: malformed")
        for token, spender, zero_after in approvals:
            place = token, self.rules.executor, spender
            if zero_after:
                self.state.allowances[place] = 0
            if self.state.allowances[place]:
                fail("AllowanceLeft", "address,address", shown(token), shown(spender))
        self.result = outer

    def call(self, step: int, op: int, cursor: int) -> int:
        size, patches = step >> 192 & 0xFFFF, step >> 232 & 0xFF
        if not 4 <= size <= DATA:
            say("atomic: malformed")
        data = bytearray(self.slice(cursor + 28, size))
        cursor += 28 + size
        if patches:
            if patches > 15:
                say("atomic: malformed")
            cursor += 2 * patches
            pairs = self.word(cursor - 32)
            for _ in range(patches):
                at = 4 + 32 * (pairs >> 8 & 0xFF)
                if at + 32 > size:
                    say("atomic: malformed")
                data[at : at + 32] = self.read(pairs & 0xFF).to_bytes(32)
                pairs >>= 16
        key = (step & (1 << 192) - 1).to_bytes(24) + bytes(8)
        amount = self.permit(step, op, key, bytes(data))
        succeeded, result = self.effect(step >> 32 & (1 << 160) - 1, bytes(data), amount)
        self.result = result[:RETURNED]
        if not succeeded:
            self.step_failed(step, step)
        permission = self.rules.policy[key]
        if self.result and permission & 16 and self.result[:32] != (1).to_bytes(32):
            self.step_failed(step, step)
        capture = step >> 216 & 0xFF
        if capture != NONE:
            need(capture < self.declared, "atomic: register")
            self.write(capture, self.returned(step, step, step >> 208 & 0xFF))
        return cursor

    def permit(self, step: int, op: int, key: bytes, data: bytes) -> int:
        """Apply the policy word; return the wei to send."""
        word, tag, amount = self.rules.policy.get(key, 0), step >> 240 & 0xFF, 0

        def deny(rule: int) -> NoReturn:
            fail("PolicyDenied", "uint256,bytes32,uint256", tag, key, rule)

        if not word & op:
            deny(1)
        if step >> 224 & 0xFF != NONE:
            if op == 2 or not word & 4:
                deny(2)
            amount = self.read(step >> 224 & 0xFF)
        expires_at = word >> 8 & (1 << 40) - 1
        if expires_at and self.rules.now > expires_at:
            deny(3)
        rules = word >> 64
        for place in range(12):
            if not rules:
                break
            start = 4 + 32 * ((rules & 0xFF) - 1)
            argument = int.from_bytes(data[start : start + 32])
            if start + 32 > len(data) or not self.admits(rules >> 8 & 0xFF, argument):
                deny(16 + place)
            rules >>= 16
        return amount

    def admits(self, kind: int, argument: int) -> bool:
        rules = self.rules
        if kind in (1, 2):
            return argument == rules.executor or (kind == 2 and argument == rules.treasury)
        if kind == 3:
            return argument in rules.assets
        if kind < 128:
            cap = rules.caps.get(kind, 0)
            return cap != 0 and argument <= cap
        return argument == 32 * (kind - 128)

    def approve(self, step: int, cursor: int, approvals: list[tuple[int, int, bool]]) -> None:
        tag, token = step >> 240 & 0xFF, step >> 80 & (1 << 160) - 1
        key = (token << 96 | APPROVE << 64).to_bytes(32)
        spender = self.word(cursor + 32) >> 96
        if not self.rules.policy.get(key, 0) & 8:
            fail("PolicyDenied", "uint256,bytes32,uint256", tag, key, 1)
        if spender not in self.rules.spenders:
            fail("PolicyDenied", "uint256,bytes32,uint256", tag, spender.to_bytes(32), 5)
        if len(approvals) == 8:
            say("atomic: malformed")
        amount = self.read(step >> 72 & 0xFF)
        self.state.allowances[token, self.rules.executor, spender] = amount
        approvals.append((token, spender, bool(step >> 64 & 1)))

    def flash(self, step: int, cursor: int, stop: int) -> int:
        tag, kind, lender = step >> 240 & 0xFF, step >> 232 & 0xFF, step >> 72 & (1 << 160) - 1
        if not self.rules.lenders.get(lender, 0) >> kind & 1:
            fail("PolicyDenied", "uint256,bytes32,uint256", tag, lender.to_bytes(32), 6)
        terms = self.word(cursor + 32)
        token, side = terms >> 96, terms >> 72 & 0xFF
        amount = self.read(terms >> 88 & 0xFF)
        scope, end = cursor + 96, cursor + 96 + (step >> 56 & 0xFFFF)
        if end > stop:
            say("atomic: malformed")
        self.expect = (lender, kind, scope, end)
        if kind == UNISWAP:
            side = 1 if side and amount else 0
            self.lend(lender, kind, self.rules.tokens[side], amount, side)
        else:
            self.lend(lender, kind, token, amount, 0)
        need(self.expect is None, "atomic: no callback")
        if kind in PULLED and self.allowance(token, lender):
            fail("AllowanceLeft", "address,address", shown(token), shown(lender))
        return end

    def lend(self, lender: int, kind: int, token: int, amount: int, side: int) -> None:
        """Do what ``contracts/lending.vy`` does."""
        fee_bps, trick = self.state.terms[lender]
        fee = 0 if kind == MORPHO else checked(checked(amount * fee_bps) + 9999) // 10_000
        fee = checked(fee + bool(trick & HIGHER_FEE))
        self.known(token)
        before = self.balance(token, lender)
        if not trick & LENDS_NOTHING:
            self.move(token, lender, self.rules.executor, amount)
        said = checked(amount + 1) if trick & OTHER_AMOUNT else amount
        for wanted in (not trick & NO_CALLBACK, bool(trick & TWICE)):
            if wanted:
                self.called_back(lender, kind, token, said, fee, side)
        if kind in PULLED:
            owed = checked(checked(amount + fee) - bool(trick & PULLS_LESS))
            if not trick & NO_CALLBACK:
                self.pull(token, lender, owed)
        elif not trick & (NO_CALLBACK | LENDS_NOTHING):
            need(self.balance(token, lender) >= checked(before + fee), "lender: not repaid")

    def called_back(self, lender: int, kind: int, token: int, amount: int, fee: int, side: int) -> None:
        if self.expect is None or self.expect[:2] != (lender, kind):
            say("atomic: bad callback")
        _, _, scope, end = self.expect
        self.expect = None
        terms, max_fee = self.word(scope - 64), self.word(scope - 32)
        asked, owed = terms >> 96, self.read(terms >> 88 & 0xFF)
        if kind == UNISWAP:
            fee = fee if side == bool(terms >> 72 & 0xFF) else 0
        else:
            need(amount == owed, "atomic: terms")
            need(kind == MORPHO or token == asked, "atomic: terms")
        if kind == MORPHO:
            fee = 0  # it reports none
        if fee > max_fee:
            fail("FeeTooHigh", "uint256,uint256", fee, max_fee)
        owed = checked(owed + fee)
        register = terms >> 80 & 0xFF
        if register != NONE:
            need(register < self.declared, "atomic: register")
            self.write(register, owed)
        self.frame(scope, end)
        if kind in PULLED:
            self.known(asked)
            self.state.allowances[asked, self.rules.executor, lender] = owed
        else:
            need(asked != ETH, "atomic: transfer")  # no lender here takes ether
            self.move(asked, self.rules.executor, lender, owed)

    def load(self, step: int) -> None:
        source, operand = step >> 224 & 0xFF, step & (1 << 224) - 1
        if source == 0:
            loaded = operand
        elif source == 1:
            loaded = self.balance(operand & (1 << 160) - 1)
        elif source == 2:
            loaded = self.rules.now
        elif source == 3:
            loaded = 0  # the base fee of the fast world
        elif source == 4:
            raise Unpredictable
        else:
            say("atomic: malformed")
        self.write(step >> 232 & 0xFF, loaded)

    def math(self, step: int) -> None:
        function, immediate = step >> 224 & 0xFF, step & (1 << 128) - 1
        a = self.read(step >> 216 & 0xFF)
        b = self.operand(step >> 208 & 0xFF, immediate)
        if function == 0:
            result = checked(a + b)
        elif function == 1:
            result = checked(a - b)
        elif function == 2:
            result = max(a - b, 0)
        elif function == 3:
            result = min(a, b)
        elif function == 4:
            result = max(a, b)
        elif function in (5, 6):
            c = self.operand(step >> 200 & 0xFF, immediate)
            product = checked(a * b)
            if not c:
                raise Reverted
            result = product // c if function == 5 else -(-product // c)
        elif function in (7, 8, 9):
            product = checked(a * b)
            result = {7: product // 10**4, 8: -(-product // 10**4), 9: product // 10**18}[function]
        else:
            checked(a * b)
            say("atomic: malformed")
        self.write(step >> 232 & 0xFF, result)

    def check(self, step: int) -> int:
        """Return how many bytes to skip."""
        a = self.read(step >> 224 & 0xFF)
        b = self.operand(step >> 216 & 0xFF, step & (1 << 128) - 1)
        comparison = step >> 232 & 0xFF
        if comparison == 3:
            holds = checked(abs(a - b) * 10_000) <= checked(b * (step >> 192 & 0xFFFF))
        elif comparison < 3:
            holds = (a >= b, a <= b, a == b)[comparison]
        else:
            say("atomic: malformed")
        if holds:
            return 0
        skip = step >> 176 & 0xFFFF
        if not skip:
            fail("CheckFailed", "uint256,uint256,uint256", step >> 240 & 0xFF, a, b)
        return skip

    def effect(self, account: int, data: bytes, value: int) -> tuple[bool, bytes]:
        """Do what the called contract does; return success and its answer."""
        executor = self.rules.executor
        if value > self.state.balances[ETH, executor]:
            return False, b""
        self.state.balances[ETH, executor] -= value
        self.state.balances[ETH, account] += value
        try:
            if account == self.rules.target:
                return True, self.target(data, value)
            return True, self.token(account, data, value)
        except Reverted as refused:
            return False, refused.data

    def target(self, data: bytes, value: int) -> bytes:
        """Do what ``contracts/target.vy`` does."""
        name, words = TARGET[data[:4]]
        if len(data) < 4 + 32 * words or (value and name not in ("answer", "keep")):
            raise Reverted
        arguments = [int.from_bytes(data[4 + 32 * i : 36 + 32 * i]) for i in range(words)]
        state, executor, target = self.state, self.rules.executor, self.rules.target
        match name, arguments:
            case (("answer" | "look" | "refuse"), [size, seed]):
                state.calls += name == "answer"
                if size > 10_240:
                    raise Reverted
                answer = b"".join(((seed + i) % WORD).to_bytes(32) for i in range(8)).ljust(10_240, b"\0")
                if name == "refuse":
                    raise Reverted(answer[:size])
                return answer[:size]
            case "pull", [token, amount]:
                self.pull(account_of(token), target, amount)
            case "push", [token, amount]:
                self.known(account_of(token))
                self.move(token, target, executor, amount)
            case "swap", [token_in, token_out, amount_in, amount_out]:
                for token in (token_in, token_out):
                    self.known(account_of(token))
                self.pull(token_in, target, amount_in)
                self.move(token_out, target, executor, amount_out)
                return amount_out.to_bytes(32)
            case "keep", [first, second]:
                state.kept = (first, second)
            case "pay", [amount]:
                self.move(ETH, target, executor, amount)
        return b""

    def token(self, token: int, data: bytes, value: int) -> bytes:
        """Do what an honest ``contracts/token.vy`` does, called by the executor."""
        if data[:4] == BALANCE_OF:
            if len(data) < 36 or value:
                raise Reverted
            return self.balance(token, account_of(int.from_bytes(data[4:36]))).to_bytes(32)
        if len(data) < 68 or value:
            raise Reverted
        recipient, amount = account_of(int.from_bytes(data[4:36])), int.from_bytes(data[36:68])
        self.move(token, self.rules.executor, recipient, amount)
        return (1).to_bytes(32)

    def pull(self, token: int, spender: int, amount: int) -> None:
        """Move from the executor by its allowance."""
        self.known(token)
        place = token, self.rules.executor, spender
        self.state.allowances[place] = checked(self.state.allowances[place] - amount)
        self.move(token, self.rules.executor, spender, amount)

    def move(self, token: int, sender: int, recipient: int, amount: int) -> None:
        if token != ETH:
            self.known(token)
            checked(amount * 10_000)
        left = checked(self.state.balances[token, sender] - amount)
        self.state.balances[token, sender] = left
        self.state.balances[token, recipient] += amount

    def balance(self, token: int, holder: int | None = None) -> int:
        if token != ETH:
            self.known(token)
        return self.state.balances[token, self.rules.executor if holder is None else holder]

    def allowance(self, token: int, spender: int) -> int:
        self.known(token)
        return self.state.allowances[token, self.rules.executor, spender]

    def known(self, token: int) -> None:
        if 0 < token <= LAST_PRECOMPILE:
            raise Unpredictable
        if token not in self.rules.tokens:
            raise Reverted

    def returned(self, step: int, called: int, word: int) -> int:
        if 32 * word + 32 > len(self.result):
            self.step_failed(step, called)
        return int.from_bytes(self.result[32 * word : 32 * word + 32])

    def step_failed(self, step: int, called: int) -> NoReturn:
        target, function = called >> 32 & (1 << 160) - 1, (called & 0xFFFF_FFFF).to_bytes(4)
        fail(
            "StepFailed",
            "uint256,address,bytes4,bytes",
            step >> 240 & 0xFF,
            shown(target),
            function,
            self.result,
        )

    def operand(self, register: int, immediate: int) -> int:
        return immediate if register == NONE else self.read(register)

    def read(self, register: int) -> int:
        if register > 15:
            raise Reverted
        return self.registers[register]

    def write(self, register: int, value: int) -> None:
        need(register < self.declared, "atomic: register")
        self.registers[register] = value

    def word(self, at: int) -> int:
        return int.from_bytes(self.slice(at, 32))

    def slice(self, at: int, size: int) -> bytes:
        if at < 0 or at + size > len(self.raw):
            raise Reverted
        return self.raw[at : at + size]


TARGET = {
    selector(f"{name}({types})"): (name, len(types.split(",")))
    for name, types in {
        "answer": "uint256,uint256",
        "look": "uint256,uint256",
        "refuse": "uint256,uint256",
        "pull": "address,uint256",
        "push": "address,uint256",
        "swap": "address,address,uint256,uint256",
        "keep": "uint256,uint256",
        "pay": "uint256",
    }.items()
}
BALANCE_OF = selector("balanceOf(address)")


def account_of(word: int) -> int:
    """Return the address in an argument word; dirty upper bits are no address."""
    if word >> 160:
        raise Reverted
    return word


def signed(word: int) -> int:
    return word - WORD if word >> 255 else word


def shown(account: int) -> str:
    return f"0x{account:040x}"

"""Random programs for P24: mostly sensible, often on an edge, sometimes damaged."""

from __future__ import annotations

from random import Random

from tests.hostile.atomic.house import (
    ANSWER,
    FOREVER_S,
    KEEP,
    LOOK,
    PAY,
    PULL,
    PUSH,
    REFUSE,
    SWAP,
    TRANSFER,
    TREASURY,
    House,
)

from tidegate.chain import encode_call, selector
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Check,
    Comparison,
    Flash,
    FlashKind,
    Line,
    Load,
    LoadSource,
    Math,
    MathFunction,
    Op,
    Patch,
    Program,
    ProgramRefused,
    Take,
    assemble,
    encoded_sizes,
)

SMALL = (0, 1, 2, 7, 99, 100, 101, 1_000, 5_000, 10_000)
LARGE = (999_999, 1_000_001, 10**18, 2**128 - 1, 2**128, 2**224 - 1)
SIZES = (0, 31, 32, 33, 64, 64, 256, 256, 256, 257, 10_000, 10_241)
DAMAGED = 0.15
CAPTURED = {selector(name) for name in (ANSWER, LOOK, SWAP, "balanceOf(address)")}


class Generator:
    """Makes one program after another from ``random``; the same seed makes the same ones."""

    def __init__(self, house: House, random: Random) -> None:
        self.house, self.random = house, random
        self.tokens = (house.a, house.b)

    def raw(self) -> bytes:
        """Return the bytes of a program, some of them damaged."""
        while True:
            try:
                raw = bytearray(assemble(self.program()))
            except ProgramRefused:  # too long, or a register that was not declared
                continue
            if self.random.random() < DAMAGED:
                self.damage(raw)
            return bytes(raw)

    def damage(self, raw: bytearray) -> None:
        random = self.random
        for _ in range(random.choice((1, 1, 2, 4))):
            match random.randrange(6):
                case 0 if raw:
                    del raw[random.randrange(len(raw)) :]
                case 1:
                    raw += random.randbytes(random.choice((1, 31, 32, 64)))
                case 2 if len(raw) > 200:
                    start = random.randrange(96, len(raw) - 64, 32)
                    raw[start : start + 32] = raw[start + 32 : start + 64]
                case _ if raw:
                    raw[random.randrange(len(raw))] = random.choice(
                        (0, 1, 2, 4, 8, 32, 255, random.randrange(256))
                    )

    def program(self) -> Program:
        random, tag = self.random, iter(range(255))
        self.declared = random.choice((0, 4, 8, 8, 16, 16, 16))
        self.tags = tag
        ops = self.frame(2, random.randint(1, 8))
        return Program(
            chain_id=self.house.world.chain_id if random.random() < 0.995 else 2,
            deadline=FOREVER_S if random.random() < 0.995 else 1,
            max_base_fee=random.choice((0, 2**48 - 1)),
            registers=self.declared,
            lines=self.lines(),
            ops=ops,
            not_before=0 if random.random() < 0.995 else FOREVER_S,
            run_id=random.randbytes(32) if random.random() < 0.1 else None,
        )

    def lines(self) -> tuple[Line, ...]:
        random = self.random
        chosen = [token for token in (ZERO_ADDRESS, *self.tokens) if random.random() < 0.6] or [
            self.tokens[0]
        ]
        floors = (-(2**255), -(2**255), -(10**9), -(10**6), -(10**6), -10_000, -100, 0, 1)
        return tuple(
            Line(token, random.choice(floors), random.random() < 0.3) for token in chosen or self.tokens
        )

    def frame(self, depth: int, count: int) -> tuple[Op, ...]:
        ops: tuple[Op, ...] = ()
        for _ in range(count):  # from the end, so that a CHECK knows what it may skip
            ops = (*self.some(depth, ops), *ops)
        return ops

    def some(self, depth: int, later: tuple[Op, ...]) -> tuple[Op, ...]:
        pick = self.random.random()
        if pick < 0.22:
            return self.payment()
        if pick < 0.50:
            return (self.call(),)
        if pick < 0.60:
            return (self.load(),)
        if pick < 0.72:
            return (self.math(),)
        if pick < 0.80:
            return (self.check(later),)
        if pick < 0.83:
            take = Take(next(self.tags), self.register(), self.random.randrange(3))
            return (self.to_target(ANSWER, 64, self.amount()), take) if pick < 0.82 else (take,)
        if pick < 0.86:
            return (self.approval(),)
        return (Load.literal(next(self.tags), 0, self.amount()), self.loan(depth)) if depth else ()

    def payment(self) -> tuple[Op, ...]:
        """Approve and have the target pull, usually the same amount."""
        token, amount, register = self.token(), self.amount(), self.register()
        pulled = amount if self.random.random() < 0.93 else self.amount()
        zero_after = self.random.random() < 0.4
        return (
            Load.literal(next(self.tags), register, amount),
            Approve(next(self.tags), token, self.house.target, register, zero_after),
            self.to_target(PULL, token, pulled)
            if self.random.random() < 0.6
            else self.to_target(SWAP, token, self.token(), pulled, self.amount()),
        )

    def call(self) -> Call:
        random, house = self.random, self.house
        seldom, size = random.random() < 0.2, random.choice(SIZES)
        match random.choices(range(11), (10, 10, 10, 1, 10, 10, 2, 10, 10, 10, 10))[0]:
            case 0 | 1:
                return self.to_target(
                    ANSWER, random.choice(SIZES), self.amount(), value=random.random() < 0.2
                )
            case 2:
                return self.to_target(
                    LOOK, random.choice(SIZES), self.amount(), is_read=random.random() < 0.9
                )
            case 3:
                return self.to_target(REFUSE, size, 7)
            case 4 | 5:
                return self.to_target(PUSH, self.token(), self.amount())
            case 6:
                return self.to_target(SWAP, self.token(), self.token(), self.amount(), self.amount())
            case 7:
                first = random.choices((int(house.a, 16), 0, 2**160 + int(house.a, 16)), (90, 5, 5))[0]
                second = self.amount() if seldom else random.choice((0, 1, 999, 1_000))
                return self.to_target(KEEP, first, second, value=seldom)
            case 8:
                return self.to_target(PAY, self.amount())
            case 9:
                recipients = (TREASURY, house.executor, house.target)
                recipient = random.choices(recipients, (45, 45, 10))[0]
                data = encode_call(TRANSFER, recipient, self.amount())
                return self.step(self.token(), data)
            case _:
                data = encode_call("balanceOf(address)", random.choice((house.executor, house.target)))
                return self.step(self.token(), data, is_read=True)

    def to_target(self, signature: str, *arguments: object, **fields: bool) -> Call:
        return self.step(self.house.target, encode_call(signature, *arguments), **fields)

    def step(self, target: Address, data: bytes, *, value: bool = False, is_read: bool = False) -> Call:
        random = self.random
        if random.random() < 0.03:
            data = data[: random.randrange(4, len(data) + 1)]
        elif random.random() < 0.03:
            data += random.randbytes(random.randrange(40))
        words = (len(data) - 4) // 32
        count = random.choices((0, 1, 2), (90, 8, 2))[0] if words else 0
        captured = Capture(self.register(), random.choice((0, 0, 0, 0, 0, 0, 1, 7)))
        captures = random.random() < (0.3 if data[:4] in CAPTURED else 0.01)
        return Call(
            next(self.tags),
            target,
            data,
            patches=tuple(Patch(random.randrange(words), self.register()) for _ in range(count)),
            capture=captured if captures else None,
            value_register=self.register() if value and not is_read else None,
            is_read=is_read,
        )

    def load(self) -> Load:
        match self.random.randrange(5):
            case 0:
                return Load.balance(
                    next(self.tags), self.register(), self.random.choice((*self.tokens, ZERO_ADDRESS))
                )
            case 1:
                return Load(next(self.tags), self.register(), LoadSource.TIME)
            case 2:
                return Load(next(self.tags), self.register(), LoadSource.BASE_FEE)
            case _:
                return Load.literal(next(self.tags), self.register(), self.amount())

    def math(self) -> Math:
        random = self.random
        function = random.choice(list(MathFunction))
        b = random.choice((None, self.register()))
        c = random.choice((None, self.register())) if function.takes_c else None
        takes = b is None or (function.takes_c and c is None)
        immediate = random.choice((*SMALL, 10_000, 10**18, 2**128 - 1)) if takes else 0
        return Math(next(self.tags), self.register(), function, self.register(), b, c, immediate)

    def check(self, later: tuple[Op, ...]) -> Check:
        random = self.random
        comparison = random.choice(list(Comparison))
        b = random.choice((None, self.register()))
        near = comparison is Comparison.NEAR
        skip = (
            encoded_sizes(later[: random.randint(1, len(later))]) if later and random.random() < 0.85 else 0
        )
        return Check(
            next(self.tags),
            comparison,
            self.register(),
            b,
            immediate=random.choice(SMALL) if b is None else 0,
            bps=random.choice((0, 50, 10_000)) if near else 0,
            skip=skip,
        )

    def approval(self) -> Approve:
        house = self.house
        spenders = (house.target, house.pool, house.accomplice)
        spender = self.random.choices(spenders, (80, 15, 5))[0]
        return Approve(next(self.tags), self.token(), spender, self.register(), self.random.random() < 0.8)

    def loan(self, depth: int) -> Flash:
        random, house = self.random, self.house
        kind = random.choice(list(FlashKind))
        side = random.randrange(2) if kind is FlashKind.UNISWAP_V3 else 0
        token = house.b if side else house.a
        if random.random() < 0.05:
            token = random.choice((*self.tokens, ZERO_ADDRESS))
        lender = house.lender(kind)
        if random.random() < 0.03:
            lender = random.choice((house.pool, house.morpho, house.target))
        return Flash(
            next(self.tags),
            kind,
            lender,
            token,
            amount_register=0 if random.random() < 0.9 else self.register(),
            ops=self.frame(depth - 1, random.randint(0, 3)),
            repay_register=self.register() if random.random() < 0.3 else None,
            side=side,
            max_fee=random.choice((0, 10_000, 10_000, 10**30)),
        )

    def token(self) -> Address:
        return self.random.choice(self.tokens)

    def register(self) -> int:
        return self.random.randrange(max(self.declared, 1))

    def amount(self) -> int:
        return self.random.choice(SMALL if self.random.random() < 0.98 else LARGE)

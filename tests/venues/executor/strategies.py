"""Random programs that keep every rule of the format (hypothesis)."""

from hypothesis import strategies as st

from tidegate.chain import address
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
    Patch,
    Program,
    Take,
    encoded_sizes,
)

REGISTERS = 16
addresses = st.integers(0, 2**160 - 1).map(address)
registers = st.integers(0, REGISTERS - 1)
maybe_registers = st.none() | registers
words = st.integers(0, 2**256 - 1)


@st.composite
def calls(draw, tags):
    data = draw(st.binary(min_size=4, max_size=164))
    places = (len(data) - 4) // 32
    patches = st.builds(Patch, st.integers(0, max(places - 1, 0)), registers)
    is_read = draw(st.booleans())
    return Call(
        next(tags),
        draw(addresses),
        data,
        patches=tuple(draw(st.lists(patches, max_size=3 if places else 0))),
        capture=draw(st.none() | st.builds(Capture, registers, st.integers(0, 7))),
        value_register=None if is_read else draw(maybe_registers),
        is_read=is_read,
    )


@st.composite
def loads(draw, tags):
    source = draw(st.sampled_from(LoadSource))
    top = {LoadSource.LITERAL: 2**224 - 1, LoadSource.BALANCE: 2**160 - 1}.get(source, 0)
    return Load(next(tags), draw(registers), source, draw(st.integers(0, top)))


@st.composite
def maths(draw, tags):
    function = draw(st.sampled_from(MathFunction))
    b = draw(maybe_registers)
    c = draw(maybe_registers) if function.takes_c else None
    takes_immediate = b is None or (function.takes_c and c is None)
    immediate = draw(st.integers(0, 2**128 - 1)) if takes_immediate else 0
    return Math(next(tags), draw(registers), function, draw(registers), b, c, immediate)


@st.composite
def flashes(draw, tags, depth):
    kind = draw(st.sampled_from(FlashKind))
    return Flash(
        next(tags),
        kind,
        draw(addresses),
        draw(addresses),
        draw(registers),
        ops=draw(frames(tags, depth - 1)),
        repay_register=draw(maybe_registers),
        side=draw(st.integers(0, 1)) if kind is FlashKind.UNISWAP_V3 else 0,
        max_fee=draw(words),
    )


@st.composite
def approvals(draw, tags):
    return Approve(next(tags), draw(addresses), draw(addresses), draw(registers), draw(st.booleans()))


@st.composite
def takes(draw, tags):
    return Take(next(tags), draw(registers), draw(st.integers(0, 7)))


@st.composite
def checks(draw, tags, later):
    comparison = draw(st.sampled_from(Comparison))
    b = draw(maybe_registers)
    skipped = draw(st.integers(0, len(later)))
    return Check(
        next(tags),
        comparison,
        draw(registers),
        b,
        immediate=draw(st.integers(0, 2**128 - 1)) if b is None else 0,
        bps=draw(st.integers(0, 65_535)) if comparison is Comparison.NEAR else 0,
        skip=encoded_sizes(later[:skipped]),
    )


@st.composite
def frames(draw, tags, depth):
    kinds = [calls, loads, maths, takes, approvals, "check"] + [flashes] * (depth > 0)
    ops = ()
    # Built from the end, so that a CHECK knows the sizes of what it may skip.
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=5)):
        if kind == "check":
            op = draw(checks(tags, ops))
        elif kind is flashes:
            op = draw(flashes(tags, depth))
        else:
            op = draw(kind(tags))
        ops = (op, *ops)
    return ops


@st.composite
def programs(draw):
    tokens = draw(st.sets(st.integers(0, 2**160 - 1), min_size=1, max_size=8))
    floors = st.integers(-(2**255), 2**255 - 1)
    return Program(
        chain_id=draw(st.integers(0, 2**64 - 1)),
        deadline=draw(st.integers(0, 2**40 - 1)),
        max_base_fee=draw(st.integers(0, 2**48 - 1)),
        registers=REGISTERS,
        lines=tuple(Line(address(token), draw(floors), draw(st.booleans())) for token in sorted(tokens)),
        ops=draw(frames(iter(range(255)), 2)),
        not_before=draw(st.integers(0, 2**40 - 1)),
        run_id=draw(st.none() | st.binary(min_size=32, max_size=32)),
    )

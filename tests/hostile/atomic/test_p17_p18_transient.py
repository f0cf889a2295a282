"""P17, P18: after each outermost call every transient word is zero; two runs do not know each other.

The transient words have no view. A second build of the same source with one view added, ``peek``,
shows them; its storage and transient layout are those of the original.
"""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    DEPLOYER,
    OPERATOR,
    OWNER,
    PUSH,
    TREASURY,
    WETH,
    Action,
    build_house,
)

from tidegate.chain import decode_output, encode_arguments, selector
from tidegate.sim import CONTRACTS as SOURCES
from tidegate.sim import compile_contract
from tidegate.venues.executor import (
    Capture,
    Change,
    FlashKind,
    Line,
    Load,
    Role,
    assemble,
    encode_execute,
    encode_simulate,
)

PEEK = '''

@external
@view
def peek() -> uint256[36]:
    """
    @notice Every transient word.
    """
    seen: uint256[36] = empty(uint256[36])
    seen[0] = convert(self.lock, uint256)
    seen[1] = self.expect
    seen[2] = convert(self.digest, uint256)
    seen[3] = self.traced
    for i: uint256 in range(16):
        seen[4 + i] = self.regs[i]
        seen[20 + i] = self.trace[i]
    return seen
'''


@pytest.fixture(scope="module")
def open_house(tmp_path_factory):
    """A house whose executor shows its transient words; the puppet is its operator."""
    path = tmp_path_factory.mktemp("peek") / "executor_with_peek.vy"
    path.write_text((SOURCES / "atomic_executor.vy").read_text() + PEEK)
    initcode = compile_contract(path).initcode

    def deploy(world):
        arguments = encode_arguments(
            ["address", "address", "address", "uint256", "address[]"], [OWNER, TREASURY, WETH, 0, []]
        )
        return world.deploy(initcode + arguments, sender=DEPLOYER)

    house = build_house(deploy)
    house.allow(Change.role(house.puppet, Role.OPERATOR))
    return house


@pytest.fixture
def seen(open_house):
    with open_house.world.snapshot():
        yield open_house


PEEKED = selector("peek()")


def busy(house, *, lines=None, **fields):
    """A program that writes every transient word there is."""
    kinds = list(FlashKind)
    op = house.call(1, PUSH, house.a, 5)
    for level, kind in enumerate(kinds):
        op = house.loan(10 + level, kind, op, repay_register=level)
    loads = [Load.literal(100 + place, place, 10 + place) for place in range(16)]
    return house.program(*loads, op, lines=lines or [Line(house.a, 5)], **fields)


def peeks(house):
    answers = house.read(house.puppet, "all_reasons()", "bytes[]")
    return [decode_output(("uint256[36]",), data)[0] for data in answers if len(data) == 32 * 36]


def look(house):
    return Action(house.executor, PEEKED, swallow=False)


def test_the_view_sees_a_run_from_inside(seen):
    """The adjacent negative: while a run is under way the words are not zero, and peek shows it."""
    house = seen
    house.teach(look(house))
    inside = house.loan(1, FlashKind.MORPHO_BLUE, house.poke(2))
    house.run(house.program(Load.literal(0, 0, 10), inside))
    (found,) = peeks(house)
    assert found[0] == int(OPERATOR, 16)
    assert found[1:4] == (0, 0, 0)  # the scope has begun: nothing is expected any more
    assert found[4] == 10


def outermost_calls(house):
    good, bad = assemble(busy(house)), assemble(busy(house, lines=[Line(house.a, 10**9)]))
    failing = assemble(house.program(house.call(0, "refuse(uint256,uint256)", 4, 0)))
    return {
        "a run": encode_execute(good),
        "a run that misses its bound": encode_execute(bad),
        "a run whose step fails": encode_execute(failing),
        "a simulation": encode_simulate(good),
        "garbage": encode_execute(b"\1" * 100),
        "a stranger's callback": bytes.fromhex("31f57072") + bytes(64),
    }


NAMES = [
    "a run", "a run that misses its bound", "a run whose step fails", "a simulation", "garbage",
    "a stranger's callback",
]  # fmt: skip


@attack(
    "P17",
    "look at every transient word after a run, a failure, a simulation",
    stops="every transient word reads zero",
)
@pytest.mark.parametrize("name", NAMES)
def test_p17_nothing_stays_in_the_same_transaction(seen, name):
    house = seen
    house.play(Action(house.executor, outermost_calls(house)[name]), look(house))
    assert house.outcomes() == [name == "a run", True]
    assert set(peeks(house)[-1]) == {0}
    words = house.world.call(house.executor, PEEKED)
    assert words == bytes(32 * 36)


@attack(
    "P17",
    "catch a simulation between two runs",
    stops="its words are undone with it",
)
def test_p17_a_caught_simulation_between_two_runs_changes_neither(seen):
    house = seen
    calls = outermost_calls(house)
    before = house.balance(house.a)
    house.play(
        Action(house.executor, calls["a run"]),
        Action(house.executor, calls["a simulation"]),
        Action(house.executor, calls["a run"]),
        look(house),
    )
    assert house.outcomes() == [True, False, True, True]
    assert house.balance(house.a) == before + 10
    assert set(peeks(house)[-1]) == {0}


@attack(
    "P18",
    "read the first run's registers in the second",
    stops="a run clears its registers",
)
def test_p18_the_second_run_sees_no_register_of_the_first(seen):
    house = seen
    first = house.program(house.call(0, ANSWER, 32, 7, capture=Capture(0)))
    check = house.call(0, ANSWER, 32, 0, value_register=0)  # sends register 0, which must be 0
    second = house.program(check)
    held = house.world.balance(house.executor)
    house.play(
        Action(house.executor, encode_execute(assemble(first))),
        Action(house.executor, encode_execute(assemble(second))),
    )
    assert house.outcomes() == [True, True]
    assert house.world.balance(house.executor) == held


@attack("P18", "carry a gain over from the first run")
def test_p18_the_second_run_has_its_own_lines_and_its_own_trace(seen):
    house = seen
    gain = assemble(house.program(house.call(0, PUSH, house.a, 50), lines=[Line(house.a, 50)]))
    nothing = assemble(house.program(lines=[Line(house.a, 1)]))
    house.play(
        Action(house.executor, encode_execute(gain)),
        Action(house.executor, encode_execute(nothing)),
        Action(house.executor, encode_execute(gain)),
    )
    assert house.outcomes() == [True, False, True]
    assert "changed by 0" in house.reasons()[1]


@attack(
    "P18",
    "fail a run, to lock the next out",
    stops="the lock is undone with the run",
)
def test_p18_a_run_that_fails_does_not_lock_the_next_out(seen):
    house = seen
    calls = outermost_calls(house)
    house.play(
        Action(house.executor, calls["a run that misses its bound"]),
        Action(house.executor, calls["garbage"]),
        Action(house.executor, calls["a run"]),
    )
    assert house.outcomes() == [False, False, True]


def test_the_layout_of_the_open_build_is_the_originals():
    """Else it would prove nothing: the same source, one view more at its end."""
    source = (SOURCES / "atomic_executor.vy").read_text()
    assert source.count(": transient(") == PEEK.count("self.")

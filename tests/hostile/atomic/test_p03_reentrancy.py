"""P3: whoever is called during a run and enters the executor is turned away there.

The intruder swallows the refusal and the run goes on: nothing changed. Then it lets the refusal
through: the run reverts.
"""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ETHER,
    OWNER,
    PAY,
    RESCUER,
    TREASURY,
    Action,
    callback,
)

from tidegate.chain import address, encode_call
from tidegate.model import ZERO_ADDRESS
from tidegate.venues.executor import (
    Change,
    FlashKind,
    Line,
    Load,
    Role,
    assemble,
    encode_accept_ownership,
    encode_apply,
    encode_cancel,
    encode_execute,
    encode_offer_ownership,
    encode_pause,
    encode_schedule,
    encode_simulate,
    encode_sweep,
    encode_sweep_nft,
    encode_tighten,
    encode_unpause,
    encode_unwind,
)

AMOUNT = 10_000
NEWCOMER = address(0xBEEF_0000_0001)
WIDER = [Change.asset(NEWCOMER)]


def entries(house):
    """Every external function, with the role that may call it when no run is under way."""
    program = assemble(house.program())
    sweep = encode_sweep([house.a, ZERO_ADDRESS])
    return {
        "execute": (Role.OPERATOR, encode_execute(program)),
        "simulate": (Role.OPERATOR, encode_simulate(program)),
        "unwind": (Role.RESCUER, encode_unwind(program)),
        "sweep": (Role.RESCUER, sweep),
        "sweep_nft": (Role.RESCUER, encode_sweep_nft(house.a, 0)),
        "pause": (Role.GUARDIAN, encode_pause()),
        "tighten": (Role.GUARDIAN, encode_tighten([Change.asset(NEWCOMER).removed()])),
        "cancel": (Role.GUARDIAN, encode_cancel(WIDER)),
        "apply": (Role.GUARDIAN, encode_apply(WIDER)),
        "schedule": ("owner", encode_schedule(WIDER)),
        "unpause": ("owner", encode_unpause()),
        "offer_ownership": ("owner", encode_offer_ownership(NEWCOMER)),
        "owner's sweep": ("owner", sweep),
        "accept_ownership": ("offered", encode_accept_ownership()),
    }


ENTRIES = [
    "execute", "simulate", "unwind", "sweep", "sweep_nft", "pause", "tighten", "cancel", "apply", "schedule",
    "unpause", "offer_ownership", "owner's sweep", "accept_ownership",
]  # fmt: skip
PLACES = ["target", "target in a scope", "token", "lender", "payout", "sweep", "sweep of one"]


def empower(house, role):
    """Let the puppet hold ``role``, so that the lock alone can keep it out."""
    if role in ("owner", "offered"):
        house.world.transact(house.executor, encode_offer_ownership(house.puppet), sender=OWNER)
        if role == "owner":
            house.play(Action(house.puppet, b""))  # its outcome list starts here
            house.send(
                house.puppet,
                "play((address,uint256,bool,bytes)[])",
                [Action(house.executor, encode_accept_ownership(), swallow=False).as_tuple()],
            )
    else:
        house.allow(Change.role(house.puppet, role))


def enter(house, place):
    """Run what calls the puppet at ``place``; its script enters the executor there."""
    match place:
        case "target":
            house.run(house.program(house.poke(0)))
        case "target in a scope":
            loan = house.loan(1, FlashKind.MORPHO_BLUE, house.poke(2))
            house.run(house.program(Load.literal(0, 0, AMOUNT), loan))
        case "token":
            house.quirk(house.a, "hook", house.puppet)
            house.run(house.program(*house.pull(0, house.a, 1), lines=[Line(house.a, -1)]))
        case "lender":
            house.run(loan_from_puppet(house))
        case "payout":
            gain = house.call(0, PAY, 5)
            house.run(house.program(gain, lines=[Line(ZERO_ADDRESS, 0, payout=True)]))
        case "sweep":
            house.quirk(house.a, "hook", house.puppet)
            house.world.transact(house.executor, encode_sweep([house.a]), sender=RESCUER)
        case "sweep of one":
            data = encode_sweep_nft(house.puppet, 1)
            house.world.transact(house.executor, data, sender=RESCUER)


def loan_from_puppet(house):
    return house.program(Load.literal(0, 0, AMOUNT), house.loan(1, FlashKind.ERC3156, lender=house.puppet))


def lend(house):
    """Return what an honest ERC-3156 lender does, as a puppet's script."""
    program = assemble(loan_from_puppet(house))
    pull = encode_call("transferFrom(address,address,uint256)", house.executor, house.puppet, AMOUNT)
    return (
        Action(house.a, encode_call("transfer(address,uint256)", house.executor, AMOUNT), swallow=False),
        Action(house.executor, callback(FlashKind.ERC3156, house, program, amount=AMOUNT), swallow=False),
        Action(house.a, pull, swallow=False),
    )


def prepare(house, place):
    house.mint(house.a, AMOUNT)
    house.mint(house.a, AMOUNT, house.puppet)
    if place == "lender":
        house.allow(Change.lender(house.puppet, FlashKind.ERC3156))
    if place == "payout":
        house.allow(Change.treasury(house.puppet))


@attack(
    "P3",
    "target, token, lender or treasury enters each function during a run or sweep, and swallows the refusal",
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_p3_entering_during_a_run_is_refused_and_changes_nothing(house, place, entry):
    role, data = entries(house)[entry]
    prepare(house, place)
    empower(house, role)
    known = len(house.outcomes())
    attack = Action(house.executor, data)
    house.teach(attack, *(lend(house) if place == "lender" else ()))
    enter(house, place)
    lent = [True] * 3 if place == "lender" else []
    assert house.outcomes()[known:] in ([False, *lent], [False, False])  # a token moves twice
    assert house.reasons()[known] == "atomic: locked"
    assert house.view("treasury", "address") == (house.puppet if place == "payout" else TREASURY)
    assert house.view("paused", "bool") is False
    assert house.view("eta", "uint256", WIDER[0].id) == 0
    assert house.view("pending_owner", "address") == (house.puppet if role == "offered" else ZERO_ADDRESS)


@pytest.mark.parametrize("entry", ENTRIES)
def test_p3_the_same_call_is_heard_when_no_run_is_under_way(house, entry):
    """The adjacent negative: it is the lock that refuses above, not a missing role."""
    role, data = entries(house)[entry]
    empower(house, role)
    house.quirk(house.a, "silent")
    house.play(Action(house.executor, data))
    assert "locked" not in house.reasons()[-1]
    assert "role" not in house.reasons()[-1]


@attack("P3", "a target enters each function during a run, and lets the refusal through")
@pytest.mark.parametrize("entry", ENTRIES)
def test_p3_a_refusal_that_is_not_swallowed_reverts_the_run(house, entry):
    role, data = entries(house)[entry]
    empower(house, role)
    house.teach(Action(house.executor, data, swallow=False))
    error = house.refusal(house.program(house.poke(7)))
    assert (error.tag, error.root.meaning) == (7, "atomic: locked")


@attack("P3", "target, token or treasury calls back from inside a run")
@pytest.mark.parametrize("kind", list(FlashKind))
@pytest.mark.parametrize("place", ["target", "target in a scope", "token", "payout", "sweep", "sweep of one"])
def test_p3_callbacks_from_inside_are_refused(house, place, kind):
    prepare(house, place)
    house.allow(Change.lender(house.puppet, *FlashKind))
    program = assemble(house.program())
    house.teach(Action(house.executor, callback(kind, house, program, amount=AMOUNT)))
    enter(house, place)
    assert set(house.reasons()) == {"atomic: bad callback"}


@attack("P3", "a token calls out while the lender pulls, into callback and sweep")
def test_p3_a_hook_on_repayment_finds_the_scope_closed(house):
    """The token calls out while the lender pulls: no second scope, no admin, no run."""
    house.quirk(house.a, "hook", house.puppet)
    house.mint(house.a, AMOUNT)
    program = house.program(
        Load.literal(0, 0, AMOUNT),
        house.loan(1, FlashKind.MORPHO_BLUE, house.call(2, "answer(uint256,uint256)", 0, 0)),
    )
    data = callback(FlashKind.MORPHO_BLUE, house, assemble(program), amount=AMOUNT)
    house.teach(Action(house.executor, data), Action(house.executor, encode_sweep([house.a])))
    house.run(program)
    assert set(house.reasons()) == {"atomic: bad callback", "atomic: role", "atomic: locked"} - {
        "atomic: role"
    }
    assert house.balance(house.a) == AMOUNT


@attack("P3", "send ETH between runs, call a function that does not exist")
def test_ether_is_taken_from_weth_and_during_a_run_alone(house):
    assert house.refused_call(b"", sender=OWNER, value=1) == "atomic: unknown call"
    assert house.refused_call(encode_call("nothing()"), sender=OWNER) == "atomic: unknown call"
    before = house.world.balance(house.executor)
    house.run(house.program(house.call(0, PAY, 7)))
    assert house.world.balance(house.executor) == before + 7
    weth = house.view("WETH", "address")
    house.world.set_balance(weth, ETHER)
    house.world.transact(house.executor, b"", sender=weth, value=5)
    assert house.world.balance(house.executor) == before + 12

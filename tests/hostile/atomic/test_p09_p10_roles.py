"""P9, P10: who may do what, unlocked and paused; conflicts of roles; the hand-over.

The locked half of the matrix is P3: during a run nobody may do anything.
"""

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    ANSWER,
    DEPLOYER,
    ETHER,
    FOREVER_S,
    GUARDIAN,
    OPERATOR,
    OWNER,
    RESCUER,
    STRANGER,
    TREASURY,
    WETH,
)

from tidegate.chain import address, encode_call, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Change,
    Line,
    Role,
    assemble,
    decode_error,
    deploy_executor,
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
    executor_build,
)

ACTORS = {
    "owner": OWNER,
    "operator": OPERATOR,
    "guardian": GUARDIAN,
    "rescuer": RESCUER,
    "stranger": STRANGER,
    "offered": address(0xA0_0000_0010),
}
MAY = {
    "execute": {"operator"},
    "simulate": {"operator"},
    "unwind": {"rescuer"},
    "schedule": {"owner"},
    "apply": {"owner", "guardian"},
    "cancel": {"owner", "guardian"},
    "tighten": {"owner", "guardian"},
    "pause": {"owner", "guardian"},
    "unpause": {"owner"},
    "sweep": {"owner", "rescuer"},
    "sweep_nft": {"owner", "rescuer"},
    "offer_ownership": {"owner"},
    "accept_ownership": {"offered"},
}
WHILE_PAUSED = set(MAY) - {"execute", "simulate"}
NEW = Change.asset(STRANGER)


def calldata(house, function):
    program = assemble(house.program(lines=[Line(ZERO_ADDRESS, 0)]))
    return {
        "execute": lambda: encode_execute(program),
        "simulate": lambda: encode_simulate(program),
        "unwind": lambda: encode_unwind(program),
        "schedule": lambda: encode_schedule([NEW]),
        "apply": lambda: encode_apply([NEW]),
        "cancel": lambda: encode_cancel([NEW]),
        "tighten": lambda: encode_tighten([NEW.removed()]),
        "pause": encode_pause,
        "unpause": encode_unpause,
        "sweep": lambda: encode_sweep([ZERO_ADDRESS]),
        "sweep_nft": lambda: encode_sweep_nft(house.a, 0),
        "offer_ownership": lambda: encode_offer_ownership(STRANGER),
        "accept_ownership": encode_accept_ownership,
    }[function]()


def verdict(house, function, actor):
    """Return what the executor answers: done, simulated, or the reason of its refusal."""
    try:
        house.world.transact(house.executor, calldata(house, function), sender=ACTORS[actor])
    except WorldReverted as refused:
        error = decode_error(refused.data)
        return "done" if error.revert.name == "Simulated" else error.meaning
    return "done"


def prepare(house):
    house.quirk(house.a, "silent")  # sweep_nft needs a transferFrom that answers nothing
    house.world.transact(house.executor, encode_offer_ownership(ACTORS["offered"]), sender=OWNER)
    house.world.transact(house.executor, encode_schedule([NEW]), sender=OWNER)
    house.world.set_balance(ACTORS["offered"], ETHER)


@attack("P9 P10", "every account calls every function, unlocked and paused")
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("function", MAY)
def test_p9_p10_each_function_is_for_its_roles(house, function, actor, paused):
    prepare(house)
    if paused:
        house.world.transact(house.executor, encode_pause(), sender=GUARDIAN)
    answer = verdict(house, function, actor)
    if actor not in MAY[function]:
        assert answer == "atomic: role"
    elif paused and function not in WHILE_PAUSED:
        assert answer == "atomic: paused"
    else:
        assert answer == "done"


@attack("P9", "the deployer calls every function")
def test_p9_the_deployer_holds_nothing(house):
    """Whoever deploys is a stranger from the first block."""
    prepare(house)
    for function in MAY:
        assert house.refused_call(calldata(house, function), sender=DEPLOYER) == "atomic: role"


@attack("P9", "schedule a second role for anyone who has one")
@pytest.mark.parametrize("account", [OWNER, OPERATOR, GUARDIAN, RESCUER])
@pytest.mark.parametrize("role", list(Role))
def test_p9_nobody_gets_a_second_role(house, account, role):
    wanted = encode_schedule([Change.role(account, role)])
    assert house.refused_call(wanted, sender=OWNER) == "atomic: inadmissible"


@attack("P9", "apply a second role to one address")
def test_p9_a_role_that_was_taken_meanwhile_blocks_the_scheduled_one(house):
    one, other = Change.role(STRANGER, Role.OPERATOR), Change.role(STRANGER, Role.RESCUER)
    house.world.transact(house.executor, encode_schedule([one, other]), sender=OWNER)
    house.world.transact(house.executor, encode_apply([one]), sender=OWNER)
    assert house.refused_call(encode_apply([other]), sender=OWNER) == "atomic: inadmissible"


@attack("P9", "offer ownership to a holder of a role, accept what was not offered")
def test_p9_ownership_goes_to_an_account_without_role_in_two_steps(house):
    for holder in (OPERATOR, GUARDIAN, RESCUER):
        offer = encode_offer_ownership(holder)
        assert house.refused_call(offer, sender=OWNER) == "atomic: inadmissible"
    house.world.transact(house.executor, encode_offer_ownership(STRANGER), sender=OWNER)
    assert house.view("owner", "address") == OWNER
    house.world.transact(house.executor, encode_accept_ownership(), sender=STRANGER)
    assert house.view("owner", "address") == STRANGER
    assert house.refused_call(encode_unpause(), sender=OWNER) == "atomic: role"
    again = encode_accept_ownership()
    assert house.refused_call(again, sender=STRANGER) == "atomic: role"


@attack("P9", "take ownership while holding a role")
def test_p9_a_role_given_to_the_offered_account_stops_the_hand_over(house):
    house.world.transact(house.executor, encode_offer_ownership(STRANGER), sender=OWNER)
    house.allow(Change.role(STRANGER, Role.GUARDIAN))
    assert house.refused_call(encode_accept_ownership(), sender=STRANGER) == "atomic: inadmissible"


@attack("P9", "accept an offer that was withdrawn")
def test_p9_an_offer_is_taken_back(house):
    house.world.transact(house.executor, encode_offer_ownership(STRANGER), sender=OWNER)
    house.world.transact(house.executor, encode_offer_ownership(ZERO_ADDRESS), sender=OWNER)
    assert house.refused_call(encode_accept_ownership(), sender=STRANGER) == "atomic: role"
    assert house.view("owner", "address") == OWNER


@attack("P9", "give the new owner a role beside")
def test_p9_the_new_owner_can_hold_no_role_while_it_owns(house):
    house.world.transact(house.executor, encode_offer_ownership(STRANGER), sender=OWNER)
    house.world.transact(house.executor, encode_accept_ownership(), sender=STRANGER)
    wanted = encode_schedule([Change.role(STRANGER, Role.OPERATOR)])
    assert house.refused_call(wanted, sender=STRANGER) == "atomic: inadmissible"
    house.world.transact(
        house.executor, encode_schedule([Change.role(OWNER, Role.OPERATOR)]), sender=STRANGER
    )


@attack("P9", "a guardian removes a guardian or a rescuer")
@pytest.mark.parametrize("holder", [GUARDIAN, RESCUER])
def test_p9_a_guardian_removes_operators_and_no_other_role(house, holder):
    house.allow(Change.role(STRANGER, Role.GUARDIAN))
    removal = Change.role(holder, Role.GUARDIAN).removed()
    assert house.refused_call(encode_tighten([removal]), sender=STRANGER) == "atomic: role"
    operators = Change.role(OPERATOR, Role.OPERATOR).removed()
    house.world.transact(house.executor, encode_tighten([operators]), sender=STRANGER)
    assert house.view("roles", "uint256", OPERATOR) == 0
    assert verdict(house, "execute", "operator") == "atomic: role"
    house.world.transact(house.executor, encode_tighten([removal]), sender=OWNER)
    assert house.view("roles", "uint256", holder) == 0


@attack("P10", "run while paused")
def test_p10_a_halt_never_blocks_an_exit(house):
    house.mint(house.a, 70)
    house.world.set_balance(house.executor, 9)
    house.world.transact(house.executor, encode_pause(), sender=GUARDIAN)
    steps = house.pull(0, house.a, 30)
    house.run(house.program(*steps, lines=[Line(house.a, -30)]), sender=RESCUER)
    house.world.transact(house.executor, encode_sweep([ZERO_ADDRESS, house.a, house.b]), sender=RESCUER)
    assert (house.balance(house.a, TREASURY), house.balance(house.b, TREASURY)) == (40, 0)
    assert house.world.balance(TREASURY) == 9
    assert house.refusal(house.program()).meaning == "atomic: paused"
    house.world.transact(house.executor, encode_unpause(), sender=OWNER)
    house.run(house.program())


def test_p10_pause_and_unpause_twice_is_the_same(house):
    for _ in range(2):
        house.world.transact(house.executor, encode_pause(), sender=GUARDIAN)
        assert house.view("paused", "bool") is True
    for _ in range(2):
        house.world.transact(house.executor, encode_unpause(), sender=OWNER)
        assert house.view("paused", "bool") is False
    assert house.view("treasury", "address") == TREASURY


@attack("P9", "the rescuer unwinds outside policy and bounds")
def test_the_rescuer_is_under_the_same_policy_and_bounds(house):
    house.mint(house.a, 10)
    beyond = house.program(*house.pull(0, house.a, 10), lines=[Line(house.a, -9)])
    assert house.refusal(beyond, sender=RESCUER).revert.name == "DeltaTooLow"
    unlisted = house.program(house.call(0, "calls()"))
    assert house.refusal(unlisted, sender=RESCUER).rule == 1


@attack("P10", "block a sweep by a token that fails")
def test_sweep_takes_sixteen_and_a_bad_token_stops_only_its_own_batch(house):
    house.mint(house.a, 5)
    house.mint(house.b, 5)
    house.quirk(house.b, "answers_false")
    both = encode_sweep([house.a, house.b])
    assert house.refused_call(both, sender=RESCUER) == "atomic: transfer"
    house.world.transact(house.executor, encode_sweep([house.a]), sender=RESCUER)
    assert house.balance(house.a, TREASURY) == 5
    sixteen = [house.a] * 16
    house.world.transact(house.executor, encode_sweep(sixteen), sender=RESCUER)
    too_many = encode_call("sweep(address[])", [house.a] * 17)
    assert house.refused_call(too_many, sender=RESCUER) == "reverted without data"


@attack("P9", "deploy with nobody, or with one person twice, in power")
@pytest.mark.parametrize(
    "changed",
    [
        {"owner": ZERO_ADDRESS},
        {"treasury": ZERO_ADDRESS},
        {"weth": ZERO_ADDRESS},
        {"guardians": [ZERO_ADDRESS]},
        {"guardians": [GUARDIAN, OWNER]},
        {"delay_s": 2_592_001},
    ],
    ids=str,
)
def test_a_constructor_that_would_leave_power_astray_refuses(house, changed):
    given = {"owner": OWNER, "treasury": TREASURY, "weth": WETH, "guardians": [GUARDIAN]}
    right = deploy_executor(house.world, deployer=STRANGER, **given | {"delay_s": 2_592_000})
    assert house.read(right, "DELAY()", "uint256") == 2_592_000
    with pytest.raises(WorldReverted, match="atomic: deploy"):
        deploy_executor(house.world, deployer=STRANGER, **given | changed)


def test_everyone_named_holds_power_from_the_first_block(house):
    assert house.view("owner", "address") == OWNER
    assert house.view("roles", "uint256", GUARDIAN) == Role.GUARDIAN
    assert house.view("treasury", "address") == TREASURY
    assert house.view("WETH", "address") == WETH
    assert (house.view("version", "uint256"), house.view("guarded_count", "uint256")) == (1, 0)


@attack("P9", "name a fifth guardian")
def test_four_guardians_are_named_and_no_fifth(house):
    given = {"owner": OWNER, "treasury": TREASURY, "weth": WETH, "deployer": STRANGER}
    named = [address(0xF0 + place) for place in range(5)]
    right = deploy_executor(house.world, guardians=named[:4], **given)
    assert all(house.read(right, "roles(address)", "uint256", each) == Role.GUARDIAN for each in named[:4])
    with pytest.raises(WorldReverted) as caught:
        deploy_executor(house.world, guardians=named, **given)
    assert caught.value.data == b""


@attack("P9", "send a program whose header does not hold")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"deadline": 1}, "atomic: expired"),
        ({"not_before": FOREVER_S}, "atomic: early"),
        ({"max_base_fee": 0}, None),  # the fast world's base fee is 0: tests/contracts has the other side
    ],
)
def test_the_header_is_checked(house, fields, reason):
    program = house.program(house.call(0, ANSWER, 0, 0), **fields)
    if reason is None:
        house.run(program)
    else:
        assert house.refusal(program).meaning == reason


@attack("P9", "send a program too early, too late")
def test_deadline_and_not_before_count_their_own_second(house):
    now = house.world.block().timestamp
    program = house.program(deadline=now + 10, not_before=now + 10)
    house.world.mine(timestamp=now + 8)
    assert house.refusal(program).meaning == "atomic: early"  # in the block of now + 9
    house.run(program)
    assert house.refusal(program).meaning == "atomic: expired"


@attack("P9", "send another chain's program")
def test_another_chains_program_is_refused(house):
    raw = bytearray(assemble(house.program()))
    raw[27] ^= 1
    assert house.refusal(bytes(raw)).meaning == "atomic: chain"


@attack("P9", "send a run a second time")
def test_a_run_id_is_used_once_for_ever(house):
    program = house.program(run_id=b"\7" * 32)
    failing = house.program(lines=[Line(house.a, 1)], run_id=b"\7" * 32)
    assert house.refusal(failing).revert.name == "DeltaTooLow"  # what reverts uses nothing up
    house.simulate(program)
    house.run(program)
    assert house.refusal(program).meaning == "atomic: run id used"
    assert house.refusal(house.program(run_id=b"\7" * 32), sender=RESCUER).meaning == "atomic: run id used"
    house.run(house.program(run_id=b"\10" * 32))
    for _ in range(2):
        house.run(house.program())


@attack(
    "F3",
    "look for a function that no role matrix knows",
    stops="the ABI has the functions of the matrix and no other",
)
def test_no_function_has_a_selector_that_nobody_knows(house):
    """The whole interface is known; there is no way in beside it."""
    callable_names = {entry["name"] for entry in executor_build().abi if entry["type"] == "function"}
    assert callable_names >= set(MAY)
    views = {entry["name"] for entry in executor_build().abi if entry.get("stateMutability") == "view"}
    callbacks = {
        "executeOperation", "onFlashLoan", "uniswapV3FlashCallback", "onMorphoFlashLoan", "receiveFlashLoan",
    }  # fmt: skip
    assert callable_names - views - callbacks == set(MAY)
    assert selector("execute(bytes)").hex() == "09c5eabe"

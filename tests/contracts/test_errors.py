"""Every error of the executor is listed, and each is raised here; none is raised that is not listed."""

import json
import re
from dataclasses import dataclass

import pytest
from tests.hostile.atomic.house import (
    ANSWER,
    GUARDIAN,
    OPERATOR,
    OWNER,
    QUIRKS,
    RESCUER,
    STRANGER,
    TRANSFER,
    TREASURY,
    Action,
    callback,
)

from tidegate.chain import encode_call, keccak256, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import CONTRACTS, ExactWorld, WorldReverted, compile_contract
from tidegate.venues.executor import (
    Approve,
    Call,
    Capture,
    Change,
    Check,
    Comparison,
    FlashKind,
    Line,
    Load,
    Permission,
    Program,
    Role,
    Take,
    apply_changes,
    assemble,
    decode_error,
    deploy_executor,
    encode_accept_ownership,
    encode_apply,
    encode_execute,
    encode_schedule,
    encode_simulate,
    encode_tighten,
)

SELECTORS = {
    "StepFailed": "432646ec",
    "PolicyDenied": "0347bd06",
    "CheckFailed": "0335144f",
    "FeeTooHigh": "e757126a",
    "AllowanceLeft": "4cf07488",
    "DeltaTooLow": "a467f219",
    "LossTooHigh": "9f6c8606",
    "Simulated": "1d5e4497",
}
TEXTS = {
    f"atomic: {text}"
    for text in (
        "locked", "role", "paused", "malformed", "expired", "early", "base fee", "chain", "run id used",
        "bad callback", "payload", "terms", "initiator", "no callback", "register", "approve", "transfer",
        "inadmissible", "not ready", "loosens", "unknown call", "deploy",
    )
}  # fmt: skip

SCENARIOS = []


@dataclass(frozen=True)
class Reverted:
    """The bytes of a revert that the scenario caught itself."""

    data: bytes


def raises(name):
    """Register a scenario: a program for the operator, (sender, call data), or ``Reverted``."""

    def register(scenario):
        SCENARIOS.append(pytest.param(name, scenario, id=f"{name}-{scenario.__name__}"))
        return scenario

    return register


def loan_of(house, kind=FlashKind.AAVE_V3, *, fee=0, trick=None, max_fee=0):
    house.terms(house.lender(kind), fee_bps=fee, trick=trick)
    house.mint(house.a, 100)
    return house.program(
        Load.literal(0, 0, 10_000),
        house.loan(1, kind, house.call(2, ANSWER, 32, 1), max_fee=max_fee),
        lines=[Line(house.a, -100)],
    )


def assembled_with(house, at, octet):
    raw = bytearray(assemble(house.program()))
    raw[at] = octet
    return bytes(raw)


@raises("StepFailed")
def a_target_reverts(house):
    return house.program(house.call(7, "refuse(uint256,uint256)", 64, 5))


@raises("StepFailed")
def a_capture_is_beyond_the_answer(house):
    return house.program(house.call(7, ANSWER, 63, 5, capture=Capture(0, word=1)))


@raises("StepFailed")
def a_second_word_is_taken_from_one(house):
    return house.program(house.call(7, ANSWER, 32, 5), Take(8, 0, 1))


@raises("StepFailed")
def an_answer_is_not_true(house):
    house.quirk(house.a, "answers_false")
    house.mint(house.a, 5)
    transfer = encode_call(TRANSFER, house.executor, 5)
    return house.program(Call(7, house.a, transfer))


@raises("PolicyDenied")
def nothing_is_allowed(house):
    return house.program(house.call(7, "calls()"))


@raises("CheckFailed")
def a_check_is_false(house):
    return house.program(Load.literal(1, 0, 4), Check(2, Comparison.AT_LEAST, 0, immediate=5))


@raises("FeeTooHigh")
def the_fee_is_over_the_ops_most(house):
    return loan_of(house, fee=6, max_fee=5)


@raises("AllowanceLeft")
def an_approval_is_not_used(house):
    return house.program(Load.literal(1, 0, 4), Approve(2, house.a, house.target, 0))


@raises("DeltaTooLow")
def a_floor_is_not_reached(house):
    return house.program(lines=[Line(house.a, 1)])


@raises("LossTooHigh")
def a_guarded_token_is_lost(house):
    house.allow(Change.loss_limit(house.a, per_run=5, per_day=8))
    house.mint(house.a, 10)
    return house.program(*house.pull(1, house.a, 6), lines=[Line(house.a, -10)])


@raises("Simulated")
def a_simulation_ends(house):
    return OPERATOR, encode_simulate(assemble(house.program()))


@raises("atomic: locked")
def a_run_is_entered_from_a_run(house):
    inner = Action(house.executor, encode_execute(assemble(house.program())), swallow=False)
    house.teach(inner)
    return house.program(house.poke(1))


@raises("atomic: role")
def a_stranger_executes(house):
    return STRANGER, encode_execute(assemble(house.program()))


@raises("atomic: role")
def a_stranger_pauses(house):
    return STRANGER, encode_call("pause()")


@raises("atomic: role")
def a_stranger_takes_the_ownership(house):
    return STRANGER, encode_accept_ownership()


@raises("atomic: role")
def a_guardian_tightens_the_rescuer(house):
    removal = Change(7, bytes(12) + bytes.fromhex(RESCUER[2:]), 0)
    return GUARDIAN, encode_tighten([removal])


@raises("atomic: paused")
def it_is_paused(house):
    house.send(house.executor, "pause()", sender=GUARDIAN)
    return house.program()


@raises("atomic: malformed")
def the_version_is_another(house):
    return assembled_with(house, 0, 2)


@raises("atomic: malformed")
def a_flag_is_unknown(house):
    return assembled_with(house, 1, 2)


@raises("atomic: malformed")
def there_is_no_line(house):
    return assembled_with(house, 3, 0)


@raises("atomic: malformed")
def an_op_is_left_over(house):
    return assemble(house.program()) + bytes(32)


@raises("atomic: expired")
def the_deadline_is_past(house):
    return house.program(deadline=house.world.block().timestamp)


@raises("atomic: early")
def the_time_has_not_come(house):
    return house.program(not_before=house.world.block().timestamp + 60)


@raises("atomic: chain")
def the_chain_is_another(house):
    return assembled_with(house, 27, 0xEE)


@raises("atomic: run id used")
def a_run_is_repeated(house):
    program = house.program(run_id=bytes(31) + b"\x07")
    house.run(program)
    return program


@raises("atomic: bad callback")
def a_stranger_calls_back(house):
    return STRANGER, callback(
        FlashKind.MORPHO_BLUE, house, assemble(loan_of(house, FlashKind.MORPHO_BLUE)), amount=10_000
    )


@raises("atomic: payload")
def a_lender_returns_other_bytes(house):
    return loan_of(house, trick="other data")


@raises("atomic: terms")
def a_lender_names_another_amount(house):
    return loan_of(house, trick="other amount")


@raises("atomic: initiator")
def a_lender_names_another_initiator(house):
    return loan_of(house, trick="other initiator")


@raises("atomic: no callback")
def a_lender_does_not_call_back(house):
    return loan_of(house, trick="no callback")


@raises("atomic: register")
def a_register_is_not_declared(house):
    raw = bytearray(assemble(house.program(Load.literal(1, 0, 4), registers=1)))
    raw[2] = 0
    return bytes(raw)


@raises("atomic: approve")
def a_token_refuses_the_approval(house):
    house.quirk(house.a, "approves_false")
    return house.program(Load.literal(1, 0, 4), Approve(2, house.a, house.target, 0))


@raises("atomic: transfer")
def a_token_refuses_the_payout(house):
    turn = encode_call("set_quirk(uint256,address)", QUIRKS.index("answers_false"), ZERO_ADDRESS)
    house.teach(Action(house.a, turn))
    gain = house.call(1, "push(address,uint256)", house.a, 5)
    return house.program(gain, house.poke(2), lines=[Line(house.a, 0, payout=True)])


@raises("atomic: inadmissible")
def a_policy_for_itself(house):
    change = Change.policy(house.executor, selector("pause()"), Permission(call=True))
    return OWNER, encode_schedule([change])


@raises("atomic: inadmissible")
def ownership_is_offered_to_the_operator(house):
    return OWNER, encode_call("offer_ownership(address)", OPERATOR)


@raises("atomic: not ready")
def a_change_was_not_scheduled(house):
    return OWNER, encode_apply([Change.asset(house.b)])


@raises("atomic: loosens")
def a_cap_is_raised_at_once(house):
    return OWNER, encode_tighten([Change.cap(64, 1)])


@raises("atomic: unknown call")
def an_unknown_function(house):
    return STRANGER, bytes.fromhex("deadbeef")


@raises("atomic: unknown call")
def bare_ether_outside_a_run(house):
    return STRANGER, b""


@raises("atomic: base fee")
def the_base_fee_is_higher(house):
    with ExactWorld() as world:
        world.set_balance(OWNER, 10**18)
        executor = deploy_executor(world, owner=OWNER, treasury=OPERATOR, weth=house.b, deployer=OWNER)
        apply_changes(world, executor, [Change.role(OPERATOR, Role.OPERATOR)], owner=OWNER)
        world.set_base_fee(8)
        world.mine()
        fee = world.block().base_fee_wei
        line = Line(ZERO_ADDRESS, 0)
        for most in (fee, fee - 1):
            program = Program(world.chain_id, 2**40 - 1, most, registers=0, lines=(line,), ops=())
            if most == fee:
                world.call(executor, encode_execute(assemble(program)), sender=OPERATOR)
        with pytest.raises(WorldReverted) as caught:
            world.call(executor, encode_execute(assemble(program)), sender=OPERATOR)
    return Reverted(caught.value.data)


DEPLOYMENTS = {
    "no owner": {"owner": ZERO_ADDRESS, "guardians": [GUARDIAN]},
    "no treasury": {"treasury": ZERO_ADDRESS},
    "no wrapped token": {"weth": ZERO_ADDRESS},
    "a guardian without address": {"guardians": [ZERO_ADDRESS]},
    "the owner as guardian": {"guardians": [GUARDIAN, OWNER]},
    "a delay over thirty days": {"delay_s": 2_592_001},
}


@raises("atomic: deploy")
def each_bad_deployment(house):
    for fields in DEPLOYMENTS.values():
        given = {"owner": OWNER, "treasury": TREASURY, "weth": house.b, "deployer": STRANGER} | fields
        with pytest.raises(WorldReverted) as caught:
            deploy_executor(house.world, **given)
        assert decode_error(caught.value.data).meaning == "atomic: deploy"
    return Reverted(caught.value.data)


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS)
def test_each_is_raised(house, name, scenario):
    outcome = scenario(house)
    if not isinstance(outcome, Reverted):
        run = outcome if isinstance(outcome, tuple) else (OPERATOR, encode_execute(raw(outcome)))
        sender, data = run
        value = 0 if data else 1
        with pytest.raises(WorldReverted) as caught:
            house.world.transact(house.executor, data, sender=sender, value=value)
        outcome = Reverted(caught.value.data)
    error = decode_error(outcome.data)
    if name in SELECTORS:
        assert outcome.data[:4].hex() == SELECTORS[name]
        assert error.revert.name == name
    else:
        assert error.root.meaning == name


def raw(program):
    return program if isinstance(program, bytes) else assemble(program)


def test_every_error_and_text_has_a_scenario():
    assert {scenario.values[0] for scenario in SCENARIOS} == set(SELECTORS) | TEXTS


def test_the_source_has_these_texts_and_no_others():
    source = (CONTRACTS / "atomic_executor.vy").read_text()
    assert set(re.findall(r'"(atomic: [^"]*)"', source)) == TEXTS


def test_the_list_has_the_errors_of_the_source_and_they_are_in_the_abi():
    listed = json.loads((CONTRACTS / "atomic_executor.errors.json").read_text())
    signatures = {
        f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})": entry["name"]
        for entry in listed
    }
    assert {name: keccak256(text.encode())[:4].hex() for text, name in signatures.items()} == SELECTORS
    source = (CONTRACTS / "atomic_executor.vy").read_text()
    assert set(re.findall(r'method_id\("([A-Z]\w+\([^)]*\))"\)', source)) == set(signatures)
    abi = compile_contract("atomic_executor").abi
    assert {entry["name"] for entry in abi if entry["type"] == "error"} == set(SELECTORS)

"""``executor_state``: the fold of an executor's events equals what its own views say, and lies are found."""

import pytest
from tests.venues.executor.test_deploy import DEPLOYER, OWNER

from tidegate.chain import address, event_topic
from tidegate.model import ZERO_ADDRESS, Log
from tidegate.sim import FastWorld
from tidegate.venues.executor import (
    GRACE_S,
    Change,
    ChangeKind,
    Permission,
    Role,
    change_text,
    deploy_executor,
    encode_accept_ownership,
    encode_apply,
    encode_cancel,
    encode_offer_ownership,
    encode_pause,
    encode_schedule,
    encode_tighten,
    encode_unpause,
    questions,
    read_history,
    state_of,
)

GUARDIAN, OPERATOR, HEIR = address(0x61), address(0x62), address(0x63)
TREASURY, WETH, TOKEN = address(0x7E), address(0xAE), address(0x70)
DELAY_S = 100
CALL = bytes.fromhex("04e45aaf")


class Life:
    """An executor in a fast world that keeps every log of its own."""

    def __init__(self, world):
        self.world = world
        self.executor = deploy_executor(
            world,
            owner=OWNER,
            treasury=TREASURY,
            weth=WETH,
            deployer=DEPLOYER,
            delay_s=DELAY_S,
            guardians=[GUARDIAN],
        )
        # the constructor's own two events, which the world's deploy does not hand on
        applied = event_topic("Applied(uint256,bytes32,uint256)"), (7).to_bytes(32), topic(GUARDIAN)
        taken = event_topic("OwnershipTaken(address)"), topic(OWNER)
        self.logs = [Log(self.executor, applied, (2).to_bytes(32)), Log(self.executor, taken, b"")]

    def send(self, data, sender):
        self.logs += self.world.transact(self.executor, data, sender=sender).logs

    def state(self, logs=None):
        history = read_history(self.logs if logs is None else logs, self.executor)
        asked = questions(history)
        answers = [self.world.call(self.executor, one.data) for one in asked]
        return state_of(self.executor, history, asked, answers)

    def wait(self, seconds):
        self.world.mine(timestamp=self.world.block().timestamp + seconds)


def topic(account):
    return bytes(12) + bytes.fromhex(account[2:])


@pytest.fixture
def life():
    return Life(FastWorld())


def lived(life):
    """Walk through every event there is."""
    target = life.world.deploy(bytes.fromhex("600160005360016000f3"), sender=DEPLOYER)
    swap = Change.policy(target, CALL, Permission(call=True))
    wanted = [
        swap,
        Change.approval(target),
        Change.spender(target),
        Change.asset(TOKEN),
        Change.cap(64, 9),
        Change.loss_limit(TOKEN, per_run=5, per_day=8),
        Change.role(OPERATOR, Role.OPERATOR),
        Change.treasury(HEIR),
    ]
    life.send(encode_schedule(wanted), OWNER)
    life.wait(DELAY_S)
    life.send(encode_apply(wanted), GUARDIAN)
    life.send(encode_tighten([Change.cap(64, 4), Change.asset(TOKEN).removed()]), GUARDIAN)
    gone, waits = Change.spender(HEIR), Change.asset(HEIR)
    life.send(encode_schedule([gone, waits]), OWNER)
    life.send(encode_cancel([gone]), GUARDIAN)
    life.send(encode_pause(), GUARDIAN)
    life.send(encode_unpause(), OWNER)
    life.send(encode_pause(), GUARDIAN)
    life.send(encode_offer_ownership(HEIR), OWNER)
    return swap, waits


def test_events_and_reads_agree_after_a_whole_life(life):
    swap, waits = lived(life)
    state, differences = life.state()
    assert differences == ()
    assert (state.owner, state.pending_owner, state.treasury) == (OWNER, HEIR, HEIR)
    assert (state.weth, state.delay_s, state.version, state.is_paused) == (WETH, DELAY_S, 1, True)
    assert state.roles == {GUARDIAN: Role.GUARDIAN, OPERATOR: Role.OPERATOR}
    assert state.holders(Role.OPERATOR) == (OPERATOR,)
    assert swap in state.permissions
    assert Change.cap(64, 4) in state.permissions
    assert not {ChangeKind.ROLE, ChangeKind.TREASURY} & {change.kind for change in state.permissions}
    (only,) = state.scheduled
    assert only.change == waits
    assert only.state(only.eta_s - 1) == "waiting"
    life.send(encode_accept_ownership(), HEIR)
    state, differences = life.state()
    assert (state.owner, state.pending_owner, differences) == (HEIR, ZERO_ADDRESS, ())


def test_every_admin_event_stands_in_the_history_in_order(life):
    lived(life)
    told = [event.what for event in read_history(life.logs, life.executor).events]
    assert told[:2] == ["applied", "ownership taken"]
    assert told[2:18] == ["scheduled"] * 8 + ["applied"] * 8
    assert told[18:] == [
        *("tightened", "tightened", "scheduled", "scheduled", "cancelled"),
        *("paused", "unpaused", "paused", "ownership offered"),
    ]


@pytest.mark.parametrize(
    ("what", "kind", "found_by"),
    [
        ("tightened", ChangeKind.CAP, "cap 64"),
        ("tightened", ChangeKind.ASSET, "asset"),
        ("applied", ChangeKind.LOSS_LIMIT, "guarded_count()"),
        ("cancelled", ChangeKind.SPENDER, "eta of spender"),
        ("unpaused", None, None),
        ("paused", None, "paused()"),
        ("ownership offered", None, "pending_owner()"),
    ],
)
def test_a_log_that_an_endpoint_keeps_back_is_found_by_the_reads(life, what, kind, found_by):
    """The newest event of each sort is left out; an unpause before a pause again changes nothing."""
    lived(life)
    events = read_history(life.logs, life.executor).events
    index = max(
        place
        for place, event in enumerate(events)
        if event.what == what and (kind is None or (event.change and event.change.kind is kind))
    )
    _, differences = life.state(life.logs[:index] + life.logs[index + 1 :])
    assert bool(differences) is (found_by is not None)
    assert found_by is None or differences[0].startswith(found_by)


def test_a_scheduled_change_is_waiting_then_ripe_then_lapsed(life):
    change = Change.asset(TOKEN)
    life.send(encode_schedule([change]), OWNER)
    (one,) = life.state()[0].scheduled
    assert one.lapses_at_s == one.eta_s + GRACE_S
    assert [one.state(one.eta_s + after) for after in (-1, 0, GRACE_S, GRACE_S + 1)] == [
        "waiting",
        "ripe",
        "ripe",
        "lapsed",
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change.cap(64, 7), "cap 64: at most 7"),
        (Change.role(OPERATOR, Role.OPERATOR), f"role of {OPERATOR}: operator"),
        (Change.role(OPERATOR, Role.OPERATOR).removed(), f"role of {OPERATOR}: none any more"),
        (Change.spender(TOKEN), f"spender {TOKEN}"),
        (Change.asset(TOKEN).removed(), f"asset {TOKEN}: no more"),
        (Change.loss_limit(TOKEN, per_run=5, per_day=8), f"losses of {TOKEN}: 5 a run, 8 a day"),
        (Change.unguard(TOKEN), f"losses of {TOKEN}: without limit"),
        (Change.treasury(TOKEN), f"treasury: {TOKEN}"),
        (Change.approval(TOKEN), f"0x095ea7b3 of {TOKEN}: approve"),
        (Change.approval(TOKEN).removed(), f"0x095ea7b3 of {TOKEN}: nothing any more"),
        (Change(ChangeKind.LENDER, topic(TOKEN), 2), f"lender {TOKEN}: aave_v3"),
        (Change(ChangeKind.LENDER, topic(TOKEN), 0), f"lender {TOKEN}: no more"),
        (Change(ChangeKind.POLICY, Change.approval(TOKEN).key, 1 << 60), "inadmissible word"),
    ],
)
def test_a_change_reads_as_one_line(change, text):
    assert text in change_text(change)

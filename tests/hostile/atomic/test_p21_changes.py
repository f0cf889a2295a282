"""P21: nothing widens before its time, after its lapse, or once cancelled; tighten never loosens."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.house import (
    CALL,
    DEPLOYER,
    GUARDIAN,
    KEEP,
    OPERATOR,
    OWNER,
    READ,
    RESCUER,
    STRANGER,
    TREASURY,
    WETH,
    build_house,
)

from tidegate.chain import event_topic, selector
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    CHANGES_MAX,
    GRACE_S,
    Change,
    ChangeKind,
    FlashKind,
    Role,
    deploy_executor,
    encode_apply,
    encode_cancel,
    encode_schedule,
    encode_tighten,
    policy_in_force,
)

DELAY_S = 86_400


def slow_executor(world):
    return deploy_executor(
        world,
        owner=OWNER,
        treasury=TREASURY,
        weth=WETH,
        deployer=DEPLOYER,
        delay_s=DELAY_S,
        guardians=[GUARDIAN],
    )


@pytest.fixture
def slow(house):
    """The house's world with an executor whose changes take a day; it knows nothing yet."""
    executor = slow_executor(house.world)
    return Slow(house, executor)


class Slow:
    def __init__(self, house, executor):
        self.house, self.world, self.executor = house, house.world, executor
        self.change = Change.policy(house.target, selector(KEEP), CALL)

    def send(self, data, sender=OWNER):
        return self.world.transact(self.executor, data, sender=sender)

    def refused(self, data, sender=OWNER):
        try:
            self.send(data, sender)
        except WorldReverted as refused:
            return dict(refused.revert.arguments).get("message", refused.revert.name)
        return None

    def now(self):
        return self.world.block().timestamp

    def at(self, timestamp):
        """Let the next transaction be in a block of ``timestamp``."""
        self.world.mine(timestamp=timestamp - 1)

    def word(self):
        return self.house.read(self.executor, "policy(bytes32)", "uint256", self.change.key)

    def eta(self):
        return self.house.read(self.executor, "eta(bytes32)", "uint256", self.change.id)


@attack("P21", "apply a change a second early")
def test_p21_not_before_its_eta(slow):
    slow.send(encode_schedule([slow.change]))
    eta = slow.eta()
    assert eta == slow.now() + DELAY_S
    slow.at(eta - 2)
    for sender in (OWNER, GUARDIAN):  # in the blocks of eta - 2 and eta - 1
        assert slow.refused(encode_apply([slow.change]), sender) == "atomic: not ready"
        assert slow.word() == 0
    slow.send(encode_apply([slow.change]), GUARDIAN)
    assert (slow.word(), slow.eta()) == (slow.change.word, 0)


@attack("P21", "apply a change after its lapse")
def test_p21_not_after_its_lapse(slow):
    slow.send(encode_schedule([slow.change]))
    eta = slow.eta()
    with slow.world.snapshot():
        slow.at(eta + GRACE_S)
        slow.send(encode_apply([slow.change]))
        assert slow.word() == slow.change.word
    slow.at(eta + GRACE_S + 1)
    assert slow.refused(encode_apply([slow.change])) == "atomic: not ready"
    slow.send(encode_schedule([slow.change]))
    slow.at(slow.eta())
    slow.send(encode_apply([slow.change]))
    assert slow.word() == slow.change.word


@attack("P21", "apply a cancelled change")
@pytest.mark.parametrize("sender", [OWNER, GUARDIAN])
def test_p21_not_once_cancelled(slow, sender):
    slow.send(encode_schedule([slow.change]))
    eta = slow.eta()
    slow.send(encode_cancel([slow.change]), sender)
    slow.at(eta)
    assert slow.refused(encode_apply([slow.change])) == "atomic: not ready"


@attack("P21", "apply a change twice")
def test_p21_once_scheduled_it_is_applied_once(slow):
    slow.send(encode_schedule([slow.change]))
    slow.at(slow.eta())
    slow.send(encode_apply([slow.change]))
    slow.send(encode_tighten([slow.change.removed()]), GUARDIAN)
    assert slow.refused(encode_apply([slow.change])) == "atomic: not ready"
    assert slow.word() == 0


@attack("P21", "apply another word than was scheduled")
def test_p21_what_was_scheduled_is_what_is_applied(slow):
    """A guardian can not apply a wider word under the same key."""
    slow.send(encode_schedule([slow.change]))
    slow.at(slow.eta())
    wider = Change(slow.change.kind, slow.change.key, slow.change.word | 4)
    assert slow.refused(encode_apply([wider]), GUARDIAN) == "atomic: not ready"
    assert slow.refused(encode_apply([slow.change, slow.change]), GUARDIAN) == "atomic: not ready"
    assert slow.word() == 0


@attack("P21", "apply what was admissible and is no more")
def test_p21_admissibility_is_asked_again_when_applied(slow):
    """Code that stood there when it was scheduled and is gone when it ripens."""
    slow.send(encode_schedule([slow.change]))
    slow.at(slow.eta())
    slow.world.set_code(slow.house.target, b"")
    assert slow.refused(encode_apply([slow.change])) == "atomic: inadmissible"


@attack("P21", "apply by the first delay what was scheduled again")
def test_p21_scheduling_again_starts_the_delay_anew(slow):
    slow.send(encode_schedule([slow.change]))
    first = slow.eta()
    slow.at(first - 10)
    slow.send(encode_schedule([slow.change]))
    slow.at(first)
    assert slow.refused(encode_apply([slow.change])) == "atomic: not ready"


@attack("P21", "hide a bad change among good ones")
def test_p21_a_batch_is_all_or_nothing(slow):
    other = Change.asset(slow.house.a)
    slow.send(encode_schedule([other]))
    slow.at(slow.now() + DELAY_S + 1)
    assert slow.refused(encode_apply([other, slow.change])) == "atomic: not ready"
    assert slow.house.read(slow.executor, "assets(address)", "bool", slow.house.a) is False
    slow.send(encode_apply([other]))


def test_p21_32_changes_a_call(slow):
    changes = [Change.cap(64 + place, place) for place in range(CHANGES_MAX)]
    slow.send(encode_schedule(changes))
    slow.at(slow.now() + DELAY_S + 1)
    slow.send(encode_apply(changes))
    assert slow.house.read(slow.executor, "caps(uint256)", "uint256", 64 + 31) == 31


def granted(house):
    """One entry of every kind that tighten can narrow, in force."""
    return [
        Change.policy(house.target, selector(KEEP), CALL),
        Change.lender(house.puppet, FlashKind.AAVE_V3, FlashKind.ERC3156),
        Change.spender(house.puppet),
        Change.asset(house.a),
        Change.cap(64, 100),
        Change.loss_limit(house.a, per_run=5, per_day=8),
        Change.role(STRANGER, Role.OPERATOR),
    ]


READERS = {
    ChangeKind.POLICY: ("policy(bytes32)", "uint256"),
    ChangeKind.LENDER: ("lenders(address)", "uint256"),
    ChangeKind.SPENDER: ("spenders(address)", "bool"),
    ChangeKind.ASSET: ("assets(address)", "bool"),
    ChangeKind.CAP: ("caps(uint256)", "uint256"),
    ChangeKind.LOSS_LIMIT: ("limits(address)", "uint256"),
    ChangeKind.ROLE: ("roles(address)", "uint256"),
}


def read(house, change):
    signature, output = READERS[change.kind]
    kind = signature[:-1].partition("(")[2]
    key = {"bytes32": change.key, "uint256": int.from_bytes(change.key)}.get(kind)
    return int(house.read(house.executor, signature, output, change.account if key is None else key))


@attack("P21", "widen by tighten")
@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("sender", [OWNER, GUARDIAN])
def test_p21_tighten_takes_to_zero_or_lower_and_never_up(house, place, sender):
    change = granted(house)[place]
    house.allow(change)
    now = read(house, change)
    wider = {
        ChangeKind.POLICY: [now | 2, now | 4, now, READ.word, now & ~1 | 2],
        ChangeKind.LENDER: [now | 8, now, 2],
        ChangeKind.SPENDER: [1, 2],
        ChangeKind.ASSET: [1],
        ChangeKind.CAP: [101, 2**256 - 1],
        ChangeKind.LOSS_LIMIT: [0, now + 1, now + (1 << 128), now & ~(1 << 255), 5],
        ChangeKind.ROLE: [1, 2, 4],
    }[change.kind]
    for word in wider:
        loose = encode_tighten([Change(change.kind, change.key, word)])
        assert house.refused_call(loose, sender=sender) == "atomic: loosens"
    lower = now - 1 if change.kind in (ChangeKind.CAP, ChangeKind.LOSS_LIMIT) else 0
    house.world.transact(
        house.executor, encode_tighten([Change(change.kind, change.key, lower)]), sender=sender
    )
    assert read(house, change) == lower


@attack("P21", "move the treasury, or unguard, at once")
@pytest.mark.parametrize(
    "change", [Change.treasury(STRANGER), Change.unguard(STRANGER)], ids=["treasury", "unguard"]
)
@pytest.mark.parametrize("word", [0, 1])
def test_p21_treasury_and_unguard_pass_through_the_delay_alone(house, change, word):
    loose = encode_tighten([Change(change.kind, change.key, word)])
    assert house.refused_call(loose, sender=OWNER) == "atomic: loosens"


@attack("P21", "set by tighten what was never set")
def test_p21_tighten_does_not_touch_what_was_never_set(house):
    never = Change.loss_limit(house.b, per_run=0, per_day=0)
    assert house.refused_call(encode_tighten([never]), sender=OWNER) == "atomic: loosens"
    assert house.view("guarded_count", "uint256") == 0
    unset = Change.cap(70, 1)
    assert house.refused_call(encode_tighten([unset]), sender=OWNER) == "atomic: loosens"


def test_the_events_tell_the_whole_policy(house):
    """``policy_in_force`` folds the events of a life into what the storage says."""
    executor = deploy_executor(
        house.world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=DEPLOYER, guardians=[]
    )
    logs, entries = [], granted(house)

    def send(data, sender=OWNER):
        logs.extend(house.world.transact(executor, data, sender=sender).logs)

    send(encode_schedule(entries))
    assert policy_in_force(logs, executor) == ()
    send(encode_apply(entries))
    assert set(policy_in_force(logs, executor)) == set(entries)
    send(encode_tighten([entries[2].removed(), Change.cap(64, 7)]))
    last = [Change.unguard(house.a), Change.treasury(STRANGER)]
    send(encode_schedule(last))
    send(encode_apply(last))
    send(encode_schedule([Change.treasury(RESCUER)]))
    send(encode_apply([Change.treasury(RESCUER)]))
    expected = {entries[0], entries[1], entries[3], entries[6], Change.cap(64, 7), Change.treasury(RESCUER)}
    assert set(policy_in_force(logs, executor)) == expected
    assert {log.topics[0] for log in logs} >= {
        event_topic("Scheduled(uint256,bytes32,uint256,uint256)"),
        event_topic("Tightened(uint256,bytes32,uint256,address)"),
    }


class LifeOfAChange(RuleBasedStateMachine):
    """Whatever owner, guardian and time do: the word on chain is what a day-old signature allowed."""

    words = st.sampled_from([1, 2, 3, 5, 17])

    def __init__(self):
        super().__init__()
        self.house = build_house()
        self.slow = Slow(self.house, slow_executor(self.house.world))
        self.scheduled = {}
        self.word = 0

    @initialize()
    def start(self):
        self.key = self.slow.change.key

    def change(self, word):
        return Change(ChangeKind.POLICY, self.key, word)

    def next_time(self):
        return self.slow.now() + 1

    @rule(word=words)
    def schedule(self, word):
        self.slow.send(encode_schedule([self.change(word)]))
        self.scheduled[word] = self.slow.now() + DELAY_S

    @rule(word=words, sender=st.sampled_from([OWNER, GUARDIAN]))
    def cancel(self, word, sender):
        self.slow.send(encode_cancel([self.change(word)]), sender)
        self.scheduled.pop(word, None)

    @rule(word=words, sender=st.sampled_from([OWNER, GUARDIAN, OPERATOR, STRANGER]))
    def apply(self, word, sender):
        eta = self.scheduled.get(word)
        ripe = eta is not None and eta <= self.next_time() <= eta + GRACE_S
        allowed = sender in (OWNER, GUARDIAN)
        answer = self.slow.refused(encode_apply([self.change(word)]), sender)
        if not allowed:
            assert answer == "atomic: role"
        elif not ripe:
            assert answer == "atomic: not ready"
        else:
            assert answer is None
            del self.scheduled[word]
            self.word = word

    @rule(word=st.sampled_from([0, 1, 2, 3]), sender=st.sampled_from([OWNER, GUARDIAN]))
    def tighten(self, word, sender):
        answer = self.slow.refused(encode_tighten([self.change(word)]), sender)
        if word == 0:
            assert answer is None
            self.word = 0
        else:
            assert answer == "atomic: loosens"

    @rule(wait=st.sampled_from([1, DELAY_S - 2, DELAY_S, GRACE_S]))
    def wait(self, wait):
        self.slow.world.mine(timestamp=self.slow.now() + wait)

    @precondition(lambda self: self.word == 0)
    @rule()
    def nothing_runs_without_a_word(self):
        assert self.slow.word() == 0

    @invariant()
    def the_chain_agrees(self):
        assert self.slow.word() == self.word
        for word in (1, 2, 3, 5, 17):
            eta = self.house.read(self.slow.executor, "eta(bytes32)", "uint256", self.change(word).id)
            assert eta == self.scheduled.get(word, 0)


TestLifeOfAChange = attack("P21", "schedule, apply, cancel and tighten in random order, at random times")(
    LifeOfAChange.TestCase
)
TestLifeOfAChange.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

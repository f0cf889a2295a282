"""Changes: the state table of specs/atomic.md 4.8, each arrow and each arrow that is not there."""

import pytest
from tests.hostile.atomic.house import (
    DEPLOYER,
    GUARDIAN,
    OWNER,
    STRANGER,
    TREASURY,
    WETH,
)

from tidegate.chain import address, encode_call, event_topic, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    CHANGES_MAX,
    GRACE_S,
    Change,
    ChangeKind,
    FlashKind,
    Permission,
    Role,
    decode_error,
    deploy_executor,
    encode_apply,
    encode_cancel,
    encode_schedule,
    encode_tighten,
    parse_loss_limit,
)

DAY = 86_400
NEW = address(0xB0_0000_0001)
CHANGE = "(uint256,bytes32,uint256)"


@pytest.fixture
def slow(house):
    """An executor whose changes take a day."""
    executor = deploy_executor(
        house.world, owner=OWNER, treasury=TREASURY, weth=WETH, deployer=DEPLOYER, delay_s=DAY,
        guardians=[GUARDIAN],
    )  # fmt: skip
    return Slow(house, executor)


class Slow:
    def __init__(self, house, executor):
        self.house, self.world, self.executor = house, house.world, executor

    @property
    def now(self):
        return self.world.block().timestamp

    def send(self, data, sender=OWNER):
        return self.world.transact(self.executor, data, sender=sender)

    def why_not(self, data, sender=OWNER):
        with pytest.raises(WorldReverted) as caught:
            self.send(data, sender)
        return decode_error(caught.value.data).meaning

    def wait(self, seconds):
        """Let the next transaction's block come ``seconds`` from now."""
        self.world.mine(timestamp=self.now + seconds - 1)

    def view(self, signature, *arguments):
        return int.from_bytes(self.world.call(self.executor, encode_call(signature, *arguments)))

    def eta(self, change):
        return self.view("eta(bytes32)", change.id)

    def apply_now(self, *changes):
        self.send(encode_schedule(changes))
        self.wait(DAY)
        self.send(encode_apply(changes))


def policy(house, permission=None):
    return Change.policy(house.target, selector("act()"), permission or Permission(call=True))


def every_kind(house):
    """One change of each kind, and how to see that it is true: view, arguments, value."""
    return {
        ChangeKind.POLICY: (policy(house), "policy(bytes32)", (policy(house).key,), 1),
        ChangeKind.LENDER: (Change.lender(NEW, FlashKind.MORPHO_BLUE), "lenders(address)", (NEW,), 16),
        ChangeKind.SPENDER: (Change.spender(NEW), "spenders(address)", (NEW,), 1),
        ChangeKind.ASSET: (Change.asset(NEW), "assets(address)", (NEW,), 1),
        ChangeKind.CAP: (Change.cap(127, 9), "caps(uint256)", (127,), 9),
        ChangeKind.LOSS_LIMIT: (
            Change.loss_limit(NEW, per_run=5, per_day=8), "limits(address)", (NEW,), 1 << 255 | 8 << 128 | 5,
        ),
        ChangeKind.ROLE: (Change.role(NEW, Role.OPERATOR), "roles(address)", (NEW,), 1),
        ChangeKind.TREASURY: (Change.treasury(NEW), "treasury()", (), int(NEW, 16)),
        ChangeKind.UNGUARD: (Change.unguard(house.a), "limits(address)", (house.a,), 0),
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(ChangeKind))
@pytest.mark.parametrize("applier", [OWNER, GUARDIAN])
def test_scheduled_then_applied_in_its_time(slow, kind, applier):
    change, view, arguments, value = every_kind(slow.house)[kind]
    if kind is ChangeKind.UNGUARD:
        slow.apply_now(Change.loss_limit(slow.house.a, per_run=1, per_day=1))
    before = slow.view(view, *arguments)
    receipt = slow.send(encode_schedule([change]))
    assert slow.eta(change) == slow.now + DAY
    assert receipt.logs[0].topics[0] == event_topic("Scheduled(uint256,bytes32,uint256,uint256)")
    slow.wait(DAY - 1)
    assert slow.why_not(encode_apply([change]), applier) == "atomic: not ready"
    assert slow.view(view, *arguments) == before != value
    receipt = slow.send(encode_apply([change]), applier)
    assert slow.view(view, *arguments) == value
    assert slow.eta(change) == 0
    log = receipt.logs[0]
    assert log.topics == (
        event_topic("Applied(uint256,bytes32,uint256)"), int(kind).to_bytes(32), change.key,
    )  # fmt: skip
    assert int.from_bytes(log.data) == change.word
    assert slow.why_not(encode_apply([change])) == "atomic: not ready"


def test_it_can_be_applied_until_its_grace_is_over(slow):
    change = Change.asset(NEW)
    slow.send(encode_schedule([change]))
    with slow.world.snapshot():
        slow.wait(DAY + GRACE_S)
        slow.send(encode_apply([change]))
    slow.wait(DAY + GRACE_S + 1)
    assert slow.why_not(encode_apply([change])) == "atomic: not ready"
    slow.send(encode_schedule([change]))
    slow.wait(DAY)
    slow.send(encode_apply([change]), GUARDIAN)
    assert slow.view("assets(address)", NEW) == 1


@pytest.mark.parametrize("canceller", [OWNER, GUARDIAN])
def test_cancelled_is_as_never_scheduled(slow, canceller):
    change = Change.spender(NEW)
    slow.send(encode_schedule([change]))
    receipt = slow.send(encode_cancel([change]), canceller)
    assert receipt.logs[0].topics[0] == event_topic("Cancelled(uint256,bytes32,uint256)")
    slow.wait(DAY)
    assert slow.why_not(encode_apply([change])) == "atomic: not ready"


def test_scheduling_again_starts_the_delay_anew(slow):
    change = Change.spender(NEW)
    slow.send(encode_schedule([change]))
    slow.wait(DAY - 10)
    slow.send(encode_schedule([change]))
    slow.wait(DAY - 1)
    assert slow.why_not(encode_apply([change])) == "atomic: not ready"
    slow.send(encode_apply([change]))


def test_a_change_is_one_triple_and_no_other(slow):
    slow.send(encode_schedule([Change.cap(64, 5)]))
    slow.wait(DAY)
    for other in (Change.cap(64, 6), Change.cap(65, 5), Change(ChangeKind.SPENDER, Change.cap(64, 5).key, 5)):
        assert slow.why_not(encode_apply([other])) == "atomic: not ready"


def test_admissible_is_asked_again_when_it_is_applied(slow):
    """Two roles for one address, scheduled while it had none."""
    first, second = Change.role(NEW, Role.OPERATOR), Change.role(NEW, Role.RESCUER)
    slow.send(encode_schedule([first, second]))
    slow.wait(DAY)
    slow.send(encode_apply([first]))
    assert slow.why_not(encode_apply([second])) == "atomic: inadmissible"


def test_a_target_that_lost_its_code_is_not_applied(slow):
    change = policy(slow.house)
    slow.send(encode_schedule([change]))
    slow.wait(DAY)
    slow.world.set_code(slow.house.target, b"")
    assert slow.why_not(encode_apply([change])) == "atomic: inadmissible"


@pytest.mark.parametrize("sender", [GUARDIAN, STRANGER])
def test_only_the_owner_schedules(slow, sender):
    assert slow.why_not(encode_schedule([Change.asset(NEW)]), sender) == "atomic: role"


@pytest.mark.parametrize("encode", [encode_apply, encode_cancel, encode_tighten])
def test_strangers_change_nothing(slow, encode):
    assert slow.why_not(encode([Change.asset(NEW).removed()]), STRANGER) == "atomic: role"


@pytest.mark.parametrize(
    "kind",
    [ChangeKind.POLICY, ChangeKind.LENDER, ChangeKind.SPENDER, ChangeKind.ASSET, ChangeKind.ROLE],
)
@pytest.mark.parametrize("sender", [OWNER, GUARDIAN])
def test_tighten_removes_at_once(slow, kind, sender):
    change, view, arguments, value = every_kind(slow.house)[kind]
    slow.apply_now(change)
    assert slow.view(view, *arguments) == value
    assert slow.why_not(encode_tighten([change]), sender) == "atomic: loosens"
    receipt = slow.send(encode_tighten([change.removed()]), sender)
    assert slow.view(view, *arguments) == 0
    assert receipt.logs[0].topics[0] == event_topic("Tightened(uint256,bytes32,uint256,address)")
    assert receipt.logs[0].data == bytes(32) + bytes(12) + bytes.fromhex(sender[2:])


def test_tighten_lowers_caps_and_never_raises_them(slow):
    slow.apply_now(Change.cap(70, 100))
    slow.send(encode_tighten([Change.cap(70, 99)]), GUARDIAN)
    assert slow.view("caps(uint256)", 70) == 99
    assert slow.why_not(encode_tighten([Change.cap(70, 100)])) == "atomic: loosens"
    assert slow.why_not(encode_tighten([Change(ChangeKind.CAP, (128).to_bytes(32), 0)])) == "atomic: loosens"
    assert slow.why_not(encode_tighten([Change(ChangeKind.CAP, b"\xff" * 32, 0)])) == "atomic: loosens"


@pytest.mark.parametrize(
    ("per_run", "per_day", "tighter"),
    [(5, 8, True), (4, 8, True), (5, 7, True), (0, 0, True), (6, 8, False), (5, 9, False), (1, 9, False)],
)
def test_tighten_lowers_both_parts_of_a_loss_limit(slow, per_run, per_day, tighter):
    slow.apply_now(Change.loss_limit(NEW, per_run=5, per_day=8))
    change = Change.loss_limit(NEW, per_run=per_run, per_day=per_day)
    if tighter:
        slow.send(encode_tighten([change]), GUARDIAN)
        assert parse_loss_limit(slow.view("limits(address)", NEW)) == (per_run, per_day)
    else:
        assert slow.why_not(encode_tighten([change])) == "atomic: loosens"


@pytest.mark.parametrize("word", [0, 5, 1])
def test_tighten_does_not_take_a_guard_away(slow, word):
    slow.apply_now(Change.loss_limit(NEW, per_run=5, per_day=8))
    change = Change(ChangeKind.LOSS_LIMIT, bytes(12) + bytes.fromhex(NEW[2:]), word)
    assert slow.why_not(encode_tighten([change])) == "atomic: loosens"
    assert slow.view("guarded_count()") == 1


def test_tighten_does_not_guard_what_was_not(slow):
    change = Change.loss_limit(NEW, per_run=0, per_day=0)
    assert slow.why_not(encode_tighten([change])) == "atomic: loosens"


@pytest.mark.parametrize("kind", [0, 8, 9, 10, 2**255])
@pytest.mark.parametrize("word", [0, 1])
def test_the_treasury_and_unguard_only_pass_through_the_delay(slow, kind, word):
    data = encode_call(f"tighten({CHANGE}[])", [(kind, bytes(12) + bytes.fromhex(NEW[2:]), word)])
    assert slow.why_not(data) == "atomic: loosens"


@pytest.mark.parametrize("role", list(Role))
def test_a_guardian_takes_roles_from_operators_alone(slow, role):
    holder = NEW
    slow.apply_now(Change.role(holder, role))
    removal = encode_tighten([Change.role(holder, role).removed()])
    if role is Role.OPERATOR:
        slow.send(removal, GUARDIAN)
    else:
        assert slow.why_not(removal, GUARDIAN) == "atomic: role"
        slow.send(removal, OWNER)
    assert slow.view("roles(address)", holder) == 0


def guard(*tokens):
    return [Change.loss_limit(address(token), per_run=1, per_day=1) for token in tokens]


def guarded(slow):
    count = slow.view("guarded_count()")
    return [slow.view("guarded(uint256)", index) for index in range(8)], count


def test_at_most_eight_tokens_are_guarded(slow):
    slow.apply_now(*guard(*range(1, 9)))
    assert guarded(slow) == ([1, 2, 3, 4, 5, 6, 7, 8], 8)
    assert slow.why_not(encode_schedule(guard(9))) == "atomic: inadmissible"
    slow.apply_now(Change.loss_limit(address(8), per_run=2, per_day=2))
    slow.apply_now(Change.unguard(address(2)))
    assert guarded(slow) == ([1, 8, 3, 4, 5, 6, 7, 0], 7)
    slow.apply_now(*guard(9))
    assert guarded(slow) == ([1, 8, 3, 4, 5, 6, 7, 9], 8)
    for token in (9, 1, 7, 8, 3, 4, 5, 6):
        slow.apply_now(Change.unguard(address(token)))
    assert guarded(slow) == ([0] * 8, 0)
    assert slow.why_not(encode_schedule([Change.unguard(address(9))])) == "atomic: inadmissible"


def test_the_ninth_is_refused_when_it_is_applied_too(slow):
    slow.apply_now(*guard(*range(1, 8)))
    two = guard(8, 9)
    slow.send(encode_schedule(two))
    slow.wait(DAY)
    assert slow.why_not(encode_apply(two)) == "atomic: inadmissible"


def test_guarding_and_pausing_leave_each_other_and_the_treasury_alone(slow):
    slow.send(encode_call("pause()"), GUARDIAN)
    slow.apply_now(*guard(0, 5), Change.treasury(NEW))
    assert slow.view("head()") == 2 << 168 | 1 << 160 | int(NEW, 16)
    slow.send(encode_call("unpause()"))
    slow.apply_now(Change.unguard(ZERO_ADDRESS))
    assert slow.view("head()") == 1 << 168 | int(NEW, 16)


@pytest.mark.parametrize("encode", [encode_schedule, encode_apply, encode_cancel, encode_tighten])
def test_at_most_thirty_two_in_a_call(slow, encode):
    caps = [Change.cap(64 + index, 0) for index in range(CHANGES_MAX + 1)]
    data = encode_call(
        {encode_schedule: "schedule", encode_apply: "apply", encode_cancel: "cancel"}.get(encode, "tighten")
        + f"({CHANGE}[])",
        [(int(change.kind), change.key, change.word) for change in caps],
    )
    assert slow.why_not(data) == "reverted without data"
    slow.send(encode_schedule(caps[:CHANGES_MAX]))


@pytest.mark.parametrize(
    ("kind", "key", "word"),
    [
        (0, 5, 1),
        (10, 5, 1),
        (2, 5, 0),
        (2, 5, 1),
        (2, 5, 64),
        (3, 5, 2),
        (3, 1 << 160, 1),
        (4, 5, 0),
        (5, 63, 1),
        (5, 128, 1),
        (6, 5, 5),
        (7, 5, 3),
        (7, 5, 8),
        (7, 0, 1),
        (7, int(OWNER, 16), 1),
        (7, int(GUARDIAN, 16), 1),
        (8, 0, 1),
        (8, 5, 0),
        (9, 5, 1),
    ],
)
def test_inadmissible(slow, kind, key, word):
    data = encode_call(f"schedule({CHANGE}[])", [(kind, key.to_bytes(32), word)])
    assert slow.why_not(data) == "atomic: inadmissible"


def test_the_delay_and_what_else_stands_for_ever(slow):
    assert slow.view("DELAY()") == DAY
    assert slow.view("WETH()") == int(WETH, 16)
    assert slow.view("version()") == 1
    assert slow.view("roles(address)", GUARDIAN) == Role.GUARDIAN

"""P22, P24: simulate, execute and a model of the specification agree on random programs.

Each program runs three times from the same state: in the model, by ``simulate`` and by ``execute``
(or ``unwind``) on the real bytecode. They agree on the verdict, on the very bytes of a revert, on
deltas, registers and the order of steps, and on every balance, allowance and effect afterwards.
"""

from collections import Counter, defaultdict
from random import Random

import pytest
from tests.hostile.atomic.attacks import attack
from tests.hostile.atomic.generator import Generator
from tests.hostile.atomic.house import (
    KEEP,
    OPERATOR,
    PAY,
    PUSH,
    RESCUER,
    STRANGER,
    TREASURY,
    build_house,
    standard_policy,
)
from tests.hostile.atomic.model import Model, Reverted, Rules, State, Unpredictable

from tidegate.chain import encode_call, selector
from tidegate.model import ZERO_ADDRESS
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    ArgumentRule,
    Change,
    ChangeKind,
    Permission,
    RuleKind,
    decode_executed,
    decode_simulated,
    encode_execute,
    encode_simulate,
    encode_unwind,
    parse_loss_limit,
)

DEFAULT_PARTS, SLOW_PARTS = 4, 10
PROGRAMS_IN_A_PART, SLOW_PROGRAMS_IN_A_PART = 2_500, 5_000
SEED = 20_261_120
INVENTORY = 20_000
HONEST = ((0, 0), (5, 0), (30, 0))
CHEATING = ((0, 1), (0, 2), (0, 16), (5, 64), (0, 128), (5, 256))


def extra_policy(house):
    """Rules and expiries over the plain permissions of the house."""
    asset_and_cap = (ArgumentRule(RuleKind.ASSET, 0), ArgumentRule(RuleKind.CAP, 1, 64))
    return [
        Change.policy(house.target, selector(KEEP), Permission(call=True, value=True, rules=asset_and_cap)),
        Change.policy(house.target, selector(PUSH), Permission(call=True, expires_at_s=2**40 - 1)),
        Change.policy(house.target, selector(PAY), Permission(call=True)),
        *(
            Change.policy(token, selector("balanceOf(address)"), Permission(read=True))
            for token in (house.a, house.b)
        ),
        Change.asset(house.a),
        Change.cap(64, 1_000),
        Change.spender(house.pool),
        Change.loss_limit(house.b, per_run=5_000, per_day=8_000),
        Change.loss_limit(ZERO_ADDRESS, per_run=10_000, per_day=9_000),
    ]


class Differential:
    """A house, the model's picture of it, and what came of every program."""

    def __init__(self):
        self.house = build_house()
        house = self.house
        house.allow(*extra_policy(house))
        for token in (house.a, house.b):
            house.mint(token, INVENTORY)
        house.world.set_balance(house.executor, INVENTORY)
        self.holders = (
            house.executor, house.target, house.pool, house.morpho, house.balancer, TREASURY,
        )  # fmt: skip
        self.spenders = (house.target, house.pool, house.morpho, house.balancer)
        self.rules = self.read_rules()
        self.verdicts = Counter()
        self.questions = self.ask()
        self.before = self.real_state()

    def read_rules(self):
        house = self.house
        latest = {
            (change.kind, change.key): change for change in (*standard_policy(house), *extra_policy(house))
        }
        by_kind = defaultdict(list)
        for change in latest.values():
            by_kind[change.kind].append(change)

        def accounts(kind):
            return {int(change.account, 16): change.word for change in by_kind[kind]}

        return Rules(
            executor=int(house.executor, 16),
            treasury=int(TREASURY, 16),
            target=int(house.target, 16),
            tokens=(int(house.a, 16), int(house.b, 16)),
            roles=accounts(ChangeKind.ROLE),
            policy={change.key: change.word for change in by_kind[ChangeKind.POLICY]},
            lenders=accounts(ChangeKind.LENDER),
            spenders=set(accounts(ChangeKind.SPENDER)),
            assets=set(accounts(ChangeKind.ASSET)),
            caps={int.from_bytes(change.key): change.word for change in by_kind[ChangeKind.CAP]},
            limits={token: parse_loss_limit(word) for token, word in accounts(ChangeKind.LOSS_LIMIT).items()},
            chain_id=house.world.chain_id,
        )

    def ask(self):
        """Return every question about tokens, encoded once: (place in the state, token, calldata)."""
        house = self.house
        questions = []
        for token in (house.a, house.b):
            for holder in self.holders:
                data = encode_call("balanceOf(address)", holder)
                questions.append(((int(token, 16), int(holder, 16)), token, data))
            for spender in self.spenders:
                data = encode_call("allowance(address,address)", house.executor, spender)
                place = int(token, 16), self.rules.executor, int(spender, 16)
                questions.append((place, token, data))
        return questions

    def real_state(self):
        house, world = self.house, self.house.world
        state = State(calls=house.calls(), kept=self.kept())
        for place, token, data in self.questions:
            answer = int.from_bytes(world.call(token, data))
            (state.balances if len(place) == 2 else state.allowances)[place] = answer
        for holder in self.holders:
            state.balances[0, int(holder, 16)] = world.balance(holder)
        return state

    def kept(self):
        data = [encode_call("kept(uint256)", place) for place in (0, 1)]
        return tuple(int.from_bytes(self.house.world.call(self.house.target, each)) for each in data)

    def set_terms(self, terms):
        """Let all lenders lend on ``terms``, (fee in bps, tricks), from now on."""
        lenders = (self.house.pool, self.house.morpho, self.house.balancer)
        if self.before.terms.get(int(lenders[0], 16)) != terms:
            for lender in lenders:
                self.house.send(lender, "set_terms(uint256,uint256)", *terms)
            self.before.terms = {int(lender, 16): terms for lender in lenders}

    def check(self, raw, *, sender, value, terms):
        """Run ``raw`` in all three ways and compare."""
        world = self.house.world
        self.set_terms(terms)
        with world.snapshot():
            expected = self.expect(raw, sender, value, world.block().timestamp + 1)
            if expected is None:
                self.verdicts["unpredictable"] += 1
                return
            state, answer = expected
            simulated = self.simulate(raw, sender, value)
            executed = self.execute(raw, sender, value)
            if isinstance(answer, bytes):
                self.verdicts[answer[:4].hex() or "empty"] += 1
                assert executed == answer
                assert simulated == (answer if sender == OPERATOR else simulated)
                assert self.comparable(self.real_state()) == self.comparable(self.before)
            else:
                self.verdicts["landed"] += 1
                assert executed == answer.deltas[0]
                assert self.comparable(self.real_state()) == self.comparable(state)
                if sender == OPERATOR:
                    tags = tuple(255 if entry.tag is None else entry.tag for entry in simulated.trace)
                    assert (simulated.deltas, simulated.registers) == (answer.deltas, answer.registers)
                    assert tags == answer.tags

    def expect(self, raw, sender, value, now):
        state = self.before.copy()
        state.balances[0, int(sender, 16)] = self.house.world.balance(sender)
        self.rules.now = now
        try:
            result = Model(self.rules, state).execute(
                raw, sender=int(sender, 16), value=value, exempt=sender == RESCUER
            )
        except Unpredictable:
            return None
        except Reverted as reverted:
            return state, reverted.data
        return state, result

    def simulate(self, raw, sender, value):
        """Return what simulate answers in the block in which execute will run."""
        world = self.house.world
        with world.snapshot():
            world.mine()
            with pytest.raises(WorldReverted) as caught:
                world.call(self.house.executor, encode_simulate(raw), sender=sender, value=value)
        return decode_simulated(caught.value.data) or caught.value.data

    def execute(self, raw, sender, value):
        encode = encode_unwind if sender == RESCUER else encode_execute
        try:
            receipt = self.house.world.transact(self.house.executor, encode(raw), sender=sender, value=value)
        except WorldReverted as reverted:
            return reverted.data
        (run,) = decode_executed(receipt.logs, self.house.executor)
        return run.delta

    def comparable(self, state):
        """Return the part of a state that both sides know."""
        places = [(int(token, 16), int(holder, 16)) for holder in self.holders
                  for token in (ZERO_ADDRESS, self.house.a, self.house.b)]  # fmt: skip
        allowances = {place: left for place, left in state.allowances.items() if left}
        return {place: state.balances[place] for place in places}, allowances, state.calls, state.kept


@pytest.fixture(scope="module")
def differential():
    return Differential()


def campaign(differential, seed, count):
    random = Random(seed)
    generator = Generator(differential.house, random)
    differential.verdicts.clear()
    for number in range(count):
        raw = generator.raw()
        sender = random.choices((OPERATOR, RESCUER, STRANGER), (95, 4, 1))[0]
        value, terms = random.choice((0, 0, 0, 100)), random.choice(HONEST * 6 + CHEATING)
        try:
            differential.check(raw, sender=sender, value=value, terms=terms)
        except AssertionError as error:
            raise AssertionError(
                f"program {number} of seed {seed}, terms {terms}, value {value}, {sender}: {raw.hex()}"
            ) from error
    return differential.verdicts


ERRORS = {
    "landed",
    "empty",
    "08c379a0",  # Error(string)
    selector("StepFailed(uint256,address,bytes4,bytes)").hex(),
    selector("PolicyDenied(uint256,bytes32,uint256)").hex(),
    selector("CheckFailed(uint256,uint256,uint256)").hex(),
    selector("FeeTooHigh(uint256,uint256)").hex(),
    selector("AllowanceLeft(address,address)").hex(),
    selector("DeltaTooLow(address,int256,int256)").hex(),
    selector("LossTooHigh(address,uint256,uint256)").hex(),
}


@attack("P22 P24", "10,000 random programs, honest and cheating lenders, against a model and a simulation")
@pytest.mark.parametrize("part", range(DEFAULT_PARTS))
def test_p22_p24_contract_simulation_and_model_agree(differential, part):
    verdicts = campaign(differential, SEED + part, PROGRAMS_IN_A_PART)
    # The programs reach every verdict there is, and almost all of them one that can be known.
    assert set(verdicts) - {"unpredictable"} == ERRORS
    assert verdicts["landed"] > PROGRAMS_IN_A_PART * 0.2
    assert verdicts["unpredictable"] < PROGRAMS_IN_A_PART * 0.01


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(SLOW_PARTS))
def test_p24_deep(differential, part):
    campaign(differential, SEED + 100 + part, SLOW_PROGRAMS_IN_A_PART)


def test_a_model_with_one_rule_changed_is_found_out(differential):
    """The comparison can fail: a model that rounds the wrong way disagrees at once."""
    right = Model.math

    def wrong(self, step):
        right(self, step)
        if step >> 224 & 0xFF == 8:
            self.registers[step >> 232 & 0xFF] += 1

    Model.math = wrong
    try:
        with pytest.raises(AssertionError):
            campaign(differential, SEED, 1_000)
    finally:
        Model.math = right

"""No interleaving of workers, renewals, kills and hours passes a limit (hypothesis, stateful)."""

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.custody.oracle import read
from tests.custody.signer_world import (
    DAY_S,
    GWEI,
    HOT,
    USD,
    SignerWorld,
    is_signed,
    transaction,
    transfer,
)

DAY_MS = DAY_S * 1000
DAY_LIMIT = 1_000 * USD
AT_RISK_LIMIT = 1_010 * USD
TX_DAY = 6

amounts = st.sampled_from([0, 1, 100 * USD, 499 * USD, 500 * USD, 1_000 * USD])
nonces = st.integers(0, 7)
fees = st.integers(1, 60)
asks = st.tuples(nonces, amounts, fees, st.booleans())


class Workers(RuleBasedStateMachine):
    """Several workers at one signer: their requests arrive in any order, alone or in one frame."""

    def __init__(self):
        super().__init__()
        self.world = SignerWorld()
        self.serial = 0
        self.seen = {}
        self.renew(DAY_LIMIT)

    @rule(day_limit=st.sampled_from([DAY_LIMIT, DAY_LIMIT // 2]))
    def renew(self, day_limit):
        """Load the next serial: the day's books go on."""
        self.serial += 1
        now_s = self.world.clock.now_ms() // 1000
        self.held = self.world.load(
            serial=self.serial,
            notional_tx_usd_e6=day_limit,
            notional_day_usd_e6=day_limit,
            at_risk_tx_usd_e6=AT_RISK_LIMIT,
            at_risk_day_usd_e6=AT_RISK_LIMIT,
            tx_day=TX_DAY,
            not_before=now_s,
            expires_at=now_s + DAY_S,
        )

    @rule(frame=st.lists(asks, min_size=1, max_size=5), shift=st.integers(0, 2))
    def work(self, frame, shift):
        """Send a frame of requests of several workers."""
        base = 8 * shift
        requests = []
        for nonce, amount, fee, cancels in frame:
            content = {"to": HOT.address, "data": b""} if cancels else {"data": transfer(amount)}
            unsigned = transaction(
                nonce=base + nonce,
                gas_limit=21_000,
                max_fee_wei=fee * GWEI,
                max_priority_fee_wei=fee * GWEI,
                **content,
            )
            requests.append(self.world.request(self.held, unsigned))
        for answer in self.world.core.handle(requests, is_admin=False):
            if is_signed(answer):
                self.book(read(answer.raw))

    def book(self, seen):
        notional = 0 if seen.is_cancel else int.from_bytes(seen.data[-32:])
        known = self.seen.setdefault(seen.nonce, [self.world.clock.now_ms(), 0, 0])
        known[1] = max(known[1], notional)
        known[2] = max(known[2], notional + seen.gas_usd_e6)

    @rule(seconds=st.sampled_from([0.001, 1, 3_600, DAY_S // 2, DAY_S - 1, DAY_S]))
    def wait(self, seconds):
        self.world.later(seconds)

    @rule()
    def kill(self):
        """End the process and start it again over the same journal."""
        self.world = self.world.restarted()

    @precondition(lambda self: self.seen)
    @rule()
    def kill_between_record_and_answer(self):
        """Die after a commit whose answer nobody saw: it must be counted all the same."""
        self.world.journal.dies_after = KeyboardInterrupt()
        unsigned = transaction(nonce=30, gas_limit=21_000, data=transfer(100 * USD))
        request = self.world.request(self.held, unsigned)
        with contextlib.suppress(KeyboardInterrupt):
            self.world.ask(request)
        self.world.journal.dies_after = None
        was_recorded = "signing" in self.world.journal.kept[-1].body
        self.world = self.world.restarted()
        answer = self.world.ask(request)
        if was_recorded:
            self.book(read(answer.raw))

    @invariant()
    def no_limit_is_passed(self):
        since = self.world.clock.now_ms() - DAY_MS
        fresh = [one for one in self.seen.values() if one[0] > since]
        assert sum(notional for _, notional, _ in fresh) <= DAY_LIMIT
        assert sum(at_risk for *_, at_risk in fresh) <= AT_RISK_LIMIT
        assert len(fresh) <= TX_DAY


Workers.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_no_interleaving_of_workers_passes_a_limit = Workers.TestCase

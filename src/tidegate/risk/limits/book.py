"""What was counted against every limit; a check and the reservation that it allows are one step.

There is one book, in the process that owns the ledger. It takes no place unless there is one in every
limit, and two workers can not both get the last. What an exit does is counted and never refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import msgspec

from tidegate.ledger import Held, MarkBody, Used
from tidegate.model import (
    Intent,
    Metric,
    NullRecorder,
    OutcomeKind,
    Plan,
    Recorder,
    Stage,
)
from tidegate.risk.limits.meter import Tally, Undo, total
from tidegate.risk.limits.rows import LIMITS, RUN_LIMITS, Limit, Measure, Over
from tidegate.risk.limits.slots import Slot, adding_of, at_worst, exceeds, no_room, scopes_of
from tidegate.risk.limits.table import LimitTable, RunLimits
from tidegate.risk.limits.undo import UndoMemory

_GWEI = 10**9
_FAILED = (OutcomeKind.REJECTED, OutcomeKind.REVERTED)
_IN_A_BLOCK = (OutcomeKind.LANDED, OutcomeKind.REVERTED, OutcomeKind.DROPPED)
"""How an intent ends by a block, which a reorg may take away."""
_AT_PLAN = frozenset({Measure.OPEN_TRANSACTIONS, Measure.LOSS, Measure.GAS})
"""What is only known, and taken, once there is a plan. Until then it must merely not be used up."""
_EXPOSURES = {limit.name: limit for limit in LIMITS if limit.measure is Measure.EXPOSURE}


class LimitBook:
    """Counts against limits. Safe to use from several threads.

    Parameters
    ----------
    table
        How much is allowed.
    recorder
        Where the used ratio of each limit is measured.
    """

    def __init__(self, table: LimitTable, *, recorder: Recorder | None = None) -> None:
        self.table = table
        self._recorder = recorder or NullRecorder()
        self._lock = threading.RLock()
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._open: dict[str, tuple[RunLimits, tuple[Slot, ...]]] = {}
        self._held: dict[str, dict[tuple[str, str], int]] = {}
        self._marked_loss: dict[str, int] = {}
        self._keep: Callable[[MarkBody], object] | None = None
        self._stage = table.stage
        self._undo = UndoMemory()

    def reserve(self, intent: Intent, run: RunLimits, *, now_s: int) -> tuple[Used, ...]:
        """Check every limit and take the intent's place in each, in one step.

        Parameters
        ----------
        run
            The strategy's own limits.
        now_s
            Event time: chain time, or the tape's.

        Returns
        -------
        tuple of Used
            What was used before this intent.

        Raises
        ------
        Denied
            ``limit``, naming the first limit without room; nothing is taken then.
        """
        with self._lock:
            slots = self._slots(intent, run)
            checked = self._demand_room(intent, slots, now_s)
            self._open[intent.id] = run, slots
            if intent.exposures and intent.desk not in self._held:
                self._keep_mark(intent.desk)  # before anything lands: a restart reads back as far as a mark
                self._held[intent.desk] = {}
            self._take(intent, slots, now_s)
            return checked

    def commit(self, intent: Intent, plan: Plan, run: RunLimits, *, now_s: int) -> tuple[Used, ...]:
        """Take what a plan may lose and pay for gas at worst, and its open transaction, if there is room.

        What was lost, what other open intents may lose and what this one may lose must fit together. Another
        plan of the same intent takes the place of the first.

        Raises
        ------
        Denied
            ``limit`` with the figures; nothing is taken then.
        """
        with self._lock:
            slots = self._slots_of_plan(intent, plan, run)
            checked = self._demand_room(intent, slots, now_s)
            for slot in slots:
                slot.tally.meter.hold(intent.id, slot.adding)
                self._measure(slot, now_s)
            return checked

    def close(
        self,
        intent: Intent,
        *,
        kind: OutcomeKind,
        value_usd_e6: int = 0,
        gas_cost_wei: int = 0,
        now_s: int,
    ) -> None:
        """Give back the intent's places and count what came of it.

        What it moved counts if it landed, a loss if ``value_usd_e6`` is below zero, gas as paid; a
        rejected or reverted one is a failure. One that was denied or dropped is no attempt.
        """
        with self._lock:
            landed = kind is OutcomeKind.LANDED
            undo: list[Undo] = []
            slots = self._slots(intent)
            for slot in slots:
                meter, attempts = slot.tally.meter, slot.tally.attempts
                held = meter.release(intent.id)
                match slot.limit.measure:
                    case Measure.NOTIONAL if landed and slot.limit.window_s:
                        undo.append(meter.happened.add(now_s, held))
                    case Measure.FAILED_SHARE if attempts is not None and (landed or kind in _FAILED):
                        undo.append(attempts.add(now_s, failed=not landed))
                    case Measure.FAILED_STREAK if landed:
                        undo.append(meter.happened.clear())
                    case Measure.FAILED_STREAK if kind in _FAILED:
                        undo.append(meter.happened.add(now_s, 1))
                    case _:
                        pass
            undo += self._spend(slots, value_usd_e6, gas_cost_wei, now_s)
            self._open.pop(intent.id, None)
            if landed and intent.exposures:
                self._change_held(intent, 1)
                undo.append(partial(self._change_held, intent, -1))
            if kind in _IN_A_BLOCK:
                self._undo.keep(intent.id, undo, now_s=now_s)
            for slot in slots:
                self._measure(slot, now_s)

    def reopen(self, intent: Intent, plan: Plan | None = None, *, at_s: int) -> None:
        """Count an intent as open again: a reorg has taken away the block by which it ended.

        What was counted when it was closed is taken back, so that it counts once when it ends again. It
        stays the one order that it was. One that has not ended is counted as ``restore`` does.
        """
        with self._lock:
            if intent.id not in self._undo:
                self.restore(intent, plan, at_s=at_s)
                return
            self._undo.take_back(intent.id)
            slots = (one for one in self._slots(intent) if one.limit.measure is not Measure.ORDERS)
            self._take(intent, tuple(slots), at_s)
            self._hold_plan(intent, plan)

    def charge(self, intent: Intent, *, value_usd_e6: int, gas_cost_wei: int, now_s: int) -> None:
        """Count what an intent has cost after its end: the cancel that used up its nonce."""
        with self._lock:
            undo = self._spend(self._slots(intent), value_usd_e6, gas_cost_wei, now_s)
            self._undo.keep(intent.id, undo, now_s=now_s)

    def uncharge(self, intent_id: str) -> None:
        """Take back what ``charge`` counted: a reorg has taken that block away."""
        with self._lock:
            self._undo.take_back(intent_id)

    def finalise(self, intent_id: str) -> None:
        """Take note that no reorg can reach the intent any more: what it counted stays."""
        with self._lock:
            self._undo.forget(intent_id)

    def restore(self, intent: Intent, plan: Plan | None = None, *, at_s: int) -> None:
        """Count an intent that the ledger knows, as open, without checking a limit. Counted once."""
        with self._lock:
            slots = self._slots(intent)
            if any(
                one.limit.measure is Measure.OPEN_INTENTS and one.tally.meter.held(intent.id) for one in slots
            ):
                return
            self._take(intent, slots, at_s)
            self._hold_plan(intent, plan)

    def mark(self, body: MarkBody) -> None:
        """Set all that a desk holds, and what it would lose by closing it now."""
        with self._lock:
            self._held[body.desk] = {(held.venue, held.token): held.value_usd_e6 for held in body.held}
            self._marked_loss[body.desk] = max(0, -body.unrealised_usd_e6)
            self._stand(body.desk)

    def keep_marks(self, keep: Callable[[MarkBody], object], *, stage: Stage, anew: bool) -> None:
        """From now on hand over the mark of a desk whenever what it holds has changed.

        What is held outlasts every window, so it must be written down by itself. ``anew``: hand over the
        marks of all desks at once, because those in the journal are old.
        """
        with self._lock:
            self._keep, self._stage = keep, stage
            for desk in sorted(self._held) if anew else ():
                self._keep_mark(desk)

    def forgive(self, scope: str) -> None:
        """Begin the count of failures of a desk or chain anew, because a person resumed it on evidence."""
        with self._lock:
            for limit in LIMITS:
                tally = self._tally(limit, scope)
                if tally.attempts is not None:
                    tally.attempts.clear()
                elif limit.measure is Measure.FAILED_STREAK:
                    tally.meter.happened.clear()

    def used(self, name: str, scope: str, *, now_s: int) -> int:
        """Return how much of the limit ``name`` is used in ``scope``; what was never counted is 0."""
        with self._lock:
            tally = self._tallies.get((name, scope))
            return 0 if tally is None else tally.used(now_s)

    def _keep_mark(self, desk: str) -> None:
        if self._keep is None:
            return
        held = sorted(self._held.get(desk, {}).items())
        self._keep(
            MarkBody(
                stage=self._stage,
                desk=desk,
                unrealised_usd_e6=-self._marked_loss.get(desk, 0),
                held=tuple(Held(venue, token, value) for (venue, token), value in held if value),
            )
        )

    def _demand_room(self, intent: Intent, slots: tuple[Slot, ...], now_s: int) -> tuple[Used, ...]:
        checked = []
        for slot in slots:
            used = slot.tally.used(now_s) - slot.tally.meter.held(intent.id)
            checked.append(Used(slot.limit.name, used, slot.allowed, slot.scope))
            if not intent.operation.is_exit and exceeds(slot, used):
                raise no_room(slot, used)
        return tuple(checked)

    def _take(self, intent: Intent, slots: tuple[Slot, ...], now_s: int) -> None:
        for slot in slots:
            meter = slot.tally.meter
            match slot.limit.measure:
                case Measure.ORDERS:
                    meter.happened.add(now_s, 1)
                case Measure.NOTIONAL if slot.limit.window_s:
                    meter.hold(intent.id, slot.adding)
                case Measure.OPEN_INTENTS | Measure.EXPOSURE:
                    meter.hold(intent.id, slot.adding)
                case _:
                    pass
            self._measure(slot, now_s)

    def _hold_plan(self, intent: Intent, plan: Plan | None) -> None:
        if plan is not None:
            for slot in self._slots_of_plan(intent, plan):
                slot.tally.meter.hold(intent.id, slot.adding)

    def _spend(self, slots: tuple[Slot, ...], value_usd_e6: int, gas_cost_wei: int, now_s: int) -> list[Undo]:
        undo = []
        for slot in slots:
            happened = slot.tally.meter.happened
            if slot.limit.measure is Measure.LOSS and value_usd_e6 < 0:
                undo.append(happened.add(now_s, -value_usd_e6))
            elif slot.limit.measure is Measure.GAS and gas_cost_wei > 0:
                undo.append(happened.add(now_s, -(-gas_cost_wei // _GWEI)))
        return undo

    def _slots(self, intent: Intent, run: RunLimits | None = None) -> tuple[Slot, ...]:
        """Return the intent's slots, with what it adds before it has a plan; kept while it is open.

        Without ``run`` the limits by which it was reserved hold.
        """
        known = self._open.get(intent.id)
        if known is not None and (run is None or known[0] == run):
            return known[1]
        own = run or RunLimits()
        found = []
        for limit in (*RUN_LIMITS, *LIMITS):
            for scope, change in scopes_of(limit, intent):
                tally = self._tally(limit, scope)
                allowed = getattr(own, limit.name) if tally.allowed is None else tally.allowed
                found.append(Slot(limit, scope, allowed, adding_of(limit, intent, change), tally))
        return tuple(found)

    def _slots_of_plan(self, intent: Intent, plan: Plan, run: RunLimits | None = None) -> tuple[Slot, ...]:
        """Return the slots that an intent takes by its plan, with what the plan adds at worst."""
        amounts = at_worst(plan)
        return tuple(
            msgspec.structs.replace(one, adding=amounts.get(one.limit.measure, one.adding))
            for one in self._slots(intent, run)
            if one.limit.measure in _AT_PLAN
        )

    def _change_held(self, intent: Intent, sign: int) -> None:
        held = self._held.setdefault(intent.desk, {})
        for exposure in intent.exposures:
            key = (exposure.venue, exposure.token)
            held[key] = held.get(key, 0) + sign * exposure.change_usd_e6
        self._stand(intent.desk)
        self._keep_mark(intent.desk)

    def _stand(self, desk: str) -> None:
        """Let the meters of a desk stand at what it holds, and those of losses at what is marked."""
        held = self._held.get(desk, {})
        for (name, scope), tally in self._tallies.items():
            if name.startswith("exposure_") and (
                scope == f"desk:{desk}" or scope.startswith(f"desk:{desk},")
            ):
                tally.meter.standing = 0
        by_scope: dict[tuple[str, str], int] = {}
        for (venue, token), value in held.items():
            for key in (
                ("exposure_per_token_usd_e6", f"desk:{desk},token:{token}"),
                ("exposure_per_venue_usd_e6", f"desk:{desk},venue:{venue}"),
                ("exposure_usd_e6", f"desk:{desk}"),
            ):
                by_scope[key] = by_scope.get(key, 0) + abs(value)
        for (name, scope), value in by_scope.items():
            self._tally(_EXPOSURES[name], scope).meter.standing = value
        for limit in LIMITS:
            if limit.measure is Measure.LOSS and limit.over is Over.DESK:
                self._tally(limit, f"desk:{desk}").meter.standing = self._marked_loss.get(desk, 0)
            elif limit.measure is Measure.LOSS:
                self._tally(limit, "global").meter.standing = total(self._marked_loss.values())

    def _tally(self, limit: Limit, scope: str) -> Tally:
        tally = self._tallies.get((limit.name, scope))
        if tally is None:
            allowed = None if limit.over is Over.STRATEGY else self.table.allows(limit, scope)
            tally = self._tallies[limit.name, scope] = Tally(limit, allowed)
        return tally

    def _measure(self, slot: Slot, now_s: int) -> None:
        used = slot.tally.used(now_s)
        ratio = used / slot.allowed if slot.allowed else float(used > 0)
        if ratio != slot.tally.shown:
            slot.tally.shown = ratio
            self._recorder.set(Metric.LIMIT_USED_RATIO, ratio, limit=slot.limit.name, scope=slot.scope)

"""What is asked of the chain whether anyone trades or not: a dead feed emits nothing, so it is polled.

Feeds of the strategy's tokens, the executor's balances and health factors, what lenders hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidegate.chain import decode_output, encode_call, keccak256
from tidegate.desks.atomic.machine import signals
from tidegate.desks.atomic.machine.loans import flash_steps
from tidegate.desks.atomic.machine.quoting import Assignment
from tidegate.desks.atomic.machine.safeguards import lendings_of
from tidegate.desks.atomic.machine.signals import Signal
from tidegate.model import Address, Metric
from tidegate.risk.guards.feeds import DOLLAR, feeds_of
from tidegate.venues import NATIVE, StateView
from tidegate.venues.chainlink import LATEST_ROUND, decode_round
from tidegate.venues.flash import Lender, lenders_of

POLL_S = 10
"""Seconds of chain time between two looks at everything."""

_NO_DEBT = 2**256 - 1
_E18 = 10**18


@dataclass(frozen=True, slots=True)
class Vital:
    """One figure: where it is measured, and the alert input that it makes, if any."""

    metric: Metric
    value: float
    labels: Mapping[str, str]
    signal: Signal | None = None


def vitals_of(job: Assignment, view: StateView, loans: Mapping[tuple[str, str], int]) -> tuple[Vital, ...]:
    """Read everything of one strategy at one block.

    Parameters
    ----------
    loans
        The largest loan planned by (lender, asset), in base units.

    Raises
    ------
    TidegateError
        If the state can not be read: what is not known is not told as well.
    """
    return (*_feeds(job, view), *_health(job, view), *_balances(job, view), *_lenders(job, view, loans))


def _feeds(job: Assignment, view: StateView) -> Iterator[Vital]:
    now_s = view.block().timestamp
    tokens = (job.book.token(symbol) for symbol in (*job.strategy.tokens, NATIVE))
    by_feed = {token.feed: token.symbol for token in tokens if token.feed is not None}
    for name, symbol in sorted(by_feed.items()):
        if job.book.entry(name).heartbeat_s is None:
            continue
        (feed,) = feeds_of(f"{symbol}/{DOLLAR}", job.book)
        age_s = now_s - decode_round(view.call(feed.address, LATEST_ROUND)).updated_at_s
        signal = signals.oracle_age(name, age_s, feed.max_age_s)
        yield Vital(Metric.ATOMIC_FEED_AGE_S, age_s, {"feed": name}, signal)


def _health(job: Assignment, view: StateView) -> Iterator[Vital]:
    lens = job.book.entry("guard_lens").address
    for protocol in sorted({one.protocol for one in lendings_of(job.strategy)}):
        pool = job.book.entry(f"{protocol}.pool").address
        factor = _word(view, lens, encode_call("health_factor(address,address)", pool, job.executor))
        yield Vital(
            Metric.ATOMIC_HEALTH_FACTOR,
            float("inf") if factor == _NO_DEBT else factor / _E18,
            {"protocol": protocol},
            signals.health_factor(protocol, factor),
        )


def _balances(job: Assignment, view: StateView) -> Iterator[Vital]:
    for symbol in job.strategy.tokens:
        token = job.book.token(symbol)
        held = _word(view, token.address, encode_call("balanceOf(address)", job.executor))
        yield Vital(Metric.ATOMIC_EXECUTOR_BALANCE, held / 10**token.decimals, {"token": symbol})
    eth = view.balance(job.executor)
    yield Vital(Metric.ATOMIC_EXECUTOR_BALANCE, eth / _E18, {"token": NATIVE})


def _lenders(job: Assignment, view: StateView, loans: Mapping[tuple[str, str], int]) -> Iterator[Vital]:
    lenders = {one.name: one for one in lenders_of(job.book)}
    borrowed = {step.asset for step in flash_steps(job.strategy)}
    for (name, asset), largest in sorted(loans.items()):
        if name in lenders and asset in borrowed:
            token = job.book.token(asset)
            lender = lenders[name]
            there = 0 if _is_changed(lender, view) else lender.liquidity(token.address, view)
            labels = {"lender": name, "asset": asset}
            signal = signals.lender_liquidity(name, asset, there, largest)
            yield Vital(Metric.ATOMIC_LENDER_LIQUIDITY, there / 10**token.decimals, labels, signal)


def _is_changed(lender: Lender, view: StateView) -> bool:
    """Say whether the lender's code is not the book's: it then lends nothing that we would take."""
    return bool(lender.code_hash) and keccak256(view.code(lender.address)).hex() != lender.code_hash


def _word(view: StateView, to: Address, data: bytes) -> int:
    return int(decode_output(("uint256",), view.call(to, data))[0])

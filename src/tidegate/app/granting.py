"""A capability for a devnet that is up, made of what its strategies need and what its chain says.

What ``tidegate devnet grant`` calls: the executor's functions, lenders and spenders come from the
strategies, code hashes, holdings and prices from the newest block; the limits come from a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tidegate.app.devnet import NodeRecord
from tidegate.app.runtime import Job
from tidegate.chain import decode_output, devnet_network, encode_call, keccak256, selector
from tidegate.custody import Capability, Issuer, IssuerKind, Purpose, devnet_capability, executor_terms
from tidegate.desks.atomic import Assignment, joint_policy
from tidegate.model import (
    BPS,
    ZERO_ADDRESS,
    Address,
    ConfigError,
    Stage,
    TidegateError,
    Unavailable,
    mul_div_up,
)
from tidegate.sim import PinnedWorlds
from tidegate.venues import NATIVE, AddressBook, StateView
from tidegate.venues.chainlink import LATEST_ROUND, decode_round
from tidegate.venues.executor import Change

DESK = "atomic"
PRICE_MARGIN_BPS = 1_000
"""Ceiling prices stand a tenth above the feeds' answers."""
EXECUTE = "0x" + selector("execute(bytes)").hex()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person allows. Dollars in millionths, gas price in wei, times in seconds."""

    notional_tx_usd_e6: int
    notional_day_usd_e6: int
    at_risk_tx_usd_e6: int
    at_risk_day_usd_e6: int
    tx_day: int
    gas_limit_max: int
    max_fee_wei: int
    deadline_max_s: int
    life_s: int


@dataclass(frozen=True, slots=True)
class Holder:
    """The key that the capability is for."""

    address: Address
    is_throw_away: bool


def devnet_grant(
    record: NodeRecord,
    book: AddressBook,
    jobs: Iterable[Job],
    *,
    holder: Holder,
    stage: Stage,
    purpose: Purpose,
    limits: Limits,
    issuer_key: Ed25519PrivateKey,
    now_ms: int,
) -> Capability:
    """Return a capability for the atomic desk on a devnet that is up.

    The serial is the time in milliseconds: a later grant replaces an earlier one.

    Raises
    ------
    ConfigError
        If the strategies belong to another chain, or use several executors.
    Denied
        ``capability_invalid`` if stage, key or limits do not go together.
    Unavailable
        If the node does not answer.
    """
    network = devnet_network(record.chain_id, name=record.chain, block_time_s=record.block_time_s)
    assignments = tuple(_assigned(jobs, book, holder.address))
    executor = _only_executor(assignments, book)
    worlds = PinnedWorlds(record.url, block_time_s=max(1, round(record.block_time_s)))
    try:
        view = worlds.at("latest")
        prices = _prices(book, view)
        policy = _policy(executor, joint_policy(assignments, view), limits, prices, view)
        code_hash = "0x" + keccak256(view.code(executor)).hex()
    finally:
        worlds.close()
    issuer = Issuer(
        name="devnet", kind=IssuerKind.DEVNET, public_key=issuer_key.public_key().public_bytes_raw()
    )
    return devnet_capability(
        issuer=issuer,
        network=network,
        is_throw_away=holder.is_throw_away,
        purpose=purpose,
        desk=DESK,
        stage=stage,
        chain_id=record.chain_id,
        key_address=holder.address,
        targets=[{"address": executor, "code_hash": code_hash, "selectors": [EXECUTE]}],
        typed_domains=[],
        policies=[policy],
        prices=prices,
        notional_tx_usd_e6=limits.notional_tx_usd_e6,
        notional_day_usd_e6=limits.notional_day_usd_e6,
        at_risk_tx_usd_e6=limits.at_risk_tx_usd_e6,
        at_risk_day_usd_e6=limits.at_risk_day_usd_e6,
        tx_day=limits.tx_day,
        gas_limit_max=limits.gas_limit_max,
        max_fee_wei=limits.max_fee_wei,
        unvalued=[],
        not_before=now_ms // 1000,
        expires_at=now_ms // 1000 + limits.life_s,
        serial=now_ms,
    )


def _assigned(jobs: Iterable[Job], book: AddressBook, operator: Address) -> Iterator[Assignment]:
    for job in jobs:
        if job.strategy.chain != book.chain:
            raise ConfigError(
                f"{job.strategy.name} is for another chain",
                found=job.strategy.chain,
                allowed=book.chain,
                fix="grant it on its own chain",
            )
        yield job.assignment(book, operator)


def _only_executor(assignments: tuple[Assignment, ...], book: AddressBook) -> Address:
    executors = sorted({assignment.executor for assignment in assignments})
    if len(executors) != 1:
        raise ConfigError(
            "a grant is for one executor",
            found=", ".join(book.name_of(one) for one in executors) or "no strategy",
            allowed="strategies that share one",
            fix="name the strategies of one executor",
        )
    return executors[0]


def _policy(
    executor: Address,
    changes: tuple[Change, ...],
    limits: Limits,
    prices: list[dict[str, Any]],
    view: StateView,
) -> dict[str, Any]:
    held = [{"token": price["token"], "most": str(_held(price["token"], executor, view))} for price in prices]
    figures: Mapping[str, Any] = {
        "inventory": held,
        "deadline_max_s": limits.deadline_max_s,
        "gas_limit_max": limits.gas_limit_max,
        "at_risk_tx_usd_e6": limits.at_risk_tx_usd_e6,
        "flow_tx_usd_e6": limits.notional_tx_usd_e6,
    }
    return {"name": "executor", "terms": executor_terms(executor, changes, figures)}


def _held(token: Address, account: Address, view: StateView) -> int:
    if token == ZERO_ADDRESS:
        return view.balance(account)
    held: int = decode_output(("uint256",), view.call(token, encode_call("balanceOf(address)", account)))[0]
    return held


def _prices(book: AddressBook, view: StateView) -> list[dict[str, Any]]:
    """Return a ceiling for every token whose feed answers; one without a price stays unvalued."""
    prices = []
    for symbol in [NATIVE, *sorted(book.tokens)]:
        token = book.token(symbol)
        answer = _answer(token.feed, book, view)
        if answer is not None:
            ceiling = mul_div_up(answer, BPS + PRICE_MARGIN_BPS, BPS)
            prices.append({"token": token.address, "price_usd_e8": ceiling, "decimals": token.decimals})
    return prices


def _answer(feed: str | None, book: AddressBook, view: StateView) -> int | None:
    if feed is None or feed not in book.contracts:
        return None
    try:
        price = decode_round(view.call(book.entry(feed).address, LATEST_ROUND)).price_usd_e8
    except Unavailable:
        raise
    except TidegateError:
        return None
    return price if price > 0 else None

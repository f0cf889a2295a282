"""What may be signed, said a second time: from the signed bytes and plain figures, not from our code.

The oracle reads a signature with the ``rlp`` library and eth-account, values it with figures of its own,
and keeps its own books. It knows capabilities as the dictionaries that they were made from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import rlp
from eth_account import Account
from eth_hash.auto import keccak

ETH_USD = 3_000
DAY_MS = 86_400_000
TOKEN_CALLS = {"a9059cbb": 1, "095ea7b3": 1, "23b872dd": 2}


@dataclass(frozen=True)
class Seen:
    """A signed transaction as a stranger reads it from its bytes."""

    sender: str
    chain_id: int
    nonce: int
    priority_wei: int
    max_fee_wei: int
    gas: int
    to: str
    value_wei: int
    data: bytes

    @property
    def is_cancel(self) -> bool:
        return self.to == self.sender.lower() and not self.value_wei and not self.data

    @property
    def gas_usd_e6(self) -> int:
        return -(-self.gas * self.max_fee_wei * ETH_USD // 10**12)


def read(raw: bytes) -> Seen:
    assert raw[0] == 2
    chain, nonce, priority, fee, gas, to, value, data, access, *_ = rlp.decode(raw[1:])
    assert list(access) == []
    number = int.from_bytes
    return Seen(
        Account.recover_transaction(raw),
        number(chain),
        number(nonce),
        number(priority),
        number(fee),
        number(gas),
        "0x" + to.hex(),
        number(value),
        data,
    )


@dataclass
class Books:
    """Everything that was signed by one line, one nonce at a time."""

    first_ms: dict[int, int] = field(default_factory=dict)
    most: dict[int, list[int]] = field(default_factory=dict)

    def of_the_day(self, now_ms: int) -> tuple[int, int, int]:
        """Return notional, at-risk and transactions of the nonces that were first signed in 24 h."""
        fresh = [nonce for nonce, at_ms in self.first_ms.items() if at_ms > now_ms - DAY_MS]
        for nonce in set(self.first_ms) - set(fresh):
            del self.first_ms[nonce], self.most[nonce]
        return sum(self.most[n][0] for n in fresh), sum(self.most[n][1] for n in fresh), len(fresh)


@dataclass
class Oracle:
    """Judges every signature that the signer gives."""

    token: str
    free: tuple[str, str]
    loaded: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest: dict[tuple[Any, ...], str] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    is_frozen: bool = False
    books: dict[tuple[Any, ...], Books] = field(default_factory=lambda: defaultdict(Books))
    free_ms: dict[tuple[Any, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    contents: dict[tuple[Any, ...], set[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(set))
    fees: dict[tuple[Any, ...], list[tuple[int, int, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def load(self, capability_id: str, fields: dict[str, Any]) -> None:
        self.loaded[capability_id] = fields
        self.newest[line(fields)] = capability_id

    def judge(self, request: Any, raw: bytes, now_ms: int) -> None:
        """Fail unless this signature is inside a capability that is in force."""
        seen, fields = read(raw), self.loaded[request.capability_id]
        assert self.newest[line(fields)] == request.capability_id
        assert request.capability_id not in self.revoked
        assert not self.is_frozen or fields["purpose"] == "exit"
        assert fields["not_before"] * 1000 <= now_ms < fields["expires_at"] * 1000
        assert (request.desk, request.stage) == (fields["desk"], fields["stage"])
        assert (seen.sender, seen.chain_id) == (fields["key_address"], fields["chain_id"])
        assert seen.gas <= fields["gas_limit_max"]
        assert seen.priority_wei <= seen.max_fee_wei <= fields["max_fee_wei"]
        notional = self._notional(seen, fields)
        self._nonce(seen, raw)
        self._limits(seen, fields, notional, now_ms, raw)

    def _notional(self, seen: Seen, fields: dict[str, Any]) -> int:
        if seen.is_cancel:
            return 0
        listed = {one["address"].lower(): one["selectors"] for one in fields["targets"]}
        selector = seen.data[:4].hex()
        assert "0x" + selector in listed[seen.to]
        coin = -(-seen.value_wei * ETH_USD // 10**12)
        if fields["purpose"] == "exit":
            assert (seen.to, "0x" + selector) == self.free
            assert not seen.value_wei
        if seen.to == self.token and selector in TOKEN_CALLS:
            assert len(seen.data) == 36 + 32 * TOKEN_CALLS[selector]
            return coin + int.from_bytes(seen.data[-32:])
        assert (seen.to, "0x" + selector) == self.free or not seen.data
        return coin

    def _nonce(self, seen: Seen, raw: bytes) -> None:
        place = seen.sender, seen.chain_id, seen.nonce
        if any(earlier == raw for *_, earlier in self.fees[place]):
            return
        if not seen.is_cancel:
            self.contents[place].add((seen.to, seen.value_wei, keccak(seen.data)))
            assert len(self.contents[place]) == 1, "two contents for one nonce"
        for fee, priority, _ in self.fees[place]:
            assert seen.max_fee_wei > fee
            assert seen.priority_wei > priority

    def _limits(self, seen: Seen, fields: dict[str, Any], notional: int, now_ms: int, raw: bytes) -> None:
        at_risk = notional + seen.gas_usd_e6
        assert notional <= fields["notional_tx_usd_e6"]
        assert at_risk <= fields["at_risk_tx_usd_e6"]
        place = seen.sender, seen.chain_id, seen.nonce
        is_repeat = any(earlier == raw for *_, earlier in self.fees[place])
        self.fees[place].append((seen.max_fee_wei, seen.priority_wei, raw))
        if is_repeat:
            return
        books = self.books[line(fields)]
        before = books.of_the_day(now_ms)
        is_first = seen.nonce not in books.first_ms
        books.first_ms.setdefault(seen.nonce, now_ms)
        most = books.most.setdefault(seen.nonce, [0, 0])
        most[0], most[1] = max(most[0], notional), max(most[1], at_risk)
        after = books.of_the_day(now_ms)
        limits = (fields["notional_day_usd_e6"], fields["at_risk_day_usd_e6"], fields["tx_day"])
        for was, now, limit in zip(before, after, limits, strict=True):
            assert now == was or now <= limit
        if is_first and not seen.is_cancel and (seen.to, "0x" + seen.data[:4].hex()) == self.free:
            signed = [at for at in self.free_ms[line(fields)] if at > now_ms - DAY_MS]
            self.free_ms[line(fields)] = [*signed, now_ms]
            assert len(signed) < fields["unvalued"][0]["per_day"]


def line(fields: dict[str, Any]) -> tuple[Any, ...]:
    return fields["desk"], fields["chain_id"], fields["key_address"], fields["purpose"]

"""One line for people about each journal record: what happened at this arrow of the street."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tidegate.ledger import JournalReader, Record
from tidegate.model import Reason, RecordKind, format_units

_GWEI = 9


def summary(record: Record) -> str:
    """Return what the record says, in one line; never fails on a body of another release."""
    teller = _TELLERS.get(record.kind)
    body = record.body
    try:
        return teller(body) if teller else _plain(body)
    except (KeyError, TypeError, ValueError):
        return _plain(body)


def details(record: Record) -> list[str]:
    """Return the lines below the summary when there is room: each guard, the gas of each step."""
    body = record.body
    try:
        if record.kind is RecordKind.GUARDS:
            return [_guard(result) for result in body["results"]]
        if record.kind is RecordKind.SIMULATION:
            return [f"{step}: {gas:,} gas" for step, gas in body["gas_by_step"]]
    except (KeyError, TypeError, ValueError):
        pass
    return []


def decisions_of(reader: JournalReader, intent_id: str) -> Iterator[Record]:
    """Yield the decisions that an intent came from."""
    for record in reader.records(kind=RecordKind.DECISION):
        if record.correlation_id == intent_id or record.body.get("intent_id") == intent_id:
            yield record


def short(identifier: str, length: int = 10) -> str:
    """Return the beginning of a hash or id, with a sign that more follows."""
    return identifier if len(identifier) <= length + 1 else identifier[:length] + "…"


def _decision(body: dict[str, Any]) -> str:
    what = "acted" if body["acted"] else f"did not act: {_meaning(body.get('reason'))}"
    return f"{body['subject']} at block {body['block']} {what}"


def _market(body: dict[str, Any]) -> str:
    prices = " · ".join(f"{name} {price}" for name, price in body.get("prices", {}).items())
    return f"{body.get('kind', 'event')} at block {body['block']} {prices}".rstrip()


def _intent(body: dict[str, Any]) -> str:
    intent = body["intent"]
    moved = format_units(intent["notional_usd_e6"], 6, 2)
    who = f"{intent['desk']}/{intent['subject']}"
    return f"{who} on chain {intent['chain_id']}, moves {moved} USD ({body['stage']})"


def _limits(body: dict[str, Any]) -> str:
    return " · ".join(f"{item['limit']} {item['used']}/{item['allowed']}" for item in body["checked"])


def _plan(body: dict[str, Any]) -> str:
    size = (len(body["data"]) - 2) // 2
    calls = f"{size} bytes to {short(body['to'])}"
    return f"{calls}, gas limit {body['gas_limit']:,}, digest {short(body['digest'])}"


def _guards(body: dict[str, Any]) -> str:
    failed = [_guard(result) for result in body["results"] if not result["passed"]]
    passed = len(body["results"]) - len(failed)
    return f"{body['placement']}: {' · '.join([*failed, f'{passed} passed'])}"


def _guard(result: dict[str, Any]) -> str:
    figures = (
        f": {result['measured']} of {result['bound']} {result['unit']}" if result["bound"] is not None else ""
    )
    return f"{result['guard']} {'passed' if result['passed'] else 'FAILED'}{figures}"


def _simulation(body: dict[str, Any]) -> str:
    if body["succeeded"]:
        return f"succeeded at block {body['block_number']}, gas {body['gas_used']:,}"
    return f"reverted at block {body['block_number']}, step {body['failing_step']}: {body['revert']}"


def _bounds(body: dict[str, Any]) -> str:
    return " · ".join(f"{item['symbol']} {item['margin']} over its floor" for item in body["margins"])


def _receipt(body: dict[str, Any]) -> str:
    price = format_units(body["effective_gas_price_wei"], _GWEI, 3)
    status = "success" if body["status"] == 1 else "reverted"
    return f"{status} in block {body['block_number']}, gas {body['gas_used']:,} at {price} gwei"


def _outcome(body: dict[str, Any]) -> str:
    return ": ".join(part for part in (body["kind"], body.get("reason"), body.get("detail")) if part)


def _booking(body: dict[str, Any]) -> str:
    changes = [
        f"{'+' if int(amount) > 0 else ''}{format_units(int(amount), decimals)} {symbol}"
        for _, symbol, decimals, amount in body["deltas"]
    ]
    gas = format_units(int(body["gas_cost_wei"]), 18)
    return f"{', '.join([*changes, f'gas {gas} ETH'])}; worth {format_units(body['value_usd_e6'], 6, 2)} USD"


def _meaning(reason: str | None) -> str:
    return Reason(reason).meaning if reason else "no reason given"


def _plain(body: dict[str, Any]) -> str:
    text = ", ".join(f"{key} {value}" for key, value in body.items())
    return text if len(text) <= 160 else text[:159] + "…"


_TELLERS: dict[RecordKind, Callable[[dict[str, Any]], str]] = {
    RecordKind.EVENT: _market,
    RecordKind.DECISION: _decision,
    RecordKind.INTENT: _intent,
    RecordKind.LIMITS: _limits,
    RecordKind.PLAN: _plan,
    RecordKind.GUARDS: _guards,
    RecordKind.SIMULATION: _simulation,
    RecordKind.BOUNDS: _bounds,
    RecordKind.AUTHORISATION: lambda body: (
        f"{body['stage']} signs with {body['signs_with']} {short(body['signer'])}"
    ),
    RecordKind.NONCE: lambda body: f"nonce {body['nonce']} of {short(body['account'])} reserved",
    RecordKind.SIGNATURE: lambda body: f"nonce {body['nonce']}, transaction {short(body['hash'])}",
    RecordKind.SENT: lambda body: f"transaction {short(body['hash'])} left the house",
    RecordKind.RECEIPT: _receipt,
    RecordKind.OUTCOME: _outcome,
    RecordKind.BOOKING: _booking,
    RecordKind.RECOVERY: lambda body: f"found {body['found']}; {body['done']}",
}

"""One line for people about each journal record: what happened at this arrow of the street.

Amounts are told in whole tokens, gas prices in gwei, dollars in cents; the records hold base units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tidegate.app.story_beside import BESIDE
from tidegate.app.wording import counted as counted
from tidegate.app.wording import meaning
from tidegate.app.wording import short as short
from tidegate.app.wording import utc as utc
from tidegate.ledger import JournalReader, Record
from tidegate.model import UINT256_MAX, RecordKind, format_units, format_usd

_LIMITS_SHOWN = 3
_GWEI = 9
_PLACES = 6


def summary(record: Record, decimals: Mapping[str, int] | None = None) -> str:
    """Return what the record says, in one line; never fails on a body of another release.

    Parameters
    ----------
    decimals
        Of each token by symbol, as ``decimals_of`` finds them; amounts of others are in base units.
    """
    teller = _TELLERS.get(record.kind)
    body = record.body
    try:
        if record.kind is RecordKind.BOUNDS:
            return _bounds(body, decimals or {})
        return teller(body) if teller else _plain(body)
    except (AttributeError, KeyError, TypeError, ValueError):
        return _plain(body)


def decimals_of(records: Iterable[Record]) -> dict[str, int]:
    """Return the decimals of each token that a plan among the records bounds, by symbol."""
    plans = [record.body for record in records if record.kind is RecordKind.PLAN]
    return {bound["symbol"]: bound["decimals"] for plan in plans for bound in plan.get("bounds", ())}


def clocks(records: Sequence[Record]) -> list[str]:
    """Return a line for each clock that a story goes by: the chain's, and the journal's."""
    if not records:
        return []
    begun = f"begun at journal time {utc(records[0].at_ms // 1000)}"
    for record in records:
        inputs = record.body.get("inputs")
        at_s = inputs.get("block_timestamp_s") if isinstance(inputs, dict) else None
        if isinstance(at_s, int):
            whose = "the chain's" if record.at_ms // 1000 == at_s else "this machine's"
            decided = f"decided at block {record.body.get('block')}, chain time {utc(at_s)}"
            return [decided, f"{begun}, by {whose} clock; + counts from there"]
    return [f"{begun}; + counts from there"]


def details(record: Record) -> list[str]:
    """Return the lines below the summary when there is room: each guard, the gas of each step."""
    body = record.body
    try:
        if record.kind is RecordKind.GUARDS:
            return [_guard(result) for result in body["results"]]
        if record.kind is RecordKind.SIMULATION:
            return [f"{step}: {gas:,} gas" for step, gas in map(gas_of_step, body["gas_by_step"])]
    except (KeyError, TypeError, ValueError):
        pass
    return []


def gas_of_step(figure: Sequence[Any]) -> tuple[str, int]:
    """Return a step's name and gas; what a probe can not tell apart (``rest``) is named in words."""
    step, gas = figure
    return ("last step of each loan, repayment, settlement" if step == "rest" else step), gas


def decisions_of(reader: JournalReader, intent_id: str) -> Iterator[Record]:
    """Yield the decisions that an intent came from."""
    for record in reader.records(kind=RecordKind.DECISION):
        if record.correlation_id == intent_id or record.body.get("intent_id") == intent_id:
            yield record


def _decision(body: dict[str, Any]) -> str:
    told = f"{body['subject']} at block {body['block']}"
    if body["acted"]:
        return f"{told} acted"
    detail = body.get("result", {}).get("detail")
    return f"{told} did not act: {meaning(body.get('reason'))}" + (f" ({detail})" if detail else "")


def _market(body: dict[str, Any]) -> str:
    prices = " · ".join(f"{name} {price}" for name, price in body.get("prices", {}).items())
    return f"{body.get('kind', 'event')} at block {body['block']} {prices}".rstrip()


def _intent(body: dict[str, Any]) -> str:
    intent = body["intent"]
    moved = format_usd(intent["notional_usd_e6"])
    who = f"{intent['desk']}/{intent['subject']}"
    return f"{who} on chain {intent['chain_id']}, moves {moved} ({body['stage']})"


def _limits(body: dict[str, Any]) -> str:
    checked = body["checked"]
    if len(checked) <= _LIMITS_SHOWN:
        return " · ".join(_limit(item["limit"], item["used"], item["allowed"]) for item in checked)
    used = [item for item in checked if item["used"]]
    fullest = sorted(used, key=lambda item: -item["used"] / max(1, item["allowed"]))[:_LIMITS_SHOWN]
    told = " · ".join(
        f"{_limit(item['limit'], item['used'], item['allowed'])} ({item['scope']})" for item in fullest
    )
    return f"room in all {len(checked)} limits" + (f"; most used: {told}" if told else "")


def _limit(name: str, used: int, allowed: int) -> str:
    if name.endswith("_usd_e6"):
        return f"{name.removesuffix('_usd_e6')} {format_usd(used)} of {format_usd(allowed)}"
    return f"{name} {used} of {allowed}"


def _plan(body: dict[str, Any]) -> str:
    size = (len(body["data"]) - 2) // 2
    calls = f"{counted(size, 'byte')} to {short(body['to'])}"
    price = format_units(int(body["max_fee_wei"]), _GWEI, 3)
    gas = f"gas limit {body['gas_limit']:,} at {price} gwei at most"
    return f"{calls}, {gas}, by chain time {utc(body['deadline_s'])}, digest {short(body['digest'])}"


def _guards(body: dict[str, Any]) -> str:
    failed = [_guard(result) for result in body["results"] if not result["passed"]]
    passed = len(body["results"]) - len(failed)
    return f"{body['placement']}: {' · '.join([*failed, f'{passed} passed'])}"


def _guard(result: dict[str, Any]) -> str:
    told = f"{result['guard']} {'passed' if result['passed'] else 'FAILED'}"
    if result["bound"] is None:
        return told
    measured, bound, unit = result["measured"], result["bound"], result["unit"]
    if result["guard"] == "deadline" and measured is not None:
        left = int(bound) - int(measured)
        return f"{told}: {left} s left" if left >= 0 else f"{told}: {-left} s too late"
    if measured is not None and unit == "ratio_e18" and int(measured) == UINT256_MAX:
        return f"{told}: no debt"  # what a lending protocol answers for an account that owes nothing
    if measured is None:
        return f"{told}: unknown of {' '.join(_quantity(bound, unit))}"
    return f"{told}: {_quantity(measured, unit)[0]} of {' '.join(_quantity(bound, unit)).rstrip()}"


def _quantity(value: int | str, unit: str) -> tuple[str, str]:
    """Return an integer in a guard's unit as the number and the unit that people write."""
    amount = int(value)
    match unit:
        case "wei":
            return format_units(amount, _GWEI, 3), "gwei"
        case "ratio_e18":
            return format_units(amount, 18, 4), ""
        case "usd_e8":
            return format_usd(amount // 100).removesuffix(" USD"), "USD"
        case "seconds":
            return f"{amount:,}", "s"
        case _:
            return f"{amount:,}", unit


def _simulation(body: dict[str, Any]) -> str:
    if body["succeeded"]:
        return f"succeeded at block {body['block_number']}, gas {body['gas_used']:,}"
    where = f", step {body['failing_step']}" if body["failing_step"] else ""
    return f"reverted at block {body['block_number']}{where}: {body['revert']}"


def _bounds(body: dict[str, Any], decimals: Mapping[str, int]) -> str:
    return " · ".join(
        f"{_amount(int(item['margin']), item['symbol'], decimals)} over its floor" for item in body["margins"]
    )


def _amount(amount: int, symbol: str, decimals: Mapping[str, int]) -> str:
    """Return an amount cut toward zero; one that would read as 0 stays exact."""
    if symbol not in decimals:
        return f"{amount} base units of {symbol}"
    cut = format_units(amount, decimals[symbol], _PLACES)
    return f"{format_units(amount, decimals[symbol]) if amount and cut in {'0', '-0'} else cut} {symbol}"


def _receipt(body: dict[str, Any]) -> str:
    price = format_units(int(body["effective_gas_price_wei"]), _GWEI, 3)
    status = "success" if body["status"] == 1 else "reverted"
    return f"{status} in block {body['block_number']}, gas {body['gas_used']:,} at {price} gwei"


def _outcome(body: dict[str, Any]) -> str:
    return ": ".join(part for part in (body["kind"], body.get("reason"), body.get("detail")) if part)


def _booking(body: dict[str, Any]) -> str:
    changes = [
        f"{'+' if int(amount) > 0 else ''}{format_units(int(amount), decimals)} {symbol}"
        for _, symbol, decimals, amount, *_ in body["deltas"]  # an account may follow, or not
    ]
    gas = format_units(int(body["gas_cost_wei"]), 18)
    return f"{', '.join([*changes, f'gas {gas} ETH'])}; worth {format_usd(body['value_usd_e6'])}"


def _session(body: dict[str, Any]) -> str:
    demo = body["demo"]
    what = f"demo {demo['version']}, seed {demo['seed']}, {counted(demo['blocks'], 'block')}"
    return f"{what} ({body['stage']}): {', '.join(demo['strategies'])}"


def _ended(body: dict[str, Any]) -> str:
    lines = body["strategies"].values()
    figures = [
        counted(body["blocks"], "block"),
        counted(sum(line["decisions"] for line in lines), "decision"),
        *(f"{sum(line[kind] for line in lines)} {kind}" for kind in ("landed", "reverted", "denied")),
        f"{format_usd(body['value_after_gas_usd_e6'])} after gas",
    ]
    return f"ended: {body['ended']}; {', '.join(figures)}"


def _plain(body: dict[str, Any]) -> str:
    text = _words(body)
    return text if len(text) <= 160 else text[:159] + "…"


def _words(value: object) -> str:
    """Return what a body of unknown form holds, without the marks of a programming language."""
    if isinstance(value, dict):
        inner = (f"({_words(one)})" if isinstance(one, dict) else _words(one) for one in value.values())
        return ", ".join(f"{key} {text}".rstrip() for key, text in zip(value, inner, strict=True))
    if isinstance(value, (list, tuple)):
        return " · ".join(map(_words, value))
    return "none" if value is None else str(value)


_TELLERS: dict[RecordKind, Callable[[dict[str, Any]], str]] = {
    **BESIDE,
    RecordKind.SESSION: _session,
    RecordKind.SUMMARY: _ended,
    RecordKind.EVENT: _market,
    RecordKind.DECISION: _decision,
    RecordKind.INTENT: _intent,
    RecordKind.LIMITS: _limits,
    RecordKind.PLAN: _plan,
    RecordKind.GUARDS: _guards,
    RecordKind.SIMULATION: _simulation,
    RecordKind.AUTHORISATION: lambda body: (
        f"{body['stage']} signs with {body['signs_with']} {short(body['signer'])}"
    ),
    RecordKind.NONCE: lambda body: f"nonce {body['nonce']} of {short(body['account'])} reserved",
    RecordKind.SIGNATURE: lambda body: f"nonce {body['nonce']}, transaction {short(body['hash'])}",
    RecordKind.RECEIPT: _receipt,
    RecordKind.OUTCOME: _outcome,
    RecordKind.BOOKING: _booking,
    RecordKind.RECOVERY: lambda body: f"found {body['found']}; {body['done']}",
}

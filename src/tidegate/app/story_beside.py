"""One line for people about the records beside the street's arrows.

What became of sent bytes, what stands (cursors, leases, halts, stops, breakers), our books against the
chain's, what a shadow would have done, and the signer's answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from tidegate.app.wording import counted, meaning, short, utc
from tidegate.model import RecordKind, format_units, format_usd

_GWEI = 9
_SHOWN = 3


def _sent(body: dict[str, Any]) -> str:
    left = f"transaction {short(body['hash'])} left the house"
    if "until_block" in body:
        return f"{left} as a bundle to {', '.join(body['by'])}, until block {body['until_block']}"
    return f"{left} by the {body['route']} route" if "route" in body else left


def _ambiguous(body: dict[str, Any]) -> str:
    return f"transaction {short(body['hash'])}: nobody confirmed it, the chain is asked: {body['detail']}"


def _replacement(body: dict[str, Any]) -> str:
    what = "cancelled by" if body["is_cancel"] else "signed anew with higher fees as"
    price = format_units(int(body["max_fee_wei"]), _GWEI, 3)
    return f"nonce {body['nonce']} {what} {short(body['hash'])}, at most {price} gwei: {body['why']}"


def _expiring(body: dict[str, Any]) -> str:
    late = f"chain time {utc(body['chain_time_s'])}, the deadline was {utc(body['deadline_s'])}"
    if body.get("why"):
        late = body["why"]
    return f"nonce {body['nonce']} is unused at block {body['block_number']} ({late}): to be cancelled"


def _withdrawn(body: dict[str, Any]) -> str:
    return f"a reorg took block {body['block_number']} away, and transaction {short(body['hash'])} with it"


def _depth(word: str) -> Callable[[dict[str, Any]], str]:
    def tell(body: dict[str, Any]) -> str:
        deep = int(body["head_number"]) - int(body["block_number"])
        return f"block {body['block_number']} {word}: the head is {counted(deep, 'block')} further"

    return tell


def _cursor(body: dict[str, Any]) -> str:
    told = f"chain {body['chain_id']} {body['stream']}: blocks {body['first']} to {body['number']}"
    back = body.get("withdrawn") or ()
    return told + (f", {counted(len(back), 'block')} taken back" if back else "")


def _lease(body: dict[str, Any]) -> str:
    what = "released by" if body["released"] else "owned by"
    return f"key {short(body['account'])} on chain {body['chain_id']} {what} {body['holder']}"


def _halt(body: dict[str, Any]) -> str:
    return f"{body['scope']} {'lifted' if body['lifted'] else 'HALTED'} by {body['who']}: {body['detail']}"


def _endpoint(body: dict[str, Any]) -> str:
    name = f"endpoint {body['chain']}.{body['endpoint']}"
    if body["who"]:
        return f"{name} let go by {body['who']}: {body['detail']}"
    return f"{name} is {body['state'].upper()}, {body['cause']}: {body['detail']}"


def _stop(body: dict[str, Any]) -> str:
    until = body.get("until_ms")
    ends = f" until {utc(until // 1000)}" if until else ""
    exits = "" if body.get("allow_exit", True) else ", exits too"
    return f"{body['scope']} STOPPED{ends}{exits} by {', '.join(body['who'])}: {body['reason']}"


def _resume(body: dict[str, Any]) -> str:
    what = f"breaker {body['breaker']} of {body['scope']}" if body.get("breaker") else body["scope"]
    evidence = f" (evidence: {body['evidence']})" if body.get("evidence") else ""
    return f"{what} resumed by {', '.join(body['who'])}: {body['reason']}{evidence}"


def _breaker(body: dict[str, Any]) -> str:
    measured = f", measured {body['value']}" if body["value"] else ""
    latched = ", a person must release it" if body["is_latched"] else ""
    who = f"{body['breaker']} of {body['scope']}"
    if body["previous"] == body["level"]:
        return f"{who} stands at level {body['level']}{measured}{latched}"
    moved = f"level {body['previous']} to {body['level']}"
    return f"{who} {body['code']}: {moved}{measured}{latched}"


def _mark(body: dict[str, Any]) -> str:
    held = " · ".join(
        f"{item['token']} at {item['venue']} {format_usd(item['value_usd_e6'])}" for item in body["held"]
    )
    return f"{body['desk']} holds {held or 'nothing'}; {format_usd(body['unrealised_usd_e6'])} unrealised"


def _reconciliation(body: dict[str, Any]) -> str:
    who = f"{body['desk']} on chain {body['chain_id']} ({body['stage']})"
    told = f"{who} at block {body['block_number']}: {_VERDICTS.get(body['verdict'], body['verdict'])}"
    if body["verdict"] == "explained":
        return f"{told} by {body['person']}, seq {body['explains']}: {body['explanation']}"
    if body["verdict"] == "equal":
        return f"{told} in {counted(len(body['counted']), 'balance')}"
    lines = [_counted(*item) for item in body["counted"][:_SHOWN]]
    more = len(body["counted"]) - len(lines)
    return f"{told}: {' · '.join(lines)}" + (f" · {more} more" if more else "")


_VERDICTS = {
    "opened": "books opened with",
    "equal": "books and chain are equal",
    "different": "books and chain DIFFER",
    "explained": "the difference is explained",
}


def _counted(account: str, _: str, symbol: str, decimals: int, booked: str, found: str) -> str:
    chain, books = (format_units(int(amount), decimals) for amount in (found, booked))
    return f"{symbol} of {short(account)} chain {chain}, books {books}"


def _judgement(body: dict[str, Any]) -> str:
    told = f"in block {body['block_number']}, {counted(body['behind'], 'block')} later, it would have"
    value = body.get("value_usd_e6")
    earned = "" if value is None else f" and earned {format_usd(value)} after gas"
    if body["kind"] == "reverted":
        where = f" at step {body['failing_step']}" if body["failing_step"] else ""
        return f"{told} reverted{earned}{where}: {body['revert']}"
    return f"{told} {body['kind']}{earned}" + (f", gas {body['gas_used']:,}" if body["gas_used"] else "")


def _drill(body: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {value:,}" for name, value in body["figures"].items())
    held = "held" if body["passed"] else "FAILED"
    return ": ".join(part for part in (f"{body['drill']} in {body['world']} {held}", figures) if part)


def _administration(body: dict[str, Any]) -> str:
    known = "" if body["announced"] else ", which NO plan file announced"
    detail = f": {body['detail']}" if body["detail"] else ""
    return f"{body['name']} {body['what']}{detail}{known}"


def _executor_state(body: dict[str, Any]) -> str:
    parts = [f"{len(body['entries'])} entries", f"{len(body['scheduled'])} waiting"]
    parts += ["paused"] if body["is_paused"] else []
    parts += [f"events and views DIFFER: {'; '.join(body['differences'])}"] if body["differences"] else []
    return f"{body['name']} at block {body['at_block']}: {', '.join(parts)}"


def _addresses_checked(body: dict[str, Any]) -> str:
    counts = Counter(one["verdict"] for one in body["addresses"])
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    by = f"; {body['by']} confirmed {', '.join(body['confirmed'])}" if body["confirmed"] else ""
    return f"addresses of {body['chain']} at block {body['at_block']}: {told or 'none'}{by}"


def _signal(body: dict[str, Any]) -> str:
    """Tell an input of an alert; one that is quiet again says so."""
    about = f" of {body['about']}" if body.get("about") else ""
    figures = f"{int(body['value']):,} {body['unit']}, bound {int(body['bound']):,}"
    note = f" ({body['note']})" if body.get("note") else ""
    return f"{body['level']}: {body['what'].replace('_', ' ')}{about}, {body['subject']}: {figures}{note}"


def _answer(body: dict[str, Any]) -> str:
    asked = f" (asked by {body['asked_by']})" if body.get("asked_by") else ""
    if body.get("reason"):
        return f"{body['verb']} refused at {body.get('check', '')}: {meaning(body['reason'])}{asked}"
    return f"{body['verb']} answered{asked}"


def _capability(body: dict[str, Any]) -> str:
    line = body["line"]
    desk, chain_id = line["desk"], line["chain_id"]
    what = f"{short(body['capability_id'])} of {desk} on chain {chain_id}, serial {body['serial']}"
    return f"{what}: {body['reason']}" if body.get("reason") else what


def _freeze(body: dict[str, Any]) -> str:
    state = "FROZEN" if body["is_frozen"] else "unfrozen"
    by = f" by {body['by']}" if body.get("by") else ""
    return f"the signer is {state}{by}: {body.get('reason') or 'no reason given'}"


BESIDE: dict[RecordKind, Callable[[dict[str, Any]], str]] = {
    RecordKind.AMBIGUOUS: _ambiguous,
    RecordKind.REPLACEMENT: _replacement,
    RecordKind.REPLACED: lambda body: (
        f"the nonce of {short(body['hash'])} was used by {short(body['by'])}, also ours: that is followed"
    ),
    RecordKind.SENT: _sent,
    RecordKind.EXPIRING: _expiring,
    RecordKind.WITHDRAWN: _withdrawn,
    RecordKind.CONFIRMED: _depth("is confirmed"),
    RecordKind.FINALISED: _depth("is final"),
    RecordKind.CURSOR: _cursor,
    RecordKind.LEASE: _lease,
    RecordKind.HALT: _halt,
    RecordKind.ENDPOINT: _endpoint,
    RecordKind.STOP: _stop,
    RecordKind.RESUME: _resume,
    RecordKind.BREAKER: _breaker,
    RecordKind.MARK: _mark,
    RecordKind.RECONCILIATION: _reconciliation,
    RecordKind.JUDGEMENT: _judgement,
    RecordKind.DRILL: _drill,
    RecordKind.ADMINISTRATION: _administration,
    RecordKind.SIGNAL: _signal,
    RecordKind.EXECUTOR_STATE: _executor_state,
    RecordKind.ADDRESSES_CHECKED: _addresses_checked,
    RecordKind.ANSWER: _answer,
    RecordKind.CAPABILITY: _capability,
    RecordKind.FREEZE: _freeze,
}
"""What each of these kinds says, by its body."""

"""The chains: do the endpoints answer, with the right chain, fresh, and does this clock agree."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tidegate.app.config import LoadedConfig
from tidegate.app.doctor.relays import look_at_relays
from tidegate.app.findings import Finding, wrong
from tidegate.app.places import Place, place_of
from tidegate.chain import NetworkKind
from tidegate.chain.rpc import EndpointReport, EndpointState, Keep, RpcPool
from tidegate.model import Clock, Stage, TidegateError, Unavailable

_OWN_WORLDS = frozenset({Stage.BACKTEST, Stage.PAPER})


def look_at_chains(loaded: LoadedConfig, home: Path, clock: Clock) -> list[Finding]:
    """Return how each endpoint and relay of each configured chain stands, and the clock against each head.

    A chain that the configured stage does not use may be down: that is said, and is not wrong.
    """
    run = loaded.config.run
    findings: list[Finding] = []
    for name in loaded.config.chains:
        needed = name == run.chain and run.stage not in _OWN_WORLDS
        findings += _chain(name, loaded, home, clock, needed=needed)
    return findings


def _chain(name: str, loaded: LoadedConfig, home: Path, clock: Clock, *, needed: bool) -> list[Finding]:
    try:
        place = place_of(name, loaded, home)
    except TidegateError as error:
        return [_judged(wrong(f"reach {name}", error), needed=needed)]
    return [_judged(one, needed=needed) for one in asyncio.run(_ask(place, home, clock))]


def _judged(finding: Finding, *, needed: bool) -> Finding:
    if finding.ok or needed or "wrong_chain_id" in finding.found:
        return finding
    return Finding(finding.check, True, f"not needed for this stage; {finding.found}")


async def _ask(place: Place, home: Path, clock: Clock) -> list[Finding]:
    pool = place.pool(clock=clock)
    try:
        await pool.start()
    except Unavailable as error:
        reports = {report.name: report for report in pool.report}
        found = [_endpoint(place, report) for report in reports.values()]
        return [*found, wrong(f"reach {place.name}", error)]
    try:
        found = [_endpoint(place, report) for report in pool.report]
        return [*found, await _clock(place, pool, clock), *await look_at_relays(place, pool, home)]
    finally:
        await pool.close()


def _endpoint(place: Place, report: EndpointReport) -> Finding:
    name = f"reach {place.name}.{report.name}"
    if report.state is EndpointState.HEALTHY and not report.last_error:
        lag = f", {report.lag_blocks} blocks behind" if report.lag_blocks else ""
        at = "" if report.head is None else f" at block {report.head}"
        return Finding(name, True, f"chain {place.network.chain_id}{at}{lag}")
    fix = (
        "correct the URL or the chain id, then start again"
        if "wrong_chain_id" in report.last_error
        else "is the node up, and is its URL right? Name a second endpoint of another operator"
    )
    state = "" if report.state is EndpointState.HEALTHY else f"{report.state.name.lower()}: "
    return Finding(name, False, f"{state}{report.last_error or 'no answer'}", fix)


async def _clock(place: Place, pool: RpcPool, clock: Clock) -> Finding:
    name, network = f"clock {place.name}", place.network
    try:
        head = await pool.reads(keep=Keep.NOTHING).block()
    except TidegateError as error:
        return wrong(name, error)
    behind_s = clock.now_ms() // 1000 - head.timestamp
    allowed_s = network.clock_skew_max_s + int(network.block_time_s)
    found = f"the newest block is {behind_s} s old by this clock"
    if network.kind is NetworkKind.DEVNET:
        return Finding(name, True, f"{found}; a devnet has a time of its own")
    if -network.clock_skew_max_s <= behind_s <= allowed_s:
        return Finding(name, True, found)
    return Finding(
        name, False, found, f"set this machine's clock by NTP, or wait: at most {allowed_s} s are allowed"
    )

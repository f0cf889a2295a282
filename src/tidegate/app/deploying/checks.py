"""What is demanded of a deployment before anything is signed: who owns, who guards, how long changes wait."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from tidegate.app.findings import Finding
from tidegate.chain import Network, NetworkKind
from tidegate.custody.multisig import SafeFinding
from tidegate.model import ZERO_ADDRESS, Address
from tidegate.venues import Entry
from tidegate.venues.executor import PRODUCTION_DELAY_S, Construction, why_refused

_PAIR_NAME = re.compile(r"(?:(?P<desk>.+)_)?(?:main|backup)[0-9]+")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deployed on one chain: ``names`` is the main executor, and its backup if two are made."""

    chain: str
    desk: str
    names: tuple[str, ...]
    deployer: Address
    construction: Construction


def executor_names(desk: str, number: int, count: int) -> tuple[str, ...]:
    """Return the book names of a pair: ``main1`` and ``backup1``; those of other desks begin with theirs."""
    prefix = "" if desk == "atomic" else f"{desk}_"
    return tuple(f"{prefix}{kind}{number}" for kind in ("main", "backup")[:count])


def is_of_desk(entry: Entry, desk: str) -> bool:
    """Say whether an executor is a desk's, by what its deployment wrote down, else by its name.

    One of which neither says whose it is counts as every desk's: what is stopped in vain is let go again.
    """
    recorded = entry.about.get("desk")
    if recorded is not None:
        return recorded == desk
    named = _PAIR_NAME.fullmatch(entry.name.removeprefix("executor."))
    return named is None or (named["desk"] or "atomic") == desk


def judge_order(
    order: Order,
    network: Network,
    *,
    safe: tuple[SafeFinding, ...] | None,
    weth_has_code: bool,
    weth_is_verified: bool,
) -> tuple[Finding, ...]:
    """Hold an order against the constructor and the house's rules; every demand gives a finding.

    Parameters
    ----------
    safe
        What was found of the owner as a Safe, read from the chain; None if no Safe answers there.
    weth_has_code, weth_is_verified
        Whether code stands at the book's WETH, and whether its hash is recorded.
    """
    return tuple(_demands(order, network, safe, weth_has_code, weth_is_verified))


def _demands(
    order: Order,
    network: Network,
    safe: tuple[SafeFinding, ...] | None,
    weth_has_code: bool,
    weth_is_verified: bool,
) -> Iterator[Finding]:
    terms = order.construction
    why = why_refused(terms)
    yield Finding("constructor", why is None, why or "takes the arguments")
    yield _distinct(order)
    yield _owner(terms.owner, network, safe)
    shortest = 0 if network.kind is not NetworkKind.MAINNET else PRODUCTION_DELAY_S
    yield Finding(
        "delay",
        terms.delay_s >= shortest,
        f"{terms.delay_s} s" + ("" if terms.delay_s else ": changes are in force at once"),
        f"--delay {PRODUCTION_DELAY_S} at least; 172800 is advised" if terms.delay_s < shortest else "",
    )
    yield Finding(
        "guardians",
        bool(terms.guardians) or network.kind is NetworkKind.DEVNET,
        f"{len(terms.guardians)} named",
        "" if terms.guardians else "--guardian NAME: without one nobody but the Safe can stop it",
    )
    needs_hash = network.kind is NetworkKind.MAINNET
    weth_ok = weth_has_code and (weth_is_verified or not needs_hash)
    yield Finding(
        "weth",
        weth_ok,
        f"{terms.weth}: " + _weth_text(weth_has_code, weth_is_verified),
        "" if weth_ok else f"tidegate verify addresses --chain {order.chain} --confirm weth.weth9",
    )


def _distinct(order: Order) -> Finding:
    """Demand that the deployer holds no power afterwards, and nobody two parts."""
    terms = order.construction
    parts = {"the owner": terms.owner, "the treasury": terms.treasury, "the deployer": order.deployer}
    holders = [*terms.guardians, terms.owner, order.deployer]
    twice = sorted({who for who in holders if holders.count(who) > 1 and who != ZERO_ADDRESS})
    if terms.treasury == order.deployer:
        twice.append(order.deployer)
    return Finding(
        "parts",
        not twice,
        ", ".join(twice)
        if twice
        else f"{len(set(parts.values()) | set(terms.guardians))} accounts, each with one",
        "owner, guardians and deployer are different accounts, and the treasury is not the deployer's"
        if twice
        else "",
    )


def _owner(owner: Address, network: Network, safe: tuple[SafeFinding, ...] | None) -> Finding:
    is_live = network.kind is not NetworkKind.DEVNET
    if safe is None:
        return Finding(
            "owner",
            not is_live,
            f"{owner} is no Safe",
            "on a live chain the owner is a Safe 1.4.1 of at least 3 of 5" if is_live else "",
        )
    wrong = [finding for finding in safe if not finding.ok]
    told = "; ".join(f"{finding.check}: {finding.found}" for finding in wrong or safe)
    wanted = "; ".join(f"{finding.check}: {finding.allowed}" for finding in wrong)
    return Finding("owner", not (is_live and wrong), f"Safe {owner}: {told}", wanted)


def _weth_text(has_code: bool, is_verified: bool) -> str:
    if not has_code:
        return "no code stands there"
    return "its code is the recorded one" if is_verified else "its code hash is not recorded"

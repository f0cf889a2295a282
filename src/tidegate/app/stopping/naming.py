"""Whether a stop's scope names a desk and a chain that anybody here knows: a slip of the pen is told.

What is stopped is what was typed, known or not: a stop that asks back may come too late.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tidegate.app.config import Config, find_config, load_config
from tidegate.app.devnet import node_records
from tidegate.app.stopping.known import known_now
from tidegate.chain import NETWORKS
from tidegate.ledger import Place
from tidegate.model import TidegateError
from tidegate.risk import Scope

_TOLD = ("desk", "chain")


def unknown_names(scope: Scope, *, config: Path | None, home: Path, ledger: Place) -> tuple[str, ...]:
    """Return a line for each desk and chain of ``scope`` that nobody here knows, with the nearest name.

    Known are the desks that this release has, the chains of the registry, of the configuration and of running
    devnets, and whatever has run on the ledger. Venues and markets are not looked up. Never raises: what
    can not be read knows nothing.
    """
    asked = [(kind, name) for kind, name in scope.parts if kind in _TOLD]
    if not asked:
        return ()
    known = set(_known(config, home, ledger))
    lines = []
    for kind, name in asked:
        if (kind, name) in known:
            continue
        names = sorted(other for one, other in known if one == kind)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        meant = f"did you mean {kind}:{near[0]}? " if near else ""
        lines.append(f"no {kind} {name} is known here; {meant}the stop stands as it was typed")
    return tuple(lines)


def _known(config: Path | None, home: Path, ledger: Place) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(type(Config().desk)):
        yield "desk", field.name
    for network in NETWORKS.values():
        yield "chain", str(network.chain_id)
    with suppress(TidegateError, OSError):
        for chain in load_config(find_config(config)).config.chains.values():
            yield "chain", str(chain.chain_id)
    with suppress(TidegateError, OSError):
        for node in node_records(home / "devnet").values():
            yield "chain", str(node.chain_id)
    with suppress(TidegateError, OSError):
        for breaker in known_now(home, ledger).breakers:
            yield from Scope.parse(breaker.scope).parts

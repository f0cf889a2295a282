"""Build a demo's chain again from its seed and its journal.

The journal holds every byte that we signed, in order; the seed gives what everyone else did. Sent
again in the same order they give the same chain, and that is checked at every block.
"""

from __future__ import annotations

from contextlib import suppress

from tidegate.app.demo.observe import market_body
from tidegate.app.market import Crowd, Market
from tidegate.ledger import Journal, MarketBody, SignatureBody
from tidegate.model import Divergence, RecordKind, Rejected
from tidegate.sim import ExactWorld


def rebuild_chain(journal: Journal, market: Market, crowd: Crowd, world: ExactWorld) -> MarketBody | None:
    """Mine the journal's blocks again; return the newest market event, or None if there is none.

    Bytes that were signed after that event are not sent: the street's recovery asks for them.

    Raises
    ------
    Divergence
        If a block comes out otherwise than it was journaled.
    """
    newest: MarketBody | None = None
    signed: list[bytes] = []
    for record in journal.records():
        if record.kind is RecordKind.SIGNATURE:
            signed.append(bytes.fromhex(SignatureBody.from_body(record.body).raw[2:]))
        if record.kind is not RecordKind.EVENT:
            continue
        event = MarketBody.from_body(record.body)
        if newest is not None:
            for raw in signed:
                with suppress(Rejected):  # it was refused then, too
                    world.send_raw(raw)
            signed.clear()
            crowd.advance(market)
        found = market_body(world, market)
        if found != event:
            raise Divergence(
                f"block {event.block} comes out otherwise than it was journaled",
                found=str(found.to_body()),
                allowed=str(event.to_body()),
                fix="keep the folder for a report, and start anew: tidegate demo --fresh",
            )
        newest = event
    return newest

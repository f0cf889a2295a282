"""A live chain as far as a desk can tell, a project beside it, and a capability of the signer's for both.

The chain is a node of ours whose next block comes when whoever holds it says so.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.custody.process.ground import SignerProcess

from tidegate.app.config import FILE_NAME, TEXT
from tidegate.app.devnet import Devnet, NodeRecord, address_book, devnet_address, start_devnet, to_toml
from tidegate.app.devnet.tables import token_tables
from tidegate.app.granting import Holder, Limits, devnet_grant
from tidegate.app.market import Crowd, Market
from tidegate.app.operate import let_operate, set_to_now
from tidegate.app.running import Hooks
from tidegate.app.running.sites import assignments_of
from tidegate.app.runtime import Job
from tidegate.custody.capability import Purpose
from tidegate.desks.atomic import new_strategy, parse_strategy
from tidegate.model import Address, Stage
from tidegate.sim import ExactWorld

STRATEGIES = {"arb": "flash-arb", "reverse": "flash-arb-reverse"}
USD = 10**6


def lay_down_project(folder: Path) -> None:
    """Write a project with both arbitrages, as ``tidegate init`` does."""
    (folder / "strategies").mkdir()
    files = []
    for name, template in STRATEGIES.items():
        files.append(f"strategies/{name}.yaml")
        (folder / files[-1]).write_text(new_strategy(name, template), encoding="utf-8")
    text = TEXT.replace('strategies = ["strategies/v2-v3-arb.yaml"]', f"strategies = {json.dumps(files)}")
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


@dataclass
class LiveChain:
    """A chain of others, as far as the desk can tell: endpoints, a book, blocks that come by themselves."""

    world: ExactWorld
    devnet: Devnet
    advance: Callable[[], object]
    jobs: list[Job]

    @property
    def settings(self) -> dict[str, str]:
        return {
            "chains__live__chain_id": "31337",
            "chains__live__kind": "'devnet'",
            "chains__live__block_time_s": "1.0",
            "chains__live__book": "'addresses.toml'",
            "chains__live__gas_per_day_wei": str(10**18),
            "chains__live__endpoints": (
                f"[{{name = 'one', url = '{self.world.url}', operator = 'one'}}, "
                f"{{name = 'two', url = '{self.world.url}', operator = 'two'}}, "
                "{name = 'dead', url = 'http://127.0.0.1:9', operator = 'three'}]"
            ),
        }

    def hooks(self) -> Hooks:
        """Return what lets a run's look at the chain bring the next block, and bring a fresh one now."""
        self.advance()
        return Hooks(watch=lambda _: self.advance())

    def record(self) -> NodeRecord:
        port = int(self.world.url.rpartition(":")[2])
        return NodeRecord("devnet", 31337, 1, port, self.world.pid, "", 0, 0)


@contextmanager
def live_chain(folder: Path, *operators: Address) -> Iterator[LiveChain]:
    """Start the chain, let ``operators`` and the devnet's own run the strategies, warm the market up."""
    world, devnet = start_devnet(block_time_s=1, order="fees")
    with world:
        set_to_now(world, devnet, int(time.time()))
        book = address_book(devnet, world)
        (folder / "addresses.toml").write_text(to_toml(book.as_mapping()), encoding="utf-8")
        tables = token_tables()
        jobs = [
            Job(parse_strategy(new_strategy(name, template).encode(), f"{name}.yaml", tables))
            for name, template in STRATEGIES.items()
        ]
        for operator in (devnet_address("operator"), *operators):
            let_operate(world, assignments_of(book, jobs, operator), operator)
        market = Market(devnet, seed=7, start_usd_e8=3_000 * 10**8)
        crowd = Crowd(devnet, world, competes=False)
        world.set_mining("manual")
        for _ in range(12):
            crowd.advance(market)

        def next_block() -> object:
            """Mine the next block at our time, as a chain of others does: whoever signs judges by it."""
            now_s = int(time.time())
            if now_s > world.block().timestamp + 1:
                world.set_next_timestamp(now_s)
            return crowd.advance(market)

        yield LiveChain(world, devnet, next_block, jobs)


def granted(
    signer: SignerProcess,
    live: LiveChain,
    stage: Stage,
    *,
    notional_usd: int = 1_000_000,
    life_s: int = 3_600,
    purpose: Purpose = Purpose.ACT,
) -> str:
    """Have the signer load a capability for the strategies in ``stage``; return its id."""
    limits = Limits(
        notional_tx_usd_e6=notional_usd * USD,
        notional_day_usd_e6=100 * notional_usd * USD,
        at_risk_tx_usd_e6=1_000 * USD,
        at_risk_day_usd_e6=100_000 * USD,
        tx_day=10_000,
        gas_limit_max=5_000_000,
        max_fee_wei=200 * 10**9,
        deadline_max_s=3_600,
        life_s=life_s,
    )
    capability = devnet_grant(
        live.record(),
        address_book(live.devnet, live.world),
        live.jobs,
        holder=Holder(signer.ground.address, is_throw_away=True),
        stage=stage,
        purpose=purpose,
        limits=limits,
        issuer_key=signer.ground.issuer,
        now_ms=time.time_ns() // 10**6,
    )

    async def hand_over() -> None:
        async with signer.connect() as connection:
            await connection.load_capability(signer.ground.envelope(capability))

    asyncio.run(hand_over())
    return capability.id


LIVE_LIMITS = {
    "limits__notional_per_transaction_usd": "1000000",
    "limits__notional_per_hour_usd": "100000000",
    "limits__notional_per_day_usd": "100000000",
}


def at(signer: SignerProcess) -> dict[str, str]:
    return {"signer__socket": f"'{signer.ground.socket}'"}

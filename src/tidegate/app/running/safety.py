"""What may say no to a run: limits, stops, breakers; counted and held again from the journal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from tidegate.app.config import Config
from tidegate.chain import Network
from tidegate.chain.rpc import PoolEvent
from tidegate.ledger import Journal
from tidegate.model import Clock, Recorder, Stage
from tidegate.pipeline import rules_of
from tidegate.risk import (
    BreakerBook,
    FirstOf,
    InputBoard,
    LimitBook,
    LimitInputs,
    LimitTable,
    StopBook,
    chain_breakers,
    desk_breakers,
    release_failures,
)
from tidegate.risk.breakers import BASE_FEE_WEI, REORG_DEPTH, RPC_DIVERGENCES
from tidegate.risk.limits.restore import FAILURE_BREAKERS

_USD = 10**6
_GWEI = 10**9
_MINUTE_MS = 60_000
_DOLLARS = ("notional_per_transaction_usd", "notional_per_hour_usd", "notional_per_day_usd")
_COUNTS = (
    "open_intents",
    "open_transactions",
    "orders_per_minute",
    "failed_share_bps",
    "consecutive_failures",
)
_SHARES = {"loss_per_day_bps": "loss_per_day_usd_e6", "loss_per_week_bps": "loss_per_week_usd_e6"}


def limit_table(config: Config, stage: Stage, network: Network, chain: str) -> LimitTable:
    """Return what is allowed in a stage: its defaults, and on top of them what the configuration says.

    Where no key of value signs, paper's defaults hold. Live, what nobody allowed is 0.
    """
    given = config.limits
    allowed = {f"{name}_e6": value * _USD for name in _DOLLARS if (value := getattr(given, name)) is not None}
    allowed |= {name: value for name in _COUNTS if (value := getattr(given, name)) is not None}
    configured = config.chains.get(chain)
    if configured is not None and configured.gas_per_day_wei is not None:
        allowed[f"gas_per_day_gwei chain:{network.chain_id}"] = configured.gas_per_day_wei // _GWEI
    return LimitTable(
        stage=stage if rules_of(stage).is_live else Stage.PAPER,
        capital_usd_e6={"atomic": config.desk.atomic.capital_usd * _USD},
        allowed=allowed,
        shares_bps={
            limit: value for name, limit in _SHARES.items() if (value := getattr(given, name)) is not None
        },
    )


class Splits:
    """Counts how often endpoints of a pool disagreed; it is given to the pool as ``on_event``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_ms: deque[int] = deque(maxlen=1_000)

    def __call__(self, event: PoolEvent) -> None:
        """Take note of an event of the pool."""
        if event.is_alert:
            self._at_ms.append(self._clock.now_ms())

    def per_minute(self) -> int:
        """Return how many there were in the last minute."""
        since = self._clock.now_ms() - _MINUTE_MS
        return sum(at > since for at in self._at_ms)


@dataclass(frozen=True, slots=True)
class Safety:
    """Limits, stops and breakers of one run, and the board that the breakers of its chain read."""

    limits: LimitBook
    stops: StopBook
    breakers: BreakerBook
    board: InputBoard
    splits: Splits
    scope: str

    @classmethod
    def open(
        cls,
        *,
        table: LimitTable,
        desk: str,
        network: Network,
        journal: Journal,
        clock: Clock,
        home: Path,
        splits: Splits,
        recorder: Recorder,
    ) -> Safety:
        """Take up stops and breakers where the journal says that they stand; recovery counts limits again."""
        limits, board = LimitBook(table, recorder=recorder), InputBoard(clock)
        scope = f"chain:{network.chain_id}"
        for name, value in ((BASE_FEE_WEI, 0), (REORG_DEPTH, 0), (RPC_DIVERGENCES, splits.per_minute())):
            board.write(name, scope, value)
        breakers = BreakerBook.open(
            (*desk_breakers(desk), *chain_breakers(network)),
            inputs=FirstOf(board, LimitInputs(limits, clock)),
            clock=clock,
            journal=journal,
            recorder=recorder,
            on_resume=lambda body: release_failures(limits, body),
            forgivable={f"{one}/{name}" for one in (f"desk:{desk}", scope) for name in FAILURE_BREAKERS},
        )
        stops = StopBook.open(home, clock=clock, journal=journal, recorder=recorder)
        return cls(limits, stops, breakers, board, splits, scope)

    def saw_block(self, *, base_fee_wei: int, reorg_depth: int) -> None:
        """Take note of a block, and evaluate what is due. Raises as ``BreakerBook.evaluate``."""
        self.board.write(BASE_FEE_WEI, self.scope, base_fee_wei)
        self.board.write(REORG_DEPTH, self.scope, reorg_depth)
        self.beat()

    def beat(self) -> None:
        """Evaluate the breakers that are due: one that is not asked for three of its periods trips."""
        self.board.write(RPC_DIVERGENCES, self.scope, self.splits.per_minute())
        self.breakers.evaluate()
        self.stops.refresh()

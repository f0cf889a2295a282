"""Breakers: one engine; a breaker is data."""

from tidegate.risk.breakers.book import BreakerBook
from tidegate.risk.breakers.breaker import OPENING, Breaker, Level
from tidegate.risk.breakers.inputs import FirstOf, InputBoard, Inputs, LimitInputs
from tidegate.risk.breakers.records import Masked, read_states
from tidegate.risk.breakers.shipped import (
    BASE_FEE_WEI,
    DRAWDOWN_BPS,
    ORACLE_AGE_S,
    REORG_DEPTH,
    RPC_DIVERGENCES,
    chain_breakers,
    desk_breakers,
    drawdown_breaker,
    oracle_breaker,
)
from tidegate.risk.breakers.step import Reading, State, Transition, resume, step

__all__ = [
    "BASE_FEE_WEI",
    "DRAWDOWN_BPS",
    "OPENING",
    "ORACLE_AGE_S",
    "REORG_DEPTH",
    "RPC_DIVERGENCES",
    "Breaker",
    "BreakerBook",
    "FirstOf",
    "InputBoard",
    "Inputs",
    "Level",
    "LimitInputs",
    "Masked",
    "Reading",
    "State",
    "Transition",
    "chain_breakers",
    "desk_breakers",
    "drawdown_breaker",
    "oracle_breaker",
    "read_states",
    "resume",
    "step",
]

"""Which chains ``tidegate devnet up`` starts: ``ethereum-dev:31337:12,base-dev:31338:2``."""

from __future__ import annotations

import re

import msgspec

from tidegate.model import ConfigError

DEFAULT_CHAINS = "devnet:31337:12"
_FORM = "NAME:ID:SECONDS, several with commas between them, like ethereum-dev:31337:12,base-dev:31338:2"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NUMBER = re.compile(r"[0-9]{1,16}")
_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,20})?")

LAST_CHAIN_ID = 2**53 - 1
BLOCK_TIME_S = (0.1, 3_600.0)
"""The least and the greatest time from block to block."""


class ChainPlan(msgspec.Struct, frozen=True):
    """A chain to start. A block comes every ``block_time_s`` of real time."""

    chain: str
    chain_id: int
    block_time_s: float


def parse_chains(text: str) -> tuple[ChainPlan, ...]:
    """Return the chains that ``text`` names.

    Raises
    ------
    ConfigError
        If a part has another form, a number is out of range, or a name or id stands twice.
    """
    plans = tuple(_parse(part.strip()) for part in text.split(","))
    for field in ("chain", "chain_id"):
        values = [getattr(plan, field) for plan in plans]
        if twice := [value for value in values if values.count(value) > 1]:
            raise _refused(f"two chains have the same {field.replace('chain_', '')}", str(twice[0]))
    return plans


def _parse(part: str) -> ChainPlan:
    fields = part.split(":")
    if len(fields) != 3:
        raise _refused("not a chain", repr(part))
    name, chain_id, block_time = fields
    if not _NAME.fullmatch(name):
        raise _refused("not a chain's name", repr(name), "a-z, 0-9 and -, at most 32, a letter first")
    if not _NUMBER.fullmatch(chain_id) or not 1 <= int(chain_id) <= LAST_CHAIN_ID:
        raise _refused(f"not the id of {name}", repr(chain_id), f"1 to {LAST_CHAIN_ID}")
    seconds = float(block_time) if _SECONDS.fullmatch(block_time) else 0.0
    if not BLOCK_TIME_S[0] <= seconds <= BLOCK_TIME_S[1]:
        raise _refused(f"not the block time of {name}", repr(block_time), "0.1 to 3600 seconds")
    return ChainPlan(name, int(chain_id), seconds)


def _refused(message: str, found: str, allowed: str = _FORM) -> ConfigError:
    return ConfigError(message, code="chains", found=found, allowed=allowed, fix=f"--chains {DEFAULT_CHAINS}")

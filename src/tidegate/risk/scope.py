"""Where a stop, a breaker or a limit holds: one grammar for all three.

``global``, or parts joined by commas that must all match: ``desk:atomic``, ``chain:10``,
``venue:uniswap_v3``, ``market:0x12``, ``desk:liquidation,chain:10``.
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

from tidegate.model import ConfigError, Intent

GLOBAL = "global"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")
_KINDS = ("desk", "chain", "venue", "market")
_ALLOWED = "global, or chain:ID, desk:NAME, venue:NAME, market:ID joined by commas"


class Place(msgspec.Struct, frozen=True):
    """What an intent touches, as far as scopes ask.

    No ``venues`` means that nobody said which: a stop of any venue then covers it. No ``market`` means
    that the desk knows no markets.
    """

    desk: str
    chain_id: int
    venues: tuple[str, ...] = ()
    market: str = ""

    @classmethod
    def of(cls, intent: Intent) -> Self:
        """Return the place of an intent."""
        return cls(intent.desk, intent.chain_id, intent.venues, intent.market)


class Scope(msgspec.Struct, frozen=True):
    """A class of places. ``parts`` are (kind, name), at most one of each kind; none of them is global."""

    parts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the scope that ``text`` writes.

        Raises
        ------
        ConfigError
            ``scope`` if it is not written so.
        """
        words = [word.strip() for word in text.split(",")]
        if words == [GLOBAL]:
            return cls()
        parts = [tuple(word.split(":", 1)) for word in words]
        kinds = [part[0] for part in parts]
        is_well = (
            all(len(part) == 2 and part[0] in _KINDS and _NAME.fullmatch(part[1]) for part in parts)
            and len(set(kinds)) == len(kinds)
            and all(part[1].isdecimal() for part in parts if part[0] == "chain" and len(part) == 2)
        )
        if not is_well:
            raise ConfigError(
                "no such scope",
                code="scope",
                found=repr(text[:120]),
                allowed=_ALLOWED,
                fix="write for example desk:atomic or desk:liquidation,chain:10",
            )
        ordered = sorted(((part[0], part[1]) for part in parts), key=lambda part: _KINDS.index(part[0]))
        return cls(tuple((kind, str(int(name)) if kind == "chain" else name) for kind, name in ordered))

    def __str__(self) -> str:
        return ",".join(f"{kind}:{name}" for kind, name in self.parts) or GLOBAL

    def covers(self, place: Place) -> bool:
        """Say whether every part matches ``place``."""
        return all(_matches(kind, name, place) for kind, name in self.parts)


def _matches(kind: str, name: str, place: Place) -> bool:
    match kind:
        case "desk":
            return name == place.desk
        case "chain":
            return name == str(place.chain_id)
        case "venue":
            return not place.venues or name in place.venues
        case _:
            return name == place.market

"""What an operator may change of a street. Times in seconds."""

from __future__ import annotations

import msgspec


class StreetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a street does at once, and how long each step may take.

    A step that is not done in time ends the intent as denied, if nothing was signed yet. Signing and sending
    have deadlines of their own (``chain.SenderSettings``), because what they leave behind is not nothing.
    """

    walking_max: int = 16
    waiting_max: int = 64
    accept_s: float = 5.0
    plan_s: float = 10.0
    guards_s: float = 5.0
    simulate_s: float = 10.0
    settle_s: float = 15.0

"""What may stop an intent: guards on a plan, limits on a desk. Says no; sends nothing.

Invariants: a check and the reservation that it allows are one step; an exception while judging is a
failure; nothing here masks an exit. The pipeline and the desks call it.
"""

from tidegate.risk.limits import LimitBook, RunLimits

__all__ = ["LimitBook", "RunLimits"]

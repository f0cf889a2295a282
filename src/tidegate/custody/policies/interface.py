"""What a policy is to the signer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tidegate.custody.content import Content, Judgement, Prices


class Policy(Protocol):
    """Judges content by terms that the capability states. Pure: no I/O, no state, no clock of its own."""

    @property
    def name(self) -> str:
        """Return the name by which capabilities call it."""
        ...

    def bind(self, terms: dict[str, Any]) -> Callable[[Content, Prices, int], Judgement | None]:
        """Return the judge of these terms.

        The judge takes content, the capability's prices and the time in seconds. It returns None where
        the content is not its matter, and raises ``Denied`` (``policy_refused``, or ``unvalued`` where
        a price is missing) where it is and may not be signed.

        Raises
        ------
        Denied
            ``capability_invalid`` if the terms are not such as this policy reads.
        """
        ...

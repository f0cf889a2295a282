"""What is said about an endpoint: where it is, who runs it, what it can do. Its URL never shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from tidegate.chain.reads import LOGS_SPAN_MAX
from tidegate.model import ConfigError

BATCH_MAX = 50


class Tier(StrEnum):
    """What an endpoint is for: reads and public sends, their backup, or private sends alone."""

    PRIMARY = "primary"
    BACKUP = "backup"
    PRIVATE = "private"


class Feature(StrEnum):
    """What an endpoint can do beyond the plain."""

    ARCHIVE = "archive"
    TRACE = "trace"
    BUNDLE = "bundle"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """One JSON-RPC endpoint of a chain.

    Parameters
    ----------
    name
        How errors, metrics and logs call it.
    url, ws
        Where it is, and its WebSocket. Never shown: they may carry keys. A ``ws`` that is empty is none.
    operator
        Who runs it; a quorum needs different ones. Empty is: nobody else than this endpoint's own.
    trusted
        A node of our own: its word decides where two sides are equally strong.
    weight
        Share of the reads among endpoints of its tier.
    rate_per_s, burst
        Calls a second and at once that it is asked at most; None is no limit.
    batch_max
        Calls in one batch; 1 is no batches.
    logs_span_max
        Blocks in one ``eth_getLogs``.
    timeout_s, send_timeout_s
        How long one read and one send may take there.

    Raises
    ------
    ConfigError
        If the URL is none, or a figure is not positive.
    """

    name: str
    url: str
    ws: str | None = None
    operator: str = ""
    trusted: bool = False
    tier: Tier = Tier.PRIMARY
    weight: int = 1
    features: frozenset[Feature] = frozenset()
    rate_per_s: float | None = None
    burst: int = 100
    batch_max: int = BATCH_MAX
    logs_span_max: int = LOGS_SPAN_MAX
    timeout_s: float = 2.0
    send_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        # An optional URL that is empty must not win over what works without it.
        ws = (self.ws or "").strip()
        object.__setattr__(self, "ws", _checked(self, "ws", ws, ("ws", "wss")) if ws else None)
        object.__setattr__(self, "url", _checked(self, "url", self.url.strip(), ("http", "https")))
        object.__setattr__(self, "operator", self.operator or self.name)
        for key in ("weight", "burst", "batch_max", "logs_span_max", "timeout_s", "send_timeout_s"):
            value = getattr(self, key)
            if not value > 0:
                raise ConfigError(f"{key} must be above 0, was {value}", fix=f"mend endpoint {self.name}")
        if self.rate_per_s is not None and not self.rate_per_s > 0:
            raise ConfigError(f"rate_per_s must be above 0, was {self.rate_per_s}")

    def __repr__(self) -> str:
        return f"{self.name}#{self.tier.value} (host hidden)"

    __str__ = __repr__


def _checked(endpoint: Endpoint, key: str, url: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in schemes and bool(parts.hostname)
    except ValueError:
        is_one = False
    if not is_one:
        raise ConfigError(
            f"endpoint {endpoint.name}: {key} is no URL",
            code="url",
            found="nothing" if not url else "something else (not shown: it may hold a key)",
            allowed=" or ".join(f"{scheme}://host" for scheme in schemes),
            fix=f"set {key} of {endpoint.name}, or leave the endpoint out",
        )
    return url

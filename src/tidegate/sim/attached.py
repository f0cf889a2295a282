"""A node of ours that another process started: the same world, but its process is not ours to end."""

from __future__ import annotations

from tidegate.chain import Connection, RevertDecoder
from tidegate.sim.environment import BLOCK_GAS_LIMIT
from tidegate.sim.exact import ExactWorld


class _Elsewhere:
    """A process that is not ours: nothing is known of it but where it listens."""

    pid = 0
    is_alive = True
    printed = "the node was started by another process"

    def __init__(self, url: str) -> None:
        self.url = url

    def has_ended(self, *, within_s: float) -> bool:
        """Say no: its end shows as a node that does not answer, however long (``within_s``) one waits."""
        return within_s < 0

    def close(self) -> None:
        """Leave the process alone."""


class AttachedWorld(ExactWorld):
    """A devnet node that runs already. Blocks come as it was told when it was started.

    Parameters
    ----------
    url
        Where it listens, on loopback.
    chain_id
        What ``CHAINID`` gives there.
    """

    def __init__(self, url: str, *, chain_id: int, timeout_s: float = 60.0) -> None:
        self._chain_id = chain_id
        self._gas_limit = BLOCK_GAS_LIMIT // 3  # others use these blocks too
        self._block_time_s = 1
        self._snapshots = []
        self._mining = "interval"
        self._is_free = False
        self._node = _Elsewhere(url)
        self._connection = Connection(url, name="the devnet's node", timeout_s=timeout_s)
        self._reverts = RevertDecoder()

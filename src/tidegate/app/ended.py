"""A node of ours that ended under a run: said as that, not as a node that does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.model import Ambiguous, Unavailable
from tidegate.sim import ExactWorld

_LINES_SHOWN = 3


@contextmanager
def ended_node_named(world: ExactWorld, *, fix: str) -> Iterator[None]:
    """Turn a question that the node of ``world`` no longer answers into why it ended.

    Parameters
    ----------
    fix
        The next step of a person whose node is gone.

    Raises
    ------
    Unavailable
        ``node_ended``, with the last lines that the node printed and the code or signal of its end.
    """
    try:
        yield
    except (Unavailable, Ambiguous) as error:
        if not world.has_ended():
            raise
        raise Unavailable(
            "the node that this run is on ended",
            code="node_ended",
            found=" | ".join(world.printed.splitlines()[-_LINES_SHOWN:]),
            allowed="a node that runs until the run is over",
            fix=fix,
        ) from error

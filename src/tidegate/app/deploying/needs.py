"""What a set of strategies needs of one executor on a chain as it stands: permissions and loss limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.app.places import Place
from tidegate.app.running.sites import assignments_of
from tidegate.app.running.start import tables_of
from tidegate.app.runtime import Job
from tidegate.desks.atomic import Assignment, joint_policy, load_blinds, load_strategy, loss_limits
from tidegate.model import ZERO_ADDRESS, Address, ConfigError
from tidegate.sim import PinnedWorlds
from tidegate.venues.executor import Change


@dataclass(frozen=True, slots=True)
class Needs:
    """The smallest policy of several strategies: what they may call, and what they may lose."""

    names: tuple[str, ...]
    permissions: tuple[Change, ...]
    limits: tuple[Change, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return all of it."""
        return (*self.permissions, *self.limits)


def needs_of(
    place: Place,
    files: Sequence[Path],
    executor: str,
    *,
    blinds: Mapping[str, Path] | None = None,
    operator: Address = ZERO_ADDRESS,
) -> Needs:
    """Return what the strategies of ``files`` need of the executor called ``executor``.

    They are compiled for that executor, whichever they name: a backup needs what its main one does. Which
    lenders can serve is read from the chain's newest block.

    Raises
    ------
    ConfigError
        If there is no file, one can not be read or compiled, or they can not share an executor.
    Denied
        ``flash_liquidity`` if nobody lends what a strategy borrows.
    """
    book = place.require_book()
    book.executor(executor)
    tables = tables_of(book)
    jobs = []
    for path in files:
        strategy = replace(load_strategy(path, tables), executor=executor)
        given = (blinds or {}).get(strategy.name)
        values = {} if given is None else load_blinds(given, strategy, tables[strategy.chain])
        jobs.append(Job(strategy, values))
    if not jobs:
        raise ConfigError(
            "no strategy is named",
            found="no file",
            allowed="strategy files",
            fix="tidegate strategy new NAME",
        )
    assignments: tuple[Assignment, ...] = assignments_of(book, jobs, operator)
    worlds = PinnedWorlds(place.endpoints[0].url, block_time_s=max(1, round(place.network.block_time_s)))
    try:
        permissions = joint_policy(assignments, worlds.at("latest"))
    finally:
        worlds.close()
    return Needs(tuple(job.strategy.name for job in jobs), permissions, loss_limits(assignments))

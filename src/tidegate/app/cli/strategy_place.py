"""Where ``tidegate strategy plan|simulate|run`` work: a chain named, a devnet that is up, or a new world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tidegate.app.cli.common import UsageError, home
from tidegate.app.cli.config import configured
from tidegate.app.devnet import NodeRecord, devnet_address, node_records, node_status
from tidegate.app.devnet.tables import token_tables
from tidegate.app.paper import PaperMarket
from tidegate.app.places import Place, place_of
from tidegate.app.running.start import tables_of
from tidegate.app.runtime import Job
from tidegate.chain import NetworkKind, address
from tidegate.desks.atomic import Elsewhere, TokenTables, load_blinds, load_strategy
from tidegate.model import Address, ConfigError

Chain = Annotated[
    str | None,
    typer.Option(help="A devnet that is up, or a chain of the configuration; read as if the file named it."),
]
Executor = Annotated[str | None, typer.Option(help="An executor of the book, instead of the file's.")]
AtBlock = Annotated[int | None, typer.Option("--block", min=0, help="Look at this block, not the newest.")]
Account = Annotated[
    str | None, typer.Option(help="From whom the plan would run; on a devnet its operator, if not named.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Seed of a paper world of its own, which it asks for. By default 7.")
]
Moves = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=10_000,
        help="Blocks that the market of a paper world of its own moves beforehand. By default 24.",
    ),
]


@dataclass(frozen=True, slots=True)
class Where:
    """What a command line says about where to work."""

    chain: str | None = None
    executor: str | None = None
    block: int | None = None
    account: str | None = None
    seed: int | None = None
    moves: int | None = None

    @property
    def elsewhere(self) -> Elsewhere:
        """Return what the files are read to say."""
        return Elsewhere(self.chain or "", self.executor or "")

    @property
    def market(self) -> PaperMarket:
        """Return the market of a world of its own."""
        given = {"seed": self.seed, "moves": self.moves}
        return PaperMarket(**{key: value for key, value in given.items() if value is not None})

    def place(self, files: Sequence[Path]) -> Place | None:
        """Return the chain to work on: the one named, else the strategies' devnet if it is up.

        None means a world of its own; so does a seed or a number of moves.

        Raises
        ------
        ConfigError
            If there is no such chain.
        """
        wants_own = self.seed is not None or self.moves is not None
        if self.chain is not None and wants_own:
            raise UsageError(
                "a seed and moves are for a paper world of its own",
                found=f"--chain {self.chain} with --seed or --moves",
                allowed="either of them",
                fix="leave one out",
            )
        if wants_own:
            return None
        if self.chain is not None:
            return place_of(self.chain, configured(None, None), home())
        strategy = load_strategy(files[0], token_tables(), self.elsewhere)
        record = up(strategy.chain)
        return None if record is None else place_of(record.chain, configured(None, None), home())

    def jobs(self, files: Sequence[Path], blinds: Path | None, place: Place | None) -> list[Job]:
        """Return the strategies with their blinds, read for the chain that they run on."""
        tables = tables_for(place)
        jobs = []
        for file in files:
            strategy = load_strategy(file, tables, self.elsewhere)
            given = {} if blinds is None else load_blinds(blinds, strategy, tables[strategy.chain])
            jobs.append(Job(strategy, given))
        return jobs

    def sender(self, place: Place) -> Address:
        """Return from whom plans would run on a chain that is there.

        Raises
        ------
        ConfigError
            If nobody said, and it is no devnet.
        """
        if self.account is not None:
            return address(self.account)
        if place.network.kind is NetworkKind.DEVNET:
            return devnet_address("operator")
        raise ConfigError(
            "whose plan is it?",
            found="no account",
            allowed="the address that operates the executor; its key is not needed",
            fix="add --account 0x…",
        )


def tables_for(place: Place | None) -> TokenTables:
    """Return the tokens that files may name, those of the book of a place included."""
    return token_tables() if place is None else {**token_tables(), **tables_of(place.require_book())}


def tables_named(chain: str | None) -> TokenTables:
    """Return the tokens that files may name on the chain called ``chain``, without asking a node."""
    if chain is None or chain in token_tables():
        return token_tables()
    return tables_for(place_of(chain, configured(None, None), home()))


def up(chain: str) -> NodeRecord | None:
    """Return the record of a devnet of ours if it is up and well."""
    folder = home() / "devnet"
    record = node_records(folder).get(chain) if folder.exists() else None
    return record if record is not None and node_status(record).health == "ok" else None

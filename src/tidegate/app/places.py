"""A chain by its name: from the configuration, else a devnet of ours that is up.

The one place where a name becomes endpoints, a network and an address book. A book is laid over another:
what this project has recorded (executors deployed, hashes confirmed), over the file that people wrote,
over the one that comes with the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tidegate.app.config import (
    ChainConfig,
    EndpointConfig,
    LoadedConfig,
    RelayConfig,
    demand_relays,
    network_of,
)
from tidegate.app.devnet import node_records, read_book
from tidegate.chain import NETWORKS, Network, devnet_network
from tidegate.chain.relays import RelayPlace
from tidegate.chain.rpc import Endpoint, RpcPool
from tidegate.model import Clock, ConfigError, Recorder
from tidegate.venues import AddressBook, load_book, shipped_book

RELAY_KEY = "relay.key"
"""The file in the home that holds the key by which relays know us."""


@dataclass(frozen=True, slots=True)
class Place:
    """A chain that can be reached. URLs are inside ``endpoints`` and ``relays`` and never shown.

    ``recorded`` is the file of the book that this program writes: executors it has deployed, code hashes
    that people confirmed. None where nothing can be recorded.
    """

    name: str
    network: Network
    endpoints: tuple[Endpoint, ...]
    book: AddressBook | None
    recorded: Path | None = None
    relays: tuple[RelayPlace, ...] = ()

    def pool(self, *, clock: Clock | None = None, recorder: Recorder | None = None) -> RpcPool:
        """Return a pool over the chain's endpoints, not started yet."""
        return RpcPool(self.network, self.endpoints, clock=clock, recorder=recorder)

    def require_book(self) -> AddressBook:
        """Return the address book. Raises ``ConfigError`` if the chain has none."""
        if self.book is None:
            raise ConfigError(
                f"chain {self.name} has no address book",
                found="no book",
                allowed="a TOML file of names and addresses",
                fix=f'set book = "addresses/{self.name}.toml" under [chains.{self.name}]',
            )
        return self.book


def place_of(name: str, loaded: LoadedConfig, home: Path) -> Place:
    """Return the chain called ``name``.

    Raises
    ------
    ConfigError
        If the configuration does not name it and no devnet of that name is up, or a secret is missing.
    """
    configured = loaded.config.chains.get(name)
    devnets = home / "devnet"
    running = node_records(devnets) if devnets.exists() else {}
    if configured is not None and configured.endpoints:
        book = _book(loaded, configured)
        if book is None and name in running and running[name].chain_id == configured.chain_id:
            book = read_book(devnets, name)
        endpoints = tuple(map(_endpoint, configured.endpoints))
        network = network_of(name, configured)
        recorded = home / "addresses" / f"{name}.toml"
        demand_relays(name, configured)
        relays = tuple(map(_relay, configured.relays))
        return Place(name, network, endpoints, _laid_over(book, recorded, network), recorded, relays)
    if name in running:
        record = running[name]
        network = devnet_network(record.chain_id, name=name, block_time_s=record.block_time_s)
        return Place(
            name,
            network,
            (Endpoint(name="devnet", url=record.url, operator="us", trusted=True),),
            read_book(devnets, name),
            devnets / name / "addresses.toml",
        )
    if configured is not None:
        raise ConfigError(
            f"chain {name} is configured without an endpoint and no devnet of that name is up",
            found=f"no node of ours called {name}",
            allowed=f"a devnet that is up, or an endpoint under [chains.{name}]",
            fix=f"tidegate devnet up --chains {name}:{configured.chain_id}:{configured.block_time_s or 12:g}",
        )
    raise ConfigError(
        f"there is no chain {name}",
        found=name,
        allowed=", ".join(sorted({*loaded.config.chains, *running})) or "none is configured, none is up",
        fix="add it under [chains] with an endpoint, or start a local one: tidegate devnet up",
    )


def _endpoint(config: EndpointConfig) -> Endpoint:
    return Endpoint(
        name=config.name,
        url=config.url.reveal(),
        ws=None if config.ws is None else config.ws.reveal(),
        operator=config.operator,
        trusted=config.trusted,
        tier=config.tier,
        weight=config.weight,
        features=frozenset(config.features),
        rate_per_s=config.rate_per_s,
        burst=config.burst,
        batch_max=config.batch_max,
        logs_span_max=config.logs_span_max_blocks,
        timeout_s=config.timeout_ms / 1000,
        send_timeout_s=config.send_timeout_ms / 1000,
    )


def _relay(config: RelayConfig) -> RelayPlace:
    return RelayPlace(
        name=config.name,
        url=config.url.reveal(),
        supports=frozenset(config.supports),
        builders=config.builders,
        timeout_s=config.timeout_ms / 1000,
    )


def _laid_over(written: AddressBook | None, recorded: Path, network: Network) -> AddressBook | None:
    """Lay what was recorded over what people wrote, over what is shipped for a network of the registry."""
    known = NETWORKS.get(network.chain_id)
    base = None if known is None else shipped_book(known.name)
    book = base if written is None else written.over(base)
    if not recorded.exists():
        return book
    own = _read(recorded)
    if book is None:
        return own
    for name, entry in own.contracts.items():
        below = book.contracts.get(name)
        if (
            below is not None
            and below.address != entry.address
            and written is not None
            and name in written.contracts
        ):
            raise ConfigError(
                f"two books disagree on where {name} is",
                code="book",
                found=f"{entry.address} in {recorded}",
                allowed=f"{below.address}, as the configured book says",
                fix="take the entry out of one of them",
            )
    return own.over(book)


def _book(loaded: LoadedConfig, chain: ChainConfig) -> AddressBook | None:
    return _read(loaded.folder / chain.book) if chain.book else None


def _read(path: Path) -> AddressBook:
    try:
        return load_book(path.read_text(encoding="utf-8"), where=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} can not be read",
            found=type(error).__name__,
            allowed="an address book in TOML",
            fix="tidegate devnet export writes one for a devnet",
        ) from error

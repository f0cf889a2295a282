"""Whether what a configuration names is there: files, secrets, chains. Nothing is connected to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tidegate.app.config.chains import demand_relays, network_of
from tidegate.app.config.reading import LoadedConfig
from tidegate.app.config.schema import ChainConfig, EndpointConfig, RelayConfig
from tidegate.app.devnet.tables import token_tables
from tidegate.app.findings import Finding, examine
from tidegate.app.story import counted
from tidegate.chain import NetworkKind
from tidegate.desks.atomic import load_blinds, load_strategy
from tidegate.model import ConfigError, Stage


def check_config(loaded: LoadedConfig) -> list[Finding]:
    """Return a finding for every chain, endpoint and file that the configuration names."""
    return examine(dict(_looks(loaded)))


def _looks(loaded: LoadedConfig) -> Iterator[tuple[str, Callable[[], str]]]:
    config = loaded.config
    yield "file", partial(_file, loaded)
    for name, chain in config.chains.items():
        yield f"chain {name}", partial(_chain, name, chain)
        for endpoint in chain.endpoints:
            yield f"endpoint {name}.{endpoint.name}", partial(_endpoint, endpoint)
        for relay in chain.relays:
            yield f"relay {name}.{relay.name}", partial(_relay, name, chain, relay)
    yield "run.chain", partial(_run_chain, loaded)
    for file in dict.fromkeys(config.desk.atomic.strategies):
        yield f"strategy {file}", partial(_strategy, loaded, file)
    if not config.desk.atomic.strategies:
        yield "strategies", _no_strategies


def _file(loaded: LoadedConfig) -> str:
    return "no file: defaults alone" if loaded.path is None else str(loaded.path)


def _endpoint(endpoint: EndpointConfig) -> str:
    for url in (endpoint.url, endpoint.ws):
        if url is not None:
            url.reveal()
    return f"{endpoint.url}: it can be had"


def _relay(name: str, chain: ChainConfig, relay: RelayConfig) -> str:
    demand_relays(name, chain)
    relay.url.reveal()
    return f"{relay.url}: it can be had"


def _chain(name: str, chain: ChainConfig) -> str:
    network = network_of(name, chain)
    operators = {endpoint.operator for endpoint in chain.endpoints if endpoint.operator}
    seen = [endpoint.name for endpoint in chain.endpoints]
    if twice := [one for one in seen if seen.count(one) > 1]:
        raise ConfigError(
            f"two endpoints of {name} have one name", found=twice[0], allowed="names of their own"
        )
    what = f"{network.chain_id}, a {network.kind.value}"
    if not chain.endpoints and network.kind is NetworkKind.DEVNET:
        return f"{what}; found by its name while it is up"
    count = counted(len(chain.endpoints), "endpoint")
    quorum = "reads that commit value are compared" if len(operators) > 1 else "one operator: no quorum"
    return f"{what}; {count}, {quorum}"


def _run_chain(loaded: LoadedConfig) -> str:
    run, chains = loaded.config.run, loaded.config.chains
    starts_its_own = run.stage in (Stage.BACKTEST, Stage.PAPER)
    if run.chain in chains:
        chain = chains[run.chain]
        if not chain.endpoints and chain.kind is NetworkKind.DEVNET:
            return f"{run.chain}: found by its name while it is up (tidegate devnet up)"
        if not chain.endpoints and not starts_its_own:
            raise ConfigError(
                f"chain {run.chain} has no endpoint",
                found="none",
                allowed=f"at least one for stage {run.stage.value}",
                fix=f"add [[chains.{run.chain}.endpoints]]",
            )
        return run.chain
    if starts_its_own:
        return f"{run.chain}: paper starts a node of its own"
    raise ConfigError(
        f"run.chain names no chain: {run.chain}",
        found=run.chain,
        allowed=", ".join(chains) or "a table of [chains]",
        fix=f"add [chains.{run.chain}], or name another",
    )


def _strategy(loaded: LoadedConfig, file: str) -> str:
    if loaded.config.desk.atomic.strategies.count(file) > 1:
        raise ConfigError(
            f"{file} stands twice under [desk.atomic]",
            found="the same file",
            allowed="each strategy once",
            fix="leave one of them out",
        )
    tables = token_tables()
    strategy = load_strategy(loaded.folder / file, tables)
    blinds = loaded.config.desk.atomic.blinds.get(strategy.name)
    if blinds is not None:
        load_blinds(loaded.folder / blinds, strategy, tables[strategy.chain])
    return f"{strategy.name} on {strategy.chain}"


def _no_strategies() -> str:
    raise ConfigError(
        "the atomic desk has no strategies",
        found="an empty list",
        allowed="at least one file",
        fix="tidegate strategy new NAME, then name the file under [desk.atomic]",
    )

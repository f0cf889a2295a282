"""``tidegate.toml``: one file, strict and typed, with the place of every value.

A quantity's unit stands in its key, a secret is a reference, an unknown key is an error. Called by
the command line and ``app/runtime``.
"""

from tidegate.app.config.chains import demand_relays, network_of
from tidegate.app.config.checking import check_config
from tidegate.app.config.describing import REQUIRED, KeyPage, describe_keys, pattern_of, values_of
from tidegate.app.config.reading import (
    FILE_NAME,
    LoadedConfig,
    Origin,
    find_config,
    load_config,
)
from tidegate.app.config.schema import (
    AtomicConfig,
    ChainConfig,
    Config,
    DesksConfig,
    EndpointConfig,
    LedgerConfig,
    LimitsConfig,
    PaperConfig,
    RelayConfig,
    RunConfig,
    SignerConfig,
)
from tidegate.app.config.secrets import Secret, Url
from tidegate.app.config.template import STRATEGY, TEXT

__all__ = [
    "FILE_NAME",
    "REQUIRED",
    "STRATEGY",
    "TEXT",
    "AtomicConfig",
    "ChainConfig",
    "Config",
    "DesksConfig",
    "EndpointConfig",
    "KeyPage",
    "LedgerConfig",
    "LimitsConfig",
    "LoadedConfig",
    "Origin",
    "PaperConfig",
    "RelayConfig",
    "RunConfig",
    "Secret",
    "SignerConfig",
    "Url",
    "check_config",
    "demand_relays",
    "describe_keys",
    "find_config",
    "load_config",
    "network_of",
    "pattern_of",
    "values_of",
]

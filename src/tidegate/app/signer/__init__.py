"""The signer's process, put together from ``custody`` and its settings.

It imports neither desks nor pipeline nor the configuration of the worker: the process that holds keys
runs as little code as it can. Its witness is another process (``app.witness``).
"""

from tidegate.app.signer.prepare import (
    Prepared,
    commented,
    devnet_issuer,
    prepare_devnet_signer,
    write_private,
)
from tidegate.app.signer.process import open_keys, run_signer
from tidegate.app.signer.settings import SignerSettings, demand_home, read_signer_settings, uids_of

__all__ = [
    "Prepared",
    "SignerSettings",
    "commented",
    "demand_home",
    "devnet_issuer",
    "open_keys",
    "prepare_devnet_signer",
    "read_signer_settings",
    "run_signer",
    "uids_of",
    "write_private",
]

"""The signer's process and its witness, put together from ``custody`` and their settings."""

from tidegate.app.signer.process import open_keys, run_signer
from tidegate.app.signer.settings import SignerSettings, read_signer_settings

__all__ = ["SignerSettings", "open_keys", "read_signer_settings", "run_signer"]

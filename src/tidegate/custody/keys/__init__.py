"""Keys: encrypted files, what an opened one can do, and where their passwords come from.

A key can be used and not seen. ``KeySource`` is what the signer asks of one; a cloud's or a
hardware module's key stands behind the same protocol.
"""

from tidegate.custody.keys.keyfile import KeyFile, KeyKind, read_key_files
from tidegate.custody.keys.local import EdKey, LocalKey, SecpKey
from tidegate.custody.keys.password import Password, read_password
from tidegate.custody.keys.source import Curve, KeySource

__all__ = [
    "Curve",
    "EdKey",
    "KeyFile",
    "KeyKind",
    "KeySource",
    "LocalKey",
    "Password",
    "SecpKey",
    "read_key_files",
    "read_password",
]

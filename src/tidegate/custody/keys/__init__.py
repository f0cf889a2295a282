"""Keys: encrypted files, what an opened one can do, and where their passwords come from.

A key can be used and not seen. ``custody.ports.KeyHandle`` is what the signer asks of one; a
cloud's or a hardware module's key stands behind the same protocol.
"""

from tidegate.custody.keys.foreign import secret_of_hex, secret_of_keystore, seed_of_solana_keypair
from tidegate.custody.keys.keyfile import KeyFile, KeyKind, read_key_files, read_private
from tidegate.custody.keys.local import Curve, EdKey, LocalKey, SecpKey
from tidegate.custody.keys.password import Password, check_source, read_password

__all__ = [
    "Curve",
    "EdKey",
    "KeyFile",
    "KeyKind",
    "LocalKey",
    "Password",
    "SecpKey",
    "check_source",
    "read_key_files",
    "read_password",
    "read_private",
    "secret_of_hex",
    "secret_of_keystore",
    "seed_of_solana_keypair",
]

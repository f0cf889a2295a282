"""The key by which bundle relays know us. It owns nothing, signs no transaction, and no signer holds it.

Relays give standing to whoever asks for long, and let the same asker alone replace or cancel an offer; so it
is kept over restarts, in a file of its own. Who steals it can take our offers back and spoil our standing,
and moves nothing. It is deliberately not a key of the signer: that one has no network, and an oracle in it
that signs any text would be a way round everything else it checks.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tidegate.chain import keccak256
from tidegate.custody.keys import SecpKey, read_private
from tidegate.model import Address, ConfigError, Unavailable

_FIRST_V = 27


class RelayKey:
    """A ``chain.relays.RelayIdentity`` kept in a file that its owner alone reads, made at its first use.

    Parameters
    ----------
    path
        The file: 32 bytes in hexadecimal, mode 0600.

    Raises
    ------
    ConfigError
        ``key_file`` or ``key_invalid`` if the file is open to others, or holds no key.
    Unavailable
        If it can not be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            pass
        except OSError as error:
            raise Unavailable(
                f"the relay key {path} can not be made", found=str(error), fix="choose another TIDEGATE_HOME"
            ) from error
        else:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(descriptor)
        self._key = SecpKey(_secret_in(path), is_throw_away=False)

    def __repr__(self) -> str:
        return f"RelayKey({self.address})"

    @property
    def address(self) -> Address:
        """Return the account that relays know us by. It must hold nothing."""
        return self._key.address

    def sign_text(self, text: str) -> bytes:
        """Return the signature of a text (EIP-191 form ``E``): r, s and v (27 or 28), 65 bytes.

        The form begins with a byte that begins no transaction and no typed data, so what is signed here can
        be neither.
        """
        octets = text.encode()
        digest = keccak256(b"\x19Ethereum Signed Message:\n" + str(len(octets)).encode() + octets)
        signature = self._key.sign_digest(digest)
        return signature[:64] + bytes((signature[64] + _FIRST_V,))


def _secret_in(path: Path) -> bytes:
    try:
        return bytes.fromhex(read_private(path).decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        raise ConfigError(
            f"{path} holds no relay key",
            code="key_invalid",
            found="something else (not shown)",
            allowed="32 bytes in hexadecimal",
            fix="remove the file: a new key is made at the next start, and relays do not know it yet",
        ) from None

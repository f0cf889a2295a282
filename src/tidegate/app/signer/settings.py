"""``signer.toml`` and ``witness.toml``: what the two processes are told, strict and typed.

They are files of their own, because their owners are not the worker's: the signer's names keys and
pinned issuers, the witness's the endpoints that it asks.
"""

from __future__ import annotations

import difflib
import os
import pwd
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from tidegate.chain import NETWORKS, Network, devnet_network
from tidegate.custody import Issuer, IssuerKind, check_rate
from tidegate.custody.keys import check_source
from tidegate.custody.pinning import pinned
from tidegate.model import ConfigError

_T = TypeVar("_T", bound=msgspec.Struct)
_BYTES_MAX = 1_048_576

User = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)] | Annotated[str, msgspec.Meta(min_length=1)]
"""A user of this machine, by uid or name."""
Positive = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all tables share."""


class KeyTable(_Table, frozen=True):
    """A key: its file, and where its password comes from."""

    file: str
    password: str


class IssuerTable(_Table, frozen=True):
    """A pinned public key (64 hex digits), and what it may sign."""

    name: Name
    kind: IssuerKind
    public_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class ChainsTable(_Table, frozen=True):
    """Chains that may be signed for: public ones by the registry's name, and devnets by id."""

    public: tuple[str, ...] = ()
    devnets: tuple[Positive, ...] = ()


class SignerTable(_Table, frozen=True):
    """Sockets, who may open them, how often they may ask, and where the journal lies."""

    socket: str = "signer.sock"
    admin_socket: str = "admin.sock"
    workers: tuple[User, ...] = ()
    administrators: tuple[User, ...] = ()
    rate_per_s: int = 200
    journal: str = "journal.sqlite"


class AskTable(_Table, frozen=True):
    """The witness that the signer asks; without a socket there is none."""

    socket: str = ""
    age_max_s: Annotated[int, msgspec.Meta(ge=10, le=3_600)] = 600
    quorum: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2


class SignerFile(_Table, frozen=True):
    """The whole of ``signer.toml``."""

    keys: tuple[KeyTable, ...]
    issuers: tuple[IssuerTable, ...]
    chains: ChainsTable
    signer: SignerTable = SignerTable()
    witness: AskTable = AskTable()


class SignerSettings(msgspec.Struct, frozen=True):
    """``signer.toml``, with its paths absolute and its users resolved. No users are our own one."""

    file: SignerFile
    folder: Path

    @property
    def socket(self) -> Path:
        """Return the workers' socket."""
        return self.folder / self.file.signer.socket

    @property
    def admin_socket(self) -> Path:
        """Return the administrators' socket."""
        return self.folder / self.file.signer.admin_socket

    @property
    def journal(self) -> Path:
        """Return the signer's own journal."""
        return self.folder / self.file.signer.journal

    @property
    def witness_socket(self) -> Path | None:
        """Return the witness's socket, or None if there is no witness."""
        return self.folder / self.file.witness.socket if self.file.witness.socket else None

    @property
    def worker_uids(self) -> frozenset[int]:
        """Return who may ask for signatures."""
        return uids_of(self.file.signer.workers)

    @property
    def admin_uids(self) -> frozenset[int]:
        """Return who may unfreeze and revoke."""
        return uids_of(self.file.signer.administrators)

    @property
    def issuers(self) -> tuple[Issuer, ...]:
        """Return the pinned issuers."""
        return tuple(
            Issuer(name=one.name, kind=one.kind, public_key=bytes.fromhex(one.public_key))
            for one in self.file.issuers
        )

    @property
    def networks(self) -> dict[int, Network]:
        """Return every chain that may be signed for, by id."""
        by_name = {network.name: network for network in NETWORKS.values()}
        chosen = [by_name[name] for name in self.file.chains.public]
        chosen += [devnet_network(chain_id) for chain_id in self.file.chains.devnets]
        return {network.chain_id: network for network in chosen}

    def key_file(self, key: KeyTable) -> Path:
        """Return where a key's file lies."""
        return self.folder / key.file


def demand_home(path: Path, settings: SignerSettings) -> None:
    """Refuse to run from files that someone else could change: who writes them pins issuers.

    ``signer.toml``, the key files, the journal and the folders that they lie in must be our own, or the
    superuser's, and writable by nobody else.

    Raises
    ------
    ConfigError
        ``open_to_others`` with the first that is not.
    """
    files = [path, settings.journal, *(settings.key_file(one) for one in settings.file.keys)]
    for file in files:
        for place in (file.parent, file):
            _demand_ours(place)


def _demand_ours(place: Path) -> None:
    try:
        state = place.stat()
    except FileNotFoundError:
        return  # whoever needs it says so; whoever makes it makes it private
    if state.st_uid not in (0, os.geteuid()) or state.st_mode & 0o022:
        raise ConfigError(
            f"others could change {place}, on which the signer relies",
            code="open_to_others",
            found=f"{stat.filemode(state.st_mode)} of user {state.st_uid}",
            allowed=f"of user {os.geteuid()} or 0, and writable by nobody else",
            fix=f"find out who wrote to it; then: chmod go-w {place}, and chown it if it is another's",
        )


def read_signer_settings(path: Path) -> SignerSettings:
    """Read ``signer.toml``.

    Raises
    ------
    ConfigError
        For the first thing that is wrong, with the key, what is allowed, and what to do.
    """
    file = read_table(path, SignerFile, missing="tidegate signer init")
    check_rate(file.signer.rate_per_s)
    for key in file.keys:
        check_source(key.password)
    known = {network.name for network in NETWORKS.values()}
    for name in file.chains.public:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                "chains.public names a chain that the registry does not know",
                code="config_value",
                found=repr(name[:80]),
                allowed=", ".join(sorted(known)),
                fix=f"did you mean {near[0]}?" if near else "a chain of your own belongs into chains.devnets",
            )
    settings = SignerSettings(file, path.absolute().parent)
    # What can only be resolved now is an error of the file, not of the moment when it is first used.
    _ = settings.networks, settings.worker_uids, settings.admin_uids, pinned(settings.issuers)
    return settings


def uids_of(users: Iterable[int | str]) -> frozenset[int]:
    """Return the uids of users; our own if there are none.

    Raises
    ------
    ConfigError
        ``unknown_user`` if the machine has no user of a name.
    """
    uids: set[int] = set()
    for user in users:
        try:
            uids.add(user if isinstance(user, int) else pwd.getpwnam(user).pw_uid)
        except KeyError:
            raise ConfigError(
                f"this machine has no user {user!r}",
                code="unknown_user",
                found=str(user)[:64],
                allowed="a name or uid of /etc/passwd",
                fix=f"useradd --system {user}",
            ) from None
    return frozenset(uids or {os.geteuid()})


def read_table(path: Path, kind: type[_T], *, missing: str) -> _T:
    """Read a TOML file of one form; ``missing`` is the command that writes it."""
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES_MAX + 1)
        if len(raw) > _BYTES_MAX:
            raise ConfigError(f"{path} is too large", found="over 1 MiB", allowed=f"{_BYTES_MAX} bytes")
        return msgspec.convert(tomllib.loads(raw.decode()), kind)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {path}", found="no file", allowed="the file of this process", fix=missing
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can not be read", code="config_syntax", found=str(error)) from None
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path} has something that it can not have",
            code="config_value",
            found=_place(error),
            allowed=_allowed(error, kind),
            fix=f"mend {path.name}; {missing} --show prints one with every key explained",
        ) from None


def _place(error: msgspec.ValidationError) -> str:
    text, _, place = str(error).partition(" - at `$.")
    return f"{place.rstrip('`')}: {text}" if place else text


def _allowed(error: msgspec.ValidationError, kind: type[msgspec.Struct]) -> str:
    """Return the keys of the table in which an unknown key stands, else a general word."""
    if "unknown field" not in str(error):
        return "what the message names"
    tables: dict[str, type[msgspec.Struct]] = {
        "signer": SignerTable,
        "witness": AskTable,
        "chains": ChainsTable,
        "keys[...]": KeyTable,
        "issuers[...]": IssuerTable,
    }
    place = str(error).partition(" - at `$.")[2].rstrip("`")
    table = tables.get(place, kind)
    return ", ".join(field.name for field in msgspec.structs.fields(table))

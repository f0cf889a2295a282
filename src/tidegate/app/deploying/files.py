"""What is written down about a deployment: before anything is sent, and durable.

One file an executor. It holds the construction, the nonce that was taken, and every version that was
signed under it. A second run finds the file and goes on; it never takes another nonce.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tidegate.model import Address, ConfigError, Halted
from tidegate.venues.executor import Construction

_FORMAT = "tidegate-deployment/1"


class Version(msgspec.Struct, frozen=True):
    """One signed form of the creation. All versions share nonce and content; only fees differ."""

    hash: str
    raw: str
    max_fee_wei: int
    max_priority_fee_wei: int


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One executor on its way: ``address`` follows from deployer and nonce.

    ``mined_in`` is the transaction that created it, ``block`` where; empty and 0 until then.
    ``is_confirmed`` once it is as deep as the chain's confirmations and its code was found right.
    """

    chain: str
    chain_id: int
    desk: str
    name: str
    deployer: Address
    nonce: int
    address: Address
    construction: Construction
    gas_limit: int
    versions: tuple[Version, ...]
    mined_in: str = ""
    block: int = 0
    gas_used: int = 0
    is_confirmed: bool = False
    format: str = _FORMAT


class DeploymentFiles:
    """The deployments of one project, in ``<home>/deployments/<chain>/<name>.json``."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "deployments"

    def path(self, chain: str, name: str) -> Path:
        """Return where a deployment's file is."""
        return self._folder / chain / f"{name}.json"

    def read(self, chain: str, name: str) -> Deployment | None:
        """Return a deployment, None if nothing was ever signed for it.

        Raises
        ------
        ConfigError
            If its file can not be read: a person looks, because something may be on its way.
        """
        path = self.path(chain, name)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Deployment)
            if found.format != _FORMAT or (found.chain, found.name) != (chain, name):
                raise msgspec.ValidationError(f"it is {found.format} of {found.name} on {found.chain}")
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"the deployment of {name} on {chain} can not be read",
                code="deployment",
                found=f"{path}: {error}",
                fix="a transaction may be on its way: look for it by the deployer's nonce before "
                "you move the file away",
            ) from error
        return found

    def write(self, deployment: Deployment) -> None:
        """Put a deployment on disk, whole and flushed, before the caller goes on."""
        path = self.path(deployment.chain, deployment.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        with new.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(deployment), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no second process deploy from this home meanwhile.

        Raises
        ------
        Halted
            If one does.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Halted(
                    "another process deploys from this home",
                    code="deployment_locked",
                    found=str(self._folder),
                    fix="wait until it has ended",
                ) from error
            yield

"""``tidegate signer run``: the process that holds the keys, put together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tidegate import __version__
from tidegate.app.signer.settings import SignerSettings
from tidegate.custody import (
    Confinement,
    Door,
    SignerCore,
    SignerRules,
    SignerServer,
    WitnessView,
    confine,
    inherited,
    listen,
)
from tidegate.custody.keys import Curve, KeyFile, Password, SecpKey, read_password
from tidegate.ledger import Journal
from tidegate.model import ConfigError, RecordKind, SystemClock, Unavailable

Report = Callable[[dict[str, Any]], None]


def run_signer(settings: SignerSettings, *, report: Report) -> None:
    """Run until SIGTERM or SIGINT. Keys are opened after the process has given up the network.

    Parameters
    ----------
    report
        Called once with what the process is, when it answers.

    Raises
    ------
    ConfigError, Tampered, Unavailable
        If it can not be confined, a key does not open, or its journal is not whole.
    """
    confinement = confine()
    keys = open_keys(settings)
    clock = SystemClock()
    with contextlib.ExitStack() as resources:
        settings.journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal = resources.enter_context(Journal.open(settings.journal, clock=clock))
        hold_keys(settings, resources)
        facts = _facts(settings, confinement, keys)
        journal.append(RecordKind.SESSION, facts, actor="signer")
        witness = None
        if settings.witness_socket is not None:
            witness = WitnessView(
                settings.witness_socket, age_max_s=settings.file.witness.age_max_s, clock=clock
            )
        core = SignerCore(
            keys=keys,
            journal=journal,
            clock=clock,
            issuers=settings.issuers,
            networks=settings.networks,
            witness=witness,
            rules=SignerRules(
                witness_age_max_s=settings.file.witness.age_max_s, witness_quorum=settings.file.witness.quorum
            ),
        )
        server = SignerServer(core, clock=clock, rate_per_s=settings.file.signer.rate_per_s, witness=witness)
        doors = _doors(settings, resources)
        asyncio.run(_serve(server, doors, witness, lambda: report(facts)))


def open_keys(settings: SignerSettings) -> Mapping[str, SecpKey]:
    """Return the keys of the settings by name, each opened with its password."""
    passwords: dict[str, Password] = {}
    keys: dict[str, SecpKey] = {}
    for table in settings.file.keys:
        file = KeyFile.read(settings.key_file(table))
        name = file.tidegate.name
        if table.password not in passwords:  # a descriptor gives its password once
            passwords[table.password] = read_password(table.password, what=f"key {name}")
        key = file.open(passwords[table.password])
        if not isinstance(key, SecpKey):
            raise ConfigError(
                f"the signer can not use key {name!r} yet",
                code="key_curve",
                found=Curve.ED25519.value,
                allowed=Curve.SECP256K1.value,
                fix="leave it out of signer.toml until a desk on Solana is there",
            )
        if name in keys:
            raise ConfigError(f"two keys are named {name!r}", code="key_name", fix="name each key once")
        keys[name] = key
    return keys


def hold_keys(settings: SignerSettings, resources: contextlib.ExitStack) -> None:
    """Keep every other signer of this machine away from our keys for as long as we run.

    The journal's lease keeps a second process from the journal. A second process with another journal
    knows nothing of what we signed: it would give every limit again, and other content under our nonces.

    Raises
    ------
    Unavailable
        ``key_in_use`` if another signer has one of them.
    """
    for table in settings.file.keys:
        path = settings.key_file(table)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        resources.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"another signer holds the key of {path}",
                code="key_in_use",
                found="a running signer, with a journal of its own",
                allowed="one signer a key: its journal is the memory of limits and nonces",
                fix="stop that process; give each signer keys of its own",
            ) from None


async def _serve(
    server: SignerServer, doors: list[Door], witness: WitnessView | None, ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, server.stop)
    renewing = None if witness is None else loop.create_task(witness.keep_fresh())
    try:
        loop.call_soon(ready)
        loop.call_soon(tell_manager, "READY=1")
        await server.serve(doors)
    finally:
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)


def tell_manager(state: str) -> None:
    """Tell systemd, if it started us, how we are (sd_notify)."""
    place = os.environ.get("NOTIFY_SOCKET")
    if not place:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), "\0" + place[1:] if place.startswith("@") else place)


def _doors(settings: SignerSettings, resources: contextlib.ExitStack) -> list[Door]:
    def listening(name: str, path: Path) -> socket.socket:
        handed = inherited(name)
        if handed is not None:
            return handed
        listener = listen(path)
        resources.callback(path.unlink, missing_ok=True)
        return listener

    return [
        Door(listening("worker", settings.socket), settings.worker_uids, is_admin=False),
        Door(listening("admin", settings.admin_socket), settings.admin_uids, is_admin=True),
    ]


def _facts(settings: SignerSettings, confinement: Confinement, keys: Mapping[str, SecpKey]) -> dict[str, Any]:
    return {
        "process": "signer",
        "version": __version__,
        "pid": os.getpid(),
        "uid": os.geteuid(),
        "network": confinement.network,
        "keys": {name: key.address for name, key in keys.items()},
        "issuers": {one.name: one.key_id for one in settings.issuers},
        "chains": sorted(settings.networks),
        "worker_uids": sorted(settings.worker_uids),
        "admin_uids": sorted(settings.admin_uids),
        "socket": str(settings.socket),
        "witness": str(settings.witness_socket or ""),
    }

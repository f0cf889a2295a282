"""Keys and the signer: files that only their owner reads, a process that answers, time that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tidegate.app.config import LoadedConfig
from tidegate.app.findings import Finding, examine
from tidegate.custody import SignerConnection
from tidegate.custody.keys import read_key_files
from tidegate.model import Clock, ConfigError, Halted, Stage, Unavailable

_LIVE = frozenset({Stage.CANARY, Stage.PRODUCTION})
_SOON_S = 3_600


def look_at_custody(loaded: LoadedConfig, home: Path, clock: Clock) -> list[Finding]:
    """Return how key files and the signer stand."""
    checks: dict[str, Callable[[], str]] = {
        "keys": lambda: _keys(home / "keys"),
        "signer": lambda: _signer(loaded, home, clock),
    }
    return examine(checks)


def _keys(folder: Path) -> str:
    names = []
    for path, file in read_key_files(folder) if folder.exists() else ():
        if isinstance(file, ConfigError):
            raise file
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigError(
                f"others may read {path}", found=f"mode {mode:o}", allowed="600", fix=f"chmod 600 {path}"
            )
        names.append(f"{file.tidegate.name} ({file.tidegate.kind.value.replace('_', '-')})")
    return ", ".join(names) or f"none in {folder}"


def _signer(loaded: LoadedConfig, home: Path, clock: Clock) -> str:
    config, stage = loaded.config.signer, loaded.config.run.stage
    socket = Path(config.socket) if config.socket else home / "signer" / "signer.sock"
    if not socket.exists():
        if stage not in _LIVE:
            return f"none runs; stage {stage.value} needs none"
        raise Unavailable(
            f"stage {stage.value} signs in the signer process, and none runs",
            found=f"no socket at {socket}",
            fix="tidegate signer init, then tidegate signer run",
        )
    return asyncio.run(_ask(socket, clock))


async def _ask(socket: Path, clock: Clock) -> str:
    async with SignerConnection(socket) as signer:
        status = await signer.status()
    if status.is_frozen:
        raise Halted(
            "the signer is frozen",
            found=status.freeze_reason,
            fix="find out why, then: tidegate signer unfreeze",
        )
    now_s = clock.now_ms() // 1000
    ending = [one for one in status.capabilities if not one.is_revoked and one.expires_at - now_s < _SOON_S]
    if ending:
        raise Unavailable(
            "a capability ends soon",
            found=f"{ending[0].desk} on chain {ending[0].chain_id}: {ending[0].expires_at - now_s} s left",
            allowed=f"at least {_SOON_S} s",
            fix="have it renewed and load it: tidegate signer load FILE",
        )
    names = ", ".join(key.name for key in status.keys) or "no key"
    count = len(status.capabilities)
    return f"holds {names}; {count} {'capability' if count == 1 else 'capabilities'}"

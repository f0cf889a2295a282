"""Devnets kept on disk, so that the second start only loads a file.

An entry's name covers everything that its content follows from: the spec, the canonical
contracts, our builds, the node's program, and the sources that deploy. A damaged entry is built again.
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tidegate import venues
from tidegate.app.devnet import build
from tidegate.app.devnet.book import address_book
from tidegate.app.devnet.devnet import Devnet
from tidegate.app.devnet.spec import DevnetSpec
from tidegate.chain import Connection
from tidegate.model import digest, sha256_hex
from tidegate.sim import Artifacts, ExactWorld, anvil_binary, cache_dir, compile_contract
from tidegate.venues import AddressBook

_ENTRIES_KEPT = 8


@dataclass(frozen=True, slots=True)
class CachedDevnet:
    """A devnet on disk.

    Attributes
    ----------
    book
        Its address book, with the hash of each contract's code.
    world_file
        What ``ExactWorld.load`` reads.
    state_file
        The same chain as ``anvil --load-state`` reads it.
    height, timestamp_s
        Number and time of its newest block.
    was_built
        Whether this call had to build it.
    """

    devnet: Devnet
    book: AddressBook
    world_file: Path
    state_file: Path
    height: int
    timestamp_s: int
    was_built: bool


def cached_devnet(spec: DevnetSpec | None = None) -> CachedDevnet:
    """Return the devnet of ``spec`` from the cache, built there first if it is missing or damaged.

    Raises
    ------
    Unavailable
        If the npm packages are missing and nothing is cached for them.
    """
    spec = spec or DevnetSpec()
    artifacts = Artifacts.load()
    folder = cache_dir() / "devnet" / _key(spec, artifacts)
    found = _read(folder)
    entry = found or _build(spec, artifacts, folder)
    return CachedDevnet(
        devnet=entry.devnet,
        book=entry.book,
        world_file=folder / entry.world,
        state_file=folder / entry.state,
        height=entry.height,
        timestamp_s=entry.timestamp_s,
        was_built=found is None,
    )


def start_devnet(
    spec: DevnetSpec | None = None,
    *,
    block_time_s: int = 12,
    mining: str = "auto",
    order: str = "fifo",
) -> tuple[ExactWorld, Devnet]:
    """Start a node of our own that holds the devnet of ``spec``. The caller closes it.

    Parameters
    ----------
    block_time_s, mining, order
        As ``ExactWorld`` takes them.
    """
    spec = spec or DevnetSpec()
    cached = cached_devnet(spec)
    world = ExactWorld(chain_id=spec.chain_id, block_time_s=block_time_s, mining=mining, order=order)
    try:
        world.load(cached.world_file)
    except BaseException:
        world.close()
        raise
    return world, cached.devnet


class _Entry(msgspec.Struct, frozen=True):
    """Where the files are. Their names end in their SHA-256, so two builders can not mix theirs."""

    devnet: Devnet
    book: AddressBook
    world: str
    state: str
    height: int
    timestamp_s: int


def _read(folder: Path) -> _Entry | None:
    try:
        entry = msgspec.json.decode((folder / "devnet.json").read_bytes(), type=_Entry)
        whole = all(
            name.endswith(sha256_hex((folder / name).read_bytes())) for name in (entry.world, entry.state)
        )
    except (OSError, msgspec.DecodeError):
        return None
    if not whole:
        return None
    folder.touch()  # those used last are kept longest
    return entry


def _build(spec: DevnetSpec, artifacts: Artifacts, folder: Path) -> _Entry:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch, ExactWorld(chain_id=spec.chain_id) as world:
        devnet = build.build_devnet(world, spec, artifacts=artifacts)
        saved, state = Path(scratch, "world"), Path(scratch, "state")
        world.save(saved)
        state.write_bytes(_dump(world))
        head = world.block()
        entry = _Entry(
            devnet=devnet,
            book=address_book(devnet, world),
            world=_keep(saved, folder),
            state=_keep(state, folder),
            height=head.number,
            timestamp_s=head.timestamp,
        )
        index = Path(scratch, "devnet.json")
        index.write_bytes(msgspec.json.encode(entry))
        index.replace(folder / "devnet.json")  # last: an entry is whole or not there
    _prune(folder)
    return entry


def _prune(newest: Path) -> None:
    entries = sorted(newest.parent.iterdir(), key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
    for old in entries[_ENTRIES_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _dump(world: ExactWorld) -> bytes:
    node = Connection(world.url)
    try:
        return gzip.decompress(bytes.fromhex(node.request("anvil_dumpState").removeprefix("0x")))
    finally:
        node.close()


def _keep(file: Path, folder: Path) -> str:
    name = f"{file.name}-{sha256_hex(file.read_bytes())}"
    file.replace(folder / name)
    return name


def _key(spec: DevnetSpec, artifacts: Artifacts) -> str:
    program = anvil_binary().stat()
    folders = (Path(build.__file__).parent, Path(venues.__file__).parent)
    sources = sorted(path for folder in folders for path in folder.rglob("*.py"))
    parts = {
        "spec": spec.digest,
        "artifacts": {name: item.initcode_keccak.hex() for name, item in artifacts.items()},
        "builds": {name: sha256_hex(compile_contract(name).initcode) for name in build.CONTRACTS},
        "node": [program.st_size, program.st_mtime_ns],
        "sources": [[path.name, sha256_hex(path.read_bytes())] for path in sources],
    }
    return digest(parts)[:32]

"""A tape and its file: a header, codes once, and for each block what changed since the one before.

The same blocks and the same questions give the same bytes: everything is sorted, nothing tells the time
or the machine. The file's first line is its form, its second the SHA-256 of all that follows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from tidegate.chain import keccak256
from tidegate.model import Address, Block, ConfigError, Tampered, sha256_hex
from tidegate.sim.cache import write_atomically

SCHEMA = 1
_MAGIC = b"tidegate tape\n"
_DIGEST_LENGTH = 64

Slot: TypeAlias = tuple[str, int]
"""An account in lower case, and the number of one of its storage words."""


class AccountValue(msgspec.Struct, frozen=True):
    """What an account is at a block; ``code_hash`` is a keccak, empty where there is no code."""

    nonce: int
    balance_wei: int
    code_hash: bytes


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """What a plan made at a block costs in the exact world, in gas: paid, and the least limit it needs."""

    subject: str
    gas_used: int
    gas_needed: int


class TapeState(msgspec.Struct, frozen=True):
    """Everything that a tape knows at one block."""

    accounts: dict[str, AccountValue]
    slots: dict[Slot, int]


class TapeBlock(msgspec.Struct, frozen=True):
    """A block: its environment, and what differs from the block before or is known from here on."""

    block: Block
    accounts: dict[str, AccountValue]
    slots: dict[Slot, int]
    measured: tuple[Measured, ...] = ()


class Tape(msgspec.Struct, frozen=True):
    """States of one chain over a span of blocks without gaps.

    ``about`` is whatever the recorder's owner needs to read it: names, strategies, where it comes from.
    ``codes`` holds runtime code by its keccak.
    """

    chain_id: int
    block_time_s: int
    about: dict[str, Any]
    codes: dict[bytes, bytes]
    blocks: tuple[TapeBlock, ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the whole tape, in hex."""
        return sha256_hex(self._payload())

    def states(self) -> Iterator[tuple[Block, TapeState]]:
        """Yield each block with everything that is known at it; the dictionaries are the caller's own."""
        accounts: dict[str, AccountValue] = {}
        slots: dict[Slot, int] = {}
        for one in self.blocks:
            accounts, slots = {**accounts, **one.accounts}, {**slots, **one.slots}
            yield one.block, TapeState(accounts, slots)

    def save(self, path: Path) -> str:
        """Write the tape at once, whole or not at all, and return its digest. Raises as ``demand_place``."""
        self.demand_place(path)
        payload = self._payload()
        digest = sha256_hex(payload)
        write_atomically(path, _MAGIC + digest.encode() + b"\n" + payload)
        return digest

    @staticmethod
    def demand_place(path: Path) -> None:
        """Demand that a tape can be written there, before the hours that it takes to record one.

        What is there and is no regular file is refused: to put a file in its place would take a folder or a
        device away.

        Raises
        ------
        ConfigError
            ``tape_place`` if it is a folder, a device or the like, or no file can be made there.
        """
        try:
            if not _is_file_or_nothing(path):
                raise _no_place(path, "something that is not a regular file")
            folder = next(one for one in path.absolute().parents if one.exists())
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise _no_place(path, getattr(error, "strerror", None) or str(error)) from error
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise _no_place(path, f"{folder} is no folder that this user may write")

    @classmethod
    def load(cls, path: Path) -> Tape:
        """Read a tape back.

        Raises
        ------
        ConfigError
            If there is no such file, or it is no tape, or one of a newer release.
        Tampered
            If its bytes do not give its digest.
        """
        try:
            stored = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"there is no tape {path}",
                code="no_tape",
                found=error.strerror or type(error).__name__,
                fix="tidegate backtest record writes one",
            ) from error
        digest, payload = _parts(stored, path)
        if sha256_hex(payload) != digest:
            raise Tampered(
                f"the tape {path} is not as it was written",
                code="tape_digest",
                found=sha256_hex(payload),
                allowed=digest,
                fix="record it again, or take it from a backup",
            )
        return _of_wire(msgspec.msgpack.decode(payload, type=_Wire))

    def _payload(self) -> bytes:
        return msgspec.msgpack.encode(_Wire(SCHEMA, _header(self), _codes(self), _blocks(self)))


def _is_file_or_nothing(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return not path.is_symlink()  # a link that leads nowhere may lead somewhere later


def _no_place(path: Path, found: str) -> ConfigError:
    return ConfigError(
        f"a tape can not be written to {str(path)[:200]}",
        code="tape_place",
        found=found,
        allowed="a new file, or an older tape, in a folder that this user may write",
        fix="name another file",
    )


class _WireHeader(msgspec.Struct, frozen=True):
    chain_id: int
    block_time_s: int
    first_block: int
    blocks: int
    about: bytes


class _WireBlock(msgspec.Struct, frozen=True, array_like=True):
    number: int
    timestamp: int
    base_fee_wei: int
    gas_limit: int
    hash: bytes
    coinbase: str
    prevrandao: bytes
    accounts: list[tuple[bytes, int, bytes, bytes]]
    slots: list[tuple[bytes, bytes, bytes]]
    measured: tuple[Measured, ...]


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    schema: int
    header: _WireHeader
    codes: list[bytes]
    blocks: list[_WireBlock]


def _parts(stored: bytes, path: Path) -> tuple[str, bytes]:
    """Return digest and payload of a file that is a tape of this release's form."""
    head = len(_MAGIC) + _DIGEST_LENGTH + 1
    payload = stored[head:]
    if not stored.startswith(_MAGIC) or len(payload) < 2:
        raise ConfigError(
            f"{path} is no tape",
            code="no_tape",
            found=f"{len(stored)} bytes of something else",
            allowed="a file that `tidegate backtest record` wrote",
        )
    digest = stored[len(_MAGIC) : head - 1].decode("ascii", "replace")
    # The first element of the outer array; everything else may have another form in another release.
    if sha256_hex(payload) == digest and payload[1] != SCHEMA:
        raise ConfigError(
            f"the tape {path} was written by another release",
            code="tape_schema",
            found=f"schema {payload[1]}",
            allowed=f"schema {SCHEMA}",
            fix="read it with that release, or record it again",
        )
    return digest, payload


def _header(tape: Tape) -> _WireHeader:
    about = msgspec.json.encode(tape.about, order="sorted")
    first = tape.blocks[0].block.number if tape.blocks else 0
    return _WireHeader(tape.chain_id, tape.block_time_s, first, len(tape.blocks), about)


def _codes(tape: Tape) -> list[bytes]:
    return [tape.codes[known] for known in sorted(tape.codes)]


def _blocks(tape: Tape) -> list[_WireBlock]:
    return [
        _WireBlock(
            number=one.block.number,
            timestamp=one.block.timestamp,
            base_fee_wei=one.block.base_fee_wei,
            gas_limit=one.block.gas_limit,
            hash=one.block.hash,
            coinbase=one.block.coinbase,
            prevrandao=one.block.prevrandao,
            accounts=[
                (bytes.fromhex(account[2:]), held.nonce, _octets(held.balance_wei), held.code_hash)
                for account, held in sorted(one.accounts.items())
            ],
            slots=[
                (bytes.fromhex(account[2:]), _octets(slot), _octets(word))
                for (account, slot), word in sorted(one.slots.items())
            ],
            measured=tuple(sorted(one.measured, key=lambda item: item.subject)),
        )
        for one in tape.blocks
    ]


def _of_wire(wire: _Wire) -> Tape:
    return Tape(
        chain_id=wire.header.chain_id,
        block_time_s=wire.header.block_time_s,
        about=msgspec.json.decode(wire.header.about),
        codes={keccak256(code): code for code in wire.codes},
        blocks=tuple(
            TapeBlock(
                block=Block(
                    number=one.number,
                    timestamp=one.timestamp,
                    base_fee_wei=one.base_fee_wei,
                    gas_limit=one.gas_limit,
                    hash=one.hash,
                    coinbase=Address(one.coinbase),
                    prevrandao=one.prevrandao,
                ),
                accounts={
                    "0x" + account.hex(): AccountValue(nonce, int.from_bytes(balance), code_hash)
                    for account, nonce, balance, code_hash in one.accounts
                },
                slots={
                    ("0x" + account.hex(), int.from_bytes(slot)): int.from_bytes(word)
                    for account, slot, word in one.slots
                },
                measured=one.measured,
            )
            for one in wire.blocks
        ),
    )


def _octets(value: int) -> bytes:
    """Return an unsigned integer as the fewest bytes, none for zero."""
    return value.to_bytes((value.bit_length() + 7) // 8)

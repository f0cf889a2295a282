"""Fast worlds of a tape. What a tape does not hold is refused by name, never taken for zero."""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Self

from tidegate.chain import Abi
from tidegate.model import Address, Block, Receipt, TidegateError, Unavailable
from tidegate.sim.fast import FastWorld
from tidegate.sim.fastaccounts import CodeShelf
from tidegate.sim.tape.tape import Tape, TapeState
from tidegate.sim.touched import Held, Touched, put_under

NOT_ON_TAPE = "not_on_tape"
_KEPT = 16
_NAMES_SHOWN = 3


class TapeWorld(FastWorld):
    """A fast world that holds what a tape knows at one block. ``TapeWorlds.at`` makes them.

    The engine is told to fetch what it lacks from a port that nobody can listen on: a read of anything
    else fails at once, inside the very call that makes it, as ``Unavailable`` with ``not_on_tape``.
    """

    def __init__(
        self, tape: Tape, block: Block, state: TapeState, *, shelf: CodeShelf, nowhere: str | None
    ) -> None:
        super().__init__(
            chain_id=tape.chain_id,
            block=block,
            block_time_s=tape.block_time_s,
            shelf=shelf,
            fork_url=nowhere,
        )
        self._tape, self._state, self._pinned = tape, state, block
        self._asked: Callable[[FastWorld], object] | None = None
        accounts = {
            account: Held(held.balance_wei, held.nonce, tape.codes[held.code_hash] if held.code_hash else b"")
            for account, held in state.accounts.items()
        }
        put_under(self._evm, shelf, accounts, state.slots)

    def simulate(self, to: Address, data: bytes, sender: Address, value: int = 0) -> bytes:
        """Return what the call returns, changing nothing. Raises as a fast world does, or ``not_on_tape``."""
        self._asked = lambda world: world.simulate(to, data, sender, value)
        return super().simulate(to, data, sender, value)

    def transact(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Do one transaction in a block of its own. Raises as ``simulate`` does."""
        self._asked = lambda world: world.transact(to, data, sender=sender, value=value, gas_limit=gas_limit)
        return super().transact(to, data, sender=sender, value=value, gas_limit=gas_limit)

    def run_last(
        self,
        to: Address,
        data: bytes = b"",
        *,
        sender: Address,
        value: int = 0,
        gas_limit: int | None = None,
    ) -> Receipt:
        """Do one transaction as the last of the block, undone. Raises as ``simulate`` does."""
        self._asked = lambda world: world.run_last(to, data, sender=sender, value=value, gas_limit=gas_limit)
        return super().run_last(to, data, sender=sender, value=value, gas_limit=gas_limit)

    def _failure(self, error: BaseException) -> BaseException:
        failure = super()._failure(error)
        if not isinstance(failure, Unavailable) or failure.code != "fork_lost":
            return failure
        missing = list(self._missing())
        shown = ", ".join(missing[:_NAMES_SHOWN]) or "an account or slot that was asked for directly"
        more = f" and {len(missing) - _NAMES_SHOWN} more" if len(missing) > _NAMES_SHOWN else ""
        return Unavailable(
            f"block {self._pinned.number} of the tape does not hold what was read",
            code=NOT_ON_TAPE,
            found=shown + more,
            allowed="what was read while the tape was recorded",
            fix="record a tape with these strategies and blinds: tidegate backtest record",
        )

    def _missing(self) -> Iterator[str]:
        """Name what the call that failed would read and the tape lacks: it is run again, with zeros."""
        if self._asked is None:
            return
        world = TapeWorld(self._tape, self._pinned, self._state, shelf=CodeShelf(), nowhere=None)
        with suppress(TidegateError):  # with zeros it may well revert; what it read is what is asked for
            self._asked(world)
        read = Touched(entries_max=None)
        read.learn_all(world._evm)
        yield from (f"account {one}" for one in sorted(read.accounts - self._state.accounts.keys()))
        yield from (
            f"slot {hex(slot)} of {account}"
            for account, slot in sorted(read.slots - self._state.slots.keys())
        )


class TapeWorlds:
    """Makes worlds from the blocks of a tape, oldest first as cheap as it gets, and keeps the newest few."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._shelf = CodeShelf()
        self._abis: list[Abi] = []
        self._worlds: OrderedDict[int, TapeWorld] = OrderedDict()
        self._known: OrderedDict[int, tuple[Block, TapeState]] = OrderedDict()
        self._states = tape.states()
        # Bound and never listened on, and nobody else can take it while we hold it.
        self._nowhere = socket.socket()
        self._nowhere.bind(("127.0.0.1", 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def register_abi(self, abi: Abi) -> None:
        """Let custom errors of ``abi`` be decoded in worlds made from now on."""
        self._abis.append(abi)

    def at(self, number: int) -> TapeWorld:
        """Return the world at a block: the kept one unless it was changed or failed.

        Raises
        ------
        Unavailable
            ``block_missing`` if the tape does not have the block.
        """
        world = self._worlds.pop(number, None)
        if world is None or world.is_closed or world.is_changed:
            block, state = self._state(number)
            url = f"http://127.0.0.1:{self._nowhere.getsockname()[1]}"
            world = TapeWorld(self._tape, block, state, shelf=self._shelf, nowhere=url)
            for abi in self._abis:
                world.register_abi(abi)
        self._worlds[number] = world
        while len(self._worlds) > _KEPT:
            self._worlds.popitem(last=False)
        return world

    def close(self) -> None:
        """Forget the worlds."""
        self._worlds.clear()
        self._nowhere.close()

    def _state(self, number: int) -> tuple[Block, TapeState]:
        blocks = self._tape.blocks
        first, last = (blocks[0].block.number, blocks[-1].block.number) if blocks else (0, -1)
        if not first <= number <= last:
            raise Unavailable(
                "the tape has no such block",
                code="block_missing",
                found=str(number),
                allowed=f"{first} to {last}" if blocks else "none: the tape is empty",
            )
        if self._known and number < next(iter(self._known)):
            self._known.clear()
            self._states = self._tape.states()
        while number not in self._known:
            block, state = next(self._states)
            self._known[block.number] = (block, state)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[number]

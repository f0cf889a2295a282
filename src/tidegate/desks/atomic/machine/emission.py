"""Where operations gather while a strategy is compiled: frames, tags, and what each tag means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tidegate.desks.atomic.machine.registers import RegisterPool
from tidegate.model import Address, ConfigError, SourcePosition, Step
from tidegate.venues import Token
from tidegate.venues.executor import TAG_MAX, Load, Op


@dataclass(slots=True)
class Frame:
    """The top level or one flash scope: approvals must end at zero in each, and know their steps."""

    ops: list[Op] = field(default_factory=list)
    approved: dict[tuple[Address, Address], str] = field(default_factory=dict)


class Emission:
    """Collects operations in the innermost frame and gives each its tag, unique in the program."""

    def __init__(self) -> None:
        self.registers = RegisterPool()
        self.steps: list[Step] = []
        self._frames = [Frame()]

    @property
    def frame(self) -> Frame:
        """Return the frame that operations go to now."""
        return self._frames[-1]

    def emit(self, step_id: str, label: str, target: Address, build: Callable[[int], Op]) -> Op:
        """Append the operation that ``build`` makes of its tag, and name the tag.

        Raises
        ------
        ConfigError
            ATM116 if there are no tags left.
        """
        tag = len(self.steps)
        if tag > TAG_MAX:
            raise ConfigError(
                "the strategy has too many operations",
                code="ATM116",
                found=f"{tag + 1} operations",
                allowed=f"at most {TAG_MAX + 1}",
                fix="split the strategy",
            )
        self.steps.append(Step(tag=tag, step_id=step_id, label=label, target=target))
        op = build(tag)
        self.frame.ops.append(op)
        return op

    def literal(self, value: int, step_id: str, executor: Address) -> int:
        """Return a register that holds ``value``, held once more; load it if none does."""
        found = self.registers.find_literal(value)
        if found is not None:
            self.registers.hold(found)
            return found
        register = self.registers.take()
        self.registers.remember_literal(register, value)
        self.emit(step_id, "load an amount", executor, lambda tag: Load.literal(tag, register, value))
        return register

    @contextmanager
    def scope(self) -> Iterator[Frame]:
        """Collect in a frame of its own until the ``with`` ends."""
        self._frames.append(Frame())
        try:
            yield self.frame
        finally:
            self._frames.pop()

    def approve_once(
        self, token: Token, spender: Address, spender_name: str, step_id: str, position: SourcePosition
    ) -> None:
        """Note an approval of this frame.

        Raises
        ------
        ConfigError
            ATM117 at the second one of the same pair: the first would be overwritten.
        """
        pair = (token.address, spender)
        if (first := self.frame.approved.get(pair)) is not None:
            raise ConfigError(
                "a second approval of one token to one spender in the same scope",
                code="ATM117",
                found=f"{step_id} lets {spender_name} take {token.symbol}, as {first} does",
                allowed="one in each scope",
                fix="make one swap of it, or put the second step into a scope of its own",
                position=position,
            )
        self.frame.approved[pair] = step_id

"""Which of the executor's sixteen registers holds what, and until when."""

from __future__ import annotations

from tidegate.model import ConfigError
from tidegate.venues.executor import REGISTERS_MAX


class RegisterPool:
    """Hands out the lowest free register and takes it back after its last use.

    A register has one holder per use that is still to come. Literals that are in a register at
    the moment can be found again, so that one number is loaded once.
    """

    def __init__(self) -> None:
        self._holders: dict[int, int] = {}
        self._literals: dict[int, int] = {}
        self.peak = 0

    @property
    def live(self) -> int:
        """Return how many registers are in use now."""
        return len(self._holders)

    def take(self, holders: int = 1) -> int:
        """Return a free register, in use until ``release`` was called ``holders`` times.

        Raises
        ------
        ConfigError
            ATM115 if all sixteen are in use.
        """
        free = next((index for index in range(REGISTERS_MAX) if index not in self._holders), None)
        if free is None:
            raise ConfigError(
                "too many values are needed at the same time",
                code="ATM115",
                found=f"{REGISTERS_MAX + 1} live registers",
                allowed=f"at most {REGISTERS_MAX}",
                fix="use outputs soon after the step that gives them, or split the strategy",
            )
        self._holders[free] = holders
        self.peak = max(self.peak, free + 1)
        return free

    def hold(self, register: int, holders: int = 1) -> None:
        """Keep a register that is in use for ``holders`` more uses."""
        self._holders[register] += holders

    def release(self, register: int) -> None:
        """Note one use; the register is free after the last."""
        self._holders[register] -= 1
        if self._holders[register] == 0:
            del self._holders[register]
            self._literals.pop(register, None)

    def remember_literal(self, register: int, value: int) -> None:
        """Note that ``register`` holds a number that is known."""
        self._literals[register] = value

    def find_literal(self, value: int) -> int | None:
        """Return a register in use that holds ``value``, if one does."""
        return next((register for register, held in self._literals.items() if held == value), None)

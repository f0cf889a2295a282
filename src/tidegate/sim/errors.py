"""What a world says when a call or transaction does not go through."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from tidegate.model import Receipt, Revert, TidegateError


class WorldReverted(TidegateError):
    """The EVM undid what was asked.

    Decoding waits until someone asks why: a search that reads ``data`` itself never pays for it.

    Parameters
    ----------
    decode
        Gives the decoded revert.
    data
        The revert data as it came; empty for a halt.
    receipt
        The receipt (status 0) if a transaction was included.
    """

    default_code = "reverted"

    def __init__(
        self, decode: Callable[[], Revert], data: bytes = b"", receipt: Receipt | None = None
    ) -> None:
        super().__init__("")
        self._decode = decode
        self.data = data
        self.receipt = receipt

    @cached_property
    def revert(self) -> Revert:
        """Return why, decoded with the ABIs that the world knows (``register_abi``)."""
        return self._decode()

    @property
    def message(self) -> str:
        """Return the revert in one line."""
        return f"reverted: {self.revert}"

    @message.setter
    def message(self, _: str) -> None:
        """Leave it to the revert: the base class would set what is not decoded yet."""


def halted(reason: str) -> Revert:
    """Return an abnormal end by one name for both engines, which word it differently."""
    plain = reason.lower().replace(" ", "").replace("_", "")
    name = next((name for begins, name in _HALTS.items() if begins in plain), reason)
    return Revert(kind="halt", name=name)


_HALTS = {
    "outofgas": "out_of_gas",
    "invalidopcode": "invalid_opcode",
    "invalidfeopcode": "invalid_opcode",
    "opcodenotfound": "invalid_opcode",
    "invalidjump": "invalid_jump",
    "stackunderflow": "stack_underflow",
    "stackoverflow": "stack_overflow",
    # Too long, or beginning with 0xEF: pyrevm does not tell these apart.
    "createcontractsizelimit": "code_refused",
    "createcontractstartingwithef": "code_refused",
}

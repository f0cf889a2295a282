"""What a world says when a call or transaction does not go through."""

from __future__ import annotations

from tidegate.model import Receipt, Revert, TidegateError


class WorldReverted(TidegateError):
    """The EVM undid what was asked.

    Parameters
    ----------
    revert
        Why, decoded with the ABIs that the world knows (``register_abi``).
    data
        The revert data as it came; empty for a halt.
    receipt
        The receipt (status 0) if a transaction was included.
    """

    default_code = "reverted"

    def __init__(self, revert: Revert, data: bytes = b"", receipt: Receipt | None = None) -> None:
        super().__init__(f"reverted: {revert}")
        self.revert = revert
        self.data = data
        self.receipt = receipt


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

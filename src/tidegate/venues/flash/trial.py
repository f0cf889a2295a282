"""Whether a lender does lend: the executor simulates a loan that ends as soon as the money is there.

A failed run does not say whose fault it was: a lender that has nothing to give and one that was not paid
back can answer with the same words. This loan has one step, which always fails. If the executor reports
that step, the lender gave the amount for an acceptable fee; if not, its own answer says why.
"""

from __future__ import annotations

from tidegate.model import Address, TidegateError
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Check,
    Comparison,
    Flash,
    FlashKind,
    Glossary,
    Line,
    Load,
    Program,
    assemble,
    decode_error,
    encode_simulate,
)
from tidegate.venues.executor.errors import NO_NAMES
from tidegate.venues.view import StateView

_LOAN, _STOP = 1, 2
_ANY_LOSS = -(2**255)
_ANY_BASE_FEE = 2**48 - 1


def refusal_of(
    kind: FlashKind,
    lender: Address,
    asset: Address,
    amount: int,
    view: StateView,
    *,
    side: int = 0,
    executor: Address,
    operator: Address,
    chain_id: int,
    max_fee: int,
    glossary: Glossary = NO_NAMES,
) -> str | None:
    """Return why a lender does not lend ``amount`` for at most ``max_fee``; None if it does.

    Parameters
    ----------
    amount
        In base units, at least 1.
    executor, operator
        Who borrows, and an account that may have it simulate.

    Raises
    ------
    TidegateError
        As ``view.call`` does, if the node can not be asked.
    """
    program = Program(
        chain_id=chain_id,
        deadline=view.block().timestamp + 1,
        max_base_fee=_ANY_BASE_FEE,
        registers=1,
        lines=(Line(asset, _ANY_LOSS),),
        ops=(
            Load.literal(0, 0, amount),
            Flash(
                tag=_LOAN,
                kind=kind,
                lender=lender,
                token=asset,
                amount_register=0,
                ops=(Check(_STOP, Comparison.AT_MOST, 0),),  # an amount of at most 0
                side=side,
                max_fee=max_fee,
            ),
        ),
    )
    try:
        view.call(executor, encode_simulate(assemble(program)), sender=operator)
    except WorldReverted as error:
        explained = decode_error(error.data, glossary=glossary)
        return None if explained.tag == _STOP else str(explained)
    raise TidegateError("simulate returned: that is not our executor", found=executor)

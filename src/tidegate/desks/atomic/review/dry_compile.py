"""A trial compilation without a chain: stand-in addresses, open limits, nothing kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidegate.chain import address, keccak256
from tidegate.desks.atomic.language.findings import Finding
from tidegate.desks.atomic.language.syntax import ActionStep, FlashStep, Strategy, Word, parts, walk
from tidegate.desks.atomic.machine.compiler import QuoteProgram, compile_quote
from tidegate.desks.atomic.machine.terms import Loan, Quote
from tidegate.desks.atomic.review.trial import trial_blinds
from tidegate.model import Address, ConfigError
from tidegate.venues import AddressBook, Entry, InputType, Token, catalogue
from tidegate.venues.executor import FlashKind, ProgramRefused

_DEADLINE_S = 2**40 - 1


def compile_dry(strategy: Strategy, decimals_of: Mapping[str, int]) -> tuple[Finding, ...]:
    """Return what the compiler refuses: ATM115, ATM116, ATM117 and whatever else it alone can see.

    On-chain checks of guards are left out: they need a chain. They are few and small.
    """
    try:
        trial_program(strategy, decimals_of)
    except ConfigError as error:
        return (Finding.of(error, strategy.at("steps")),)
    except ProgramRefused as refused:
        return (
            Finding(
                "ATM116",
                strategy.at("steps"),
                f"the program is beyond a limit of the executor: {refused.rule}",
                refused.found,
                refused.allowed,
                "split the strategy",
            ),
        )
    return ()


def trial_program(strategy: Strategy, decimals_of: Mapping[str, int]) -> QuoteProgram:
    """Return the program as it would be but for addresses, limits and the checks of guards.

    Raises
    ------
    ConfigError, ProgramRefused
        As ``compile_quote`` does.
    """
    loans = {
        step.id: Loan(lender_name="lender", kind=FlashKind.AAVE_V3, lender=_stand_in("lender"))
        for step in walk(strategy.steps)
        if isinstance(step, FlashStep)
    }
    book, blinds = _trial_book(strategy, decimals_of), trial_blinds(strategy)
    return compile_quote(strategy, book, blinds, Quote(loans=loans, deadline_s=_DEADLINE_S), watch=())


def _trial_book(strategy: Strategy, decimals_of: Mapping[str, int]) -> AddressBook:
    contracts = {
        f"executor.{strategy.executor}",
        "treasury",
        *strategy.addresses,
        *(spec.target for spec in catalogue().values()),
        *_called(strategy),
    }
    return AddressBook(
        chain=strategy.chain,
        chain_id=1,
        tokens={name: Token(name, _stand_in(name), decimals) for name, decimals in decimals_of.items()},
        contracts={name: Entry(name, _stand_in(name)) for name in sorted(contracts)},
    )


def _called(strategy: Strategy) -> Iterator[str]:
    """Yield the contracts that steps name, or leave to the default of their action."""
    for step in walk(strategy.steps):
        if not isinstance(step, ActionStep):
            continue
        spec = catalogue().get(step.use)
        if spec is None:  # a raw call: any word of it may be a contract
            words = (part for value in step.inputs.values() for part in parts(value))
            yield from (part.text for part in words if isinstance(part, Word))
            continue
        for item in spec.inputs.values():
            if item.type is InputType.CONTRACT:
                written = step.inputs.get(item.name)
                yield written.text if isinstance(written, Word) else str(item.default)


def _stand_in(name: str) -> Address:
    return address(keccak256(name.encode())[12:])

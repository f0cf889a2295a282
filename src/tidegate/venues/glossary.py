"""What people call the contracts and functions of one chain, for reverts to be read by."""

from __future__ import annotations

from fnmatch import fnmatchcase

from tidegate.chain import selector
from tidegate.venues import aave_v3, balancer_v2, morpho_blue
from tidegate.venues.action_files import catalogue
from tidegate.venues.book import AddressBook
from tidegate.venues.executor import Glossary

_OF_TOKENS = (
    "approve(address,uint256)",
    "balanceOf(address)",
    "transfer(address,uint256)",
    "transferFrom(address,address,uint256)",
)
_REASONS = {
    "aave_v3.pool": aave_v3.ERROR_MEANINGS,
    "aave_v3.*.pool": aave_v3.ERROR_MEANINGS,
    "balancer_v2.vault": balancer_v2.ERROR_MEANINGS,
    "morpho_blue.morpho": morpho_blue.ERROR_MEANINGS,
}


def glossary_of(book: AddressBook) -> Glossary:
    """Return the names of a book's contracts and tokens, and of every function of the catalogue.

    A token that stands in the book as a contract too (WETH) is called by its symbol.
    """
    functions = {selector(signature): signature for signature in _OF_TOKENS}
    functions |= {
        edition.selector: edition.signature for spec in catalogue().values() for edition in spec.all_editions
    }
    accounts = {entry.address: name for name, entry in book.contracts.items()}
    accounts |= {token.address: symbol for symbol, token in book.tokens.items()}
    return Glossary(
        functions={code: signature.partition("(")[0] for code, signature in functions.items()},
        accounts=accounts,
        reasons={
            entry.address: meanings
            for name, entry in book.contracts.items()
            for pattern, meanings in _REASONS.items()
            if fnmatchcase(name, pattern)
        },
    )

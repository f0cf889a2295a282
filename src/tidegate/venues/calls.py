"""How a venue's ``deploy`` talks to a world: one function signature as text, values in, values out.

Private to ``venues``; setting a world up is no hot path, so clarity wins over speed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tidegate.chain import abi_types, decode_output, encode_arguments, encode_call
from tidegate.model import Address, ConfigError, Receipt
from tidegate.sim import Artifact, Build, World

FAR_DEADLINE_S = 2**63
"""A deadline that no test chain reaches: what deploys itself is not in a hurry."""


def read(world: World, to: Address, signature: str, *arguments: Any) -> Any:
    """Return what a view answers.

    Parameters
    ----------
    signature
        Inputs and outputs, both in canonical form: ``"balanceOf(address)(uint256)"``.

    Returns
    -------
    Any
        The value if there is one output, else a tuple of them.
    """
    call, outputs = _split(signature)
    values = decode_output(outputs, world.call(to, encode_call(call, *arguments)))
    return values[0] if len(values) == 1 else values


def send(
    world: World, to: Address, signature: str, *arguments: Any, sender: Address, value_wei: int = 0
) -> Receipt:
    """Call a function in a transaction of ``sender`` and return its receipt.

    Raises
    ------
    WorldReverted
        With the decoded revert.
    """
    return world.transact(to, encode_call(signature, *arguments), sender=sender, value=value_wei)


def create(
    world: World,
    code: Artifact | Build,
    *arguments: Any,
    sender: Address,
    libraries: dict[str, Address] | None = None,
) -> Address:
    """Deploy ``code`` with the arguments of its constructor and return its address.

    Parameters
    ----------
    libraries
        Deployed libraries by name; those that ``code`` is not linked with are left out.

    Raises
    ------
    ConfigError
        If the arguments do not fit the constructor or a library is missing.
    """
    return world.deploy(initcode(code, *arguments, libraries=libraries), sender=sender)


def initcode(code: Artifact | Build, *arguments: Any, libraries: dict[str, Address] | None = None) -> bytes:
    """Return creation code with libraries linked and constructor arguments appended."""
    types = constructor_types(code.abi)
    if len(types) != len(arguments):
        raise ConfigError(
            f"the constructor of {code.name} takes {len(types)} arguments",
            code="abi",
            found=str(len(arguments)),
            allowed=f"({','.join(types)})",
        )
    if isinstance(code, Build):
        created = code.initcode
    else:
        needed = code.link_references
        created = code.link({name: at for name, at in (libraries or {}).items() if name in needed})
    return created + encode_arguments(types, arguments)


def constructor_types(abi: Sequence[Any]) -> tuple[str, ...]:
    """Return the canonical types of a constructor's arguments; none if it is not declared."""
    return next((abi_types(entry["inputs"]) for entry in abi if entry["type"] == "constructor"), ())


@lru_cache(maxsize=512)
def _split(signature: str) -> tuple[str, tuple[str, ...]]:
    """Return the part that is called, and the types of the list in parentheses after it."""
    ends, commas, depth = [], [], 0
    for position, letter in enumerate(signature):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            ends.append(position + 1)
        elif letter == "," and depth == 1:
            commas.append(position)
    if depth or len(ends) != 2 or ends[1] != len(signature) or signature[ends[0]] != "(":
        raise ConfigError(
            "not a signature with outputs",
            code="signature",
            found=repr(signature),
            allowed='like "balanceOf(address)(uint256)"',
        )
    edges = [ends[0], *(comma for comma in commas if comma > ends[0]), len(signature) - 1]
    types = (signature[start + 1 : end] for start, end in pairwise(edges))
    return signature[: ends[0]], tuple(kind for kind in types if kind)

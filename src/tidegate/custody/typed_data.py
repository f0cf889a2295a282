"""EIP-712 typed data, decoded strictly: what is read here is exactly what is hashed and signed."""

from __future__ import annotations

from typing import Any

import msgspec
from eth_account.messages import encode_typed_data

from tidegate.chain import address, keccak256
from tidegate.custody.content import TypedContent
from tidegate.custody.nesting import is_shallow
from tidegate.model import ConfigError, Denied, Reason

_DOMAIN_TYPES = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
}
"""The domain fields that a capability can list, in EIP-712's order; one more refuses."""


TYPED_BYTES_MAX = 8_192
TYPES_MAX = 16
"""Each struct of a message hashes its type anew, with all types that it names: without bounds one request
of 60 kB would hold the signer for ten seconds."""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    types: dict[str, list[dict[str, str]]]
    primaryType: str  # noqa: N815 - EIP-712's own name
    domain: dict[str, Any]
    message: dict[str, Any]


def decode_typed(raw: bytes) -> TypedContent:
    """Return typed data from the JSON that ``eth_signTypedData_v4`` takes.

    Raises
    ------
    Denied
        ``malformed`` for every other input, and for a domain with other fields than name, version,
        chain id and verifying contract; nothing else is ever raised.
    """
    try:
        if not is_shallow(raw):
            raise ValueError("it nests too deep")
        if len(raw) > TYPED_BYTES_MAX:
            raise ValueError(f"{len(raw)} bytes, at most {TYPED_BYTES_MAX} are allowed")
        document = msgspec.json.decode(raw, type=_Document)
        if len(document.types) > TYPES_MAX:
            raise ValueError(f"{len(document.types)} types, at most {TYPES_MAX} are allowed")
        domain = _domain(document)
        if any(set(field) != {"name", "type"} for fields in document.types.values() for field in fields):
            raise ValueError("a field that has more or less than name and type")
        signable = encode_typed_data(full_message=msgspec.to_builtins(document))
        fields = document.types[document.primaryType]
    except Exception as error:
        raise Denied(
            Reason.MALFORMED,
            "this is not EIP-712 typed data",
            found=f"{type(error).__name__}: {error}"[:300],
            allowed="types, primaryType, domain and message as eth_signTypedData_v4 takes them",
        ) from error
    return TypedContent(
        digest=keccak256(b"\x19" + signable.version + signable.header + signable.body),
        primary_type=document.primaryType,
        fields=tuple((field["name"], field["type"]) for field in fields),
        name=domain.get("name"),
        version=domain.get("version"),
        chain_id=domain.get("chainId"),
        verifying_contract=domain.get("verifyingContract"),
        message=document.message,
    )


def _domain(document: _Document) -> dict[str, Any]:
    listed = [(field.get("name"), field.get("type")) for field in document.types.get("EIP712Domain", [])]
    wanted = [(name, kind) for name, kind in _DOMAIN_TYPES.items() if name in document.domain]
    if listed != wanted or len(wanted) != len(document.domain):
        raise ValueError(f"EIP712Domain lists {listed}, the domain has {sorted(document.domain)}")
    domain = dict(document.domain)
    for name, value in domain.items():
        if type(value) is not (int if name == "chainId" else str):
            raise ValueError(f"domain field {name} is {value!r}")
    if "verifyingContract" in domain:
        try:
            domain["verifyingContract"] = address(domain["verifyingContract"])
        except ConfigError as error:
            raise ValueError(str(error)) from error
    return domain

"""The Transaction Builder's JSON: how batches travel to and from the Safe web interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tidegate.chain import address, hex_data, octets
from tidegate.custody.nesting import is_shallow
from tidegate.model import Address, ConfigError
from tidegate.venues.safe import SafeCall

LARGEST_BYTES = 1_048_576


def export_batch(
    calls: Sequence[SafeCall], *, chain_id: int, safe: Address, name: str, created_at_ms: int
) -> bytes:
    """Return a batch as the Transaction Builder reads it. Call data is given raw, not by ABI."""
    value = {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": created_at_ms,
        "meta": {
            "name": name,
            "description": "",
            "createdFromSafeAddress": safe,
        },
        "transactions": [
            {
                "to": call.to,
                "value": str(call.value_wei),
                "data": hex_data(call.data),
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in calls
        ],
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def import_batch(path: Path, *, chain_id: int, safe: Address) -> tuple[SafeCall, ...]:
    """Return the calls of a Transaction Builder file made for this chain, and for this Safe if it says so.

    Raises
    ------
    ConfigError
        If the file is none, is for another chain or Safe, or gives a call by ABI without its data.
    """
    try:
        content = path.read_bytes()
        is_sound = len(content) <= LARGEST_BYTES and is_shallow(content)
        value: Any = msgspec.json.decode(content) if is_sound else None
        found_chain = int(value["chainId"])
        found_safe = (value.get("meta") or {}).get("createdFromSafeAddress") or safe
        calls = tuple(_call(item) for item in value["transactions"])
    except OSError as error:
        raise _refused(path, type(error).__name__) from error
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.DecodeError) as error:
        raise _refused(path, repr(error)) from error
    if found_chain != chain_id or address(found_safe) != safe:
        raise ConfigError(
            f"{path.name} is for another Safe",
            code="safe_builder",
            found=f"chain {found_chain}, {found_safe}",
            allowed=f"chain {chain_id}, {safe}",
        )
    if not calls:
        raise _refused(path, "no transactions")
    return calls


def _call(item: Any) -> SafeCall:
    data = item.get("data")
    if data is None:
        raise ValueError("a transaction without data: export it again with raw data")
    value_wei = int(item.get("value") or 0)
    if not 0 <= value_wei < 1 << 256:
        raise ValueError(f"value {value_wei}")
    return SafeCall(address(item["to"]), octets(data), value_wei)


def _refused(path: Path, found: str) -> ConfigError:
    return ConfigError(
        f"{path.name} is no Transaction Builder file",
        code="safe_builder",
        found=found,
        allowed="version 1.0 JSON with raw call data, at most 1 MiB",
    )

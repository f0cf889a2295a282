"""Making capabilities for worlds of our own: what ``tidegate devnet grant`` gives.

What it earns, a devnet capability does not show: it is worth nothing for any chain but a devnet, and for
stage fork on throw-away keys. For everything else only the gate issues.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.chain import Network, address
from tidegate.custody.capability import Capability, make_capability
from tidegate.custody.envelope import Issuer, demand_issuer
from tidegate.custody.loading import demand_key
from tidegate.custody.valuation import APPROVE
from tidegate.model import Address
from tidegate.venues import BESIDE, HEALTH_FACTOR, REDUCING, ActionKind, catalogue
from tidegate.venues.executor import Change, ChangeKind, FlashKind, parse_policy, parse_policy_key

_GROUPS = ("calls", "exit_calls", "exit_beside", "exit_health")


def devnet_capability(
    *, issuer: Issuer, network: Network | None, is_throw_away: bool, **fields: Any
) -> Capability:
    """Return a capability of the devnet issuer; ``fields`` are those of ``Capability``.

    Id, issuer and what only a gate can know (evidence, policy, grant, checkpoint) are filled in here.

    Raises
    ------
    Denied
        ``capability_invalid`` for chains that are no devnet, unless the stage is fork and the key a
        throw-away one; and for fields out of their bounds.
    """
    unearned = {"evidence_digest": "", "policy_digest": "", "grant_digest": "", "checkpoint": None}
    capability = make_capability(**unearned, **fields, issued_by=issuer.key_id)
    demand_issuer(capability, issuer, network, is_throw_away=is_throw_away)
    demand_key(capability, network, is_throw_away=is_throw_away)
    return capability


def executor_terms(executor: Address, changes: Iterable[Change], limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return terms of the executor policy that allow what ``changes`` allow on chain, and no more.

    Parameters
    ----------
    changes
        The executor's policy: in force (``policy_in_force``), or what strategies need.
    limits
        The figures of ``ExecutorTerms``: deadline, gas, at-risk, flow, inventory.
    """
    functions: dict[str, dict[Address, set[str]]] = defaultdict(lambda: defaultdict(set))
    lenders, spenders = [], []
    kind_of = {one.selector: one.kind for spec in catalogue().values() for one in spec.all_editions}
    for change in changes:
        match change.kind:
            case ChangeKind.POLICY if change.word:
                target, function = parse_policy_key(change.key)
                permission = parse_policy(change.word)
                if function == APPROVE or not (permission.call or permission.read):
                    continue  # approvals are held by their spenders
                group = _group(kind_of.get(function)) if permission.call else _group_read(function)
                functions[group][target].add("0x" + function.hex())
            case ChangeKind.LENDER if change.word:
                kinds = [int(kind) for kind in FlashKind if change.word >> kind & 1]
                lenders.append({"lender": address(change.key), "kinds": kinds})
            case ChangeKind.SPENDER if change.word:
                spenders.append(address(change.key))
            case _:
                pass
    listed = {group: _listed(functions[group]) for group in _GROUPS}
    return {"executors": [executor], **listed, "lenders": lenders, "spenders": spenders, **limits}


def _group(kind: ActionKind | None) -> str:
    if kind in REDUCING:
        return "exit_calls"
    return "exit_beside" if kind in BESIDE else "calls"


def _group_read(function: bytes) -> str:
    return "exit_health" if function == HEALTH_FACTOR else "calls"


def _listed(functions: Mapping[Address, set[str]]) -> list[dict[str, Any]]:
    return [
        {"target": target, "selectors": sorted(selectors)} for target, selectors in sorted(functions.items())
    ]

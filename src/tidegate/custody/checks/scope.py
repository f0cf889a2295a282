"""Whether this capability is for this: in force, of this desk and key, for this target and code."""

from __future__ import annotations

from typing import NoReturn

from tidegate.chain import NetworkKind, keccak256
from tidegate.custody.asking import Ask
from tidegate.custody.capability import Purpose
from tidegate.custody.checks.denial import deny
from tidegate.custody.envelope import demand_issuer
from tidegate.custody.loading import demand_key
from tidegate.custody.wrappers import WRAPPERS
from tidegate.model import Denied, Reason, Stage, UnsignedTransaction


def not_frozen(ask: Ask) -> None:
    """Refuse all but exits while frozen, and those too if two people set ``allow_exit=False``."""
    state = ask.state
    if not state.is_frozen:
        return
    held = state.held.get(ask.request.capability_id)
    if state.allow_exit and held is not None and held.capability.purpose is Purpose.EXIT:
        return
    raise Denied(
        Reason.FROZEN,
        "the signer is frozen",
        found=state.freeze_reason,
        allowed="exit capabilities" if state.allow_exit else "nothing",
        fix="an administrator looks and runs: tidegate signer unfreeze",
    )


def capability_in_force(ask: Ask) -> None:
    """Demand a capability that is known, validly signed, neither ended, expired nor early."""
    wanted = ask.request.capability_id
    if wanted in ask.state.problems:
        raise ask.state.problems[wanted]
    held = ask.state.held.get(wanted)
    if held is None:
        deny(Reason.CAPABILITY_UNKNOWN, "no such capability is loaded", wanted, "the id of a loaded one")
    capability = held.capability
    if held.ended:
        deny(Reason.CAPABILITY_REVOKED, f"the capability was {held.ended}", wanted, "the one in force")
    if ask.now_s < capability.not_before:
        deny(
            Reason.CAPABILITY_NOT_YET,
            "the capability is not valid yet",
            f"{ask.now_s}",
            f"from {capability.not_before}",
        )
    if ask.now_s >= capability.expires_at:
        deny(
            Reason.CAPABILITY_EXPIRED,
            "the capability has expired",
            f"{ask.now_s}",
            f"before {capability.expires_at}",
        )


def scope_matches(ask: Ask) -> None:
    """Demand that desk, stage, chain id and key are the capability's."""
    capability, request = ask.held.capability, ask.request
    # Of typed data the domain names the chain: `typed_data_listed` compares it.
    chain_id = ask.content.chain_id if isinstance(ask.content, UnsignedTransaction) else capability.chain_id
    found = (request.desk, request.stage.value, chain_id, ask.key.address)
    allowed = (capability.desk, capability.stage.value, capability.chain_id, capability.key_address)
    if found != allowed or (chain_id == 0 and isinstance(ask.content, UnsignedTransaction)):
        deny(
            Reason.CAPABILITY_FOREIGN,
            "the capability is for something else",
            "desk {}, stage {}, chain {}, key {}".format(*found),
            "desk {}, stage {}, chain {}, key {}".format(*allowed),
        )
    # Again at each signature: the owner may have unpinned the issuer or changed the networks since.
    network = ask.world.networks.get(capability.chain_id)
    issuer = ask.state.issuers[capability.issued_by]
    demand_issuer(capability, issuer, network, is_throw_away=ask.key.is_throw_away)
    demand_key(capability, network, is_throw_away=ask.key.is_throw_away)


def plan_unchanged(ask: Ask) -> None:
    """Compute the digest again: the bytes must be the ones that were planned."""
    content = ask.content
    if not isinstance(content, UnsignedTransaction):
        return
    planned = getattr(ask.request, "plan_digest", "")
    if content.content_digest != planned:
        deny(
            Reason.PLAN_DIGEST_MISMATCH,
            "the transaction is not the one that was planned",
            content.content_digest,
            planned,
            "stop the desk and compare the plan in the journal with what asked for this",
        )


def target_listed(ask: Ask) -> None:
    """Demand a listed target and selector; creation is its own permission, no function hides others."""
    content, capability = ask.content, ask.held.capability
    if not isinstance(content, UnsignedTransaction) or ask.is_cancel:
        return
    if content.to is None:
        code = "0x" + keccak256(content.data).hex()
        if code not in capability.creations:
            deny(
                Reason.CREATION_NOT_ALLOWED,
                "the capability does not allow the creation of this contract",
                f"creation code {code}",
                ", ".join(sorted(capability.creations)) or "no creation",
            )
        return
    target = capability.by_target.get(content.to)
    if target is None:
        deny(
            Reason.TARGET_NOT_ALLOWED,
            "the capability does not list the target",
            content.to,
            ", ".join(sorted(str(one) for one in capability.by_target)) or "no target",
        )
    function = "0x" + content.data[:4].hex()
    if function not in target.selectors:
        deny(
            Reason.SELECTOR_NOT_ALLOWED,
            "the capability does not list the function of this target",
            function,
            ", ".join(target.selectors) or "no function",
        )
    hidden = WRAPPERS.get(content.data[:4])
    if hidden is not None:
        ask.judge()
        if not ask.is_judged_by_policy:
            deny(
                Reason.SELECTOR_NOT_ALLOWED,
                "the function holds other calls, and no policy of the capability decodes them",
                hidden,
                "a function without calls inside, or a policy for it",
            )


def code_unchanged(ask: Ask) -> None:
    """Demand the code that the capability names, as the witness lately read it."""
    content, world = ask.content, ask.world
    if not isinstance(content, UnsignedTransaction) or content.to is None or ask.is_cancel:
        return
    if world.witness is None:
        network = world.networks.get(content.chain_id)
        is_ours = network is not None and network.kind is NetworkKind.DEVNET
        if is_ours or ask.held.capability.stage is Stage.FORK:
            return
        _no_witness("there is no witness", "a witness, except on a devnet or a fork of ours")
    reading = world.witness.code(content.chain_id, content.to)
    if reading is None or (reading.chain_id, reading.address) != (content.chain_id, content.to):
        _no_witness("nothing about this target", f"a reading of {content.to}")
    age_s = abs(ask.now_ms - reading.read_at_ms) // 1000
    if age_s > world.rules.witness_age_max_s:
        _no_witness(f"a reading that is {age_s} s away", f"at most {world.rules.witness_age_max_s} s")
    providers = len(set(reading.providers))
    if providers < world.rules.witness_quorum or not reading.block_hash:
        _no_witness(f"{providers} providers", f"{world.rules.witness_quorum} that agree at one block")
    named = ask.held.capability.by_target[content.to].code_hash
    if "0x" + reading.code_hash.hex() != named:
        deny(
            Reason.CODE_CHANGED,
            f"the code of {content.to} is not the one that was approved",
            "0x" + reading.code_hash.hex(),
            named,
            "find out who changed it before anything else is signed for it",
        )


def _no_witness(found: str, allowed: str) -> NoReturn:
    deny(
        Reason.WITNESS_MISSING,
        "the witness does not vouch for the target's code",
        found,
        allowed,
        "start the witness and check its endpoints: tidegate signer witness",
    )

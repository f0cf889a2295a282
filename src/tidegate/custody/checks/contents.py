"""Whether this content may be signed: its nonce, its domain, and what the policies say."""

from __future__ import annotations

from tidegate.custody.asking import Ask
from tidegate.custody.capability import Purpose
from tidegate.custody.checks.denial import deny
from tidegate.custody.content import TypedContent
from tidegate.custody.valuation import MOVES, is_permit, permit_ends_s
from tidegate.model import Reason, UnsignedTransaction


def nonce_free(ask: Ask) -> None:
    """Sign a used nonce again for the very same bytes, higher fees or a cancel, for nothing else."""
    content, earlier = ask.content, ask.earlier
    if not isinstance(content, UnsignedTransaction) or earlier is None or ask.is_repeat:
        return
    is_same = not earlier.is_cancelled and earlier.content == ask.content_digest()
    if not (is_same or ask.is_cancel):
        deny(
            Reason.NONCE_REUSED,
            f"nonce {content.nonce} was signed before with other content",
            "a cancel" if earlier.is_cancelled else f"to, value and data of digest {earlier.content}",
            "the same to, value and data with higher fees, or a cancel",
            "a chain that was started anew needs a new throw-away key",
        )
    fees = content.max_fee_wei, content.max_priority_fee_wei
    if not (fees[0] > earlier.max_fee_wei and fees[1] > earlier.max_priority_fee_wei):
        deny(
            Reason.NONCE_REUSED,
            f"nonce {content.nonce} is signed again only with both fees higher",
            f"{fees[0]} and {fees[1]} wei",
            f"above {earlier.max_fee_wei} and {earlier.max_priority_fee_wei} wei",
        )
    so_far = earlier.cancels if ask.is_cancel else earlier.signatures
    if so_far >= ask.world.rules.replacements_max:
        deny(
            Reason.COUNT_LIMIT,
            f"nonce {content.nonce} was signed too often",
            f"{so_far} times",
            f"{ask.world.rules.replacements_max}",
        )


def typed_data_listed(ask: Ask) -> None:
    """Demand a listed domain, field by field, and primary type; an absent field is listed as absent."""
    content = ask.content
    if not isinstance(content, TypedContent):
        return
    domain = (content.name, content.version, content.chain_id, content.verifying_contract)
    for listed in ask.held.capability.typed_domains:
        if (listed.name, listed.version, listed.chain_id, listed.verifying_contract) == domain:
            if content.primary_type in listed.primary_types:
                _permit_ends(ask, content)
                return
            break
    deny(
        Reason.TYPED_DATA_NOT_ALLOWED,
        "the capability does not list this domain and primary type",
        f"{content.primary_type} of {domain}",
        "; ".join(str(one) for one in ask.held.capability.typed_domains) or "no typed data",
    )


def _permit_ends(ask: Ask, content: TypedContent) -> None:
    """Refuse a permit that can be handed in when the capability is over, or revoked and forgotten."""
    if not is_permit(content):
        return
    ends_s, expires_at = permit_ends_s(content), ask.held.capability.expires_at
    if ends_s is None or ends_s > expires_at:
        deny(
            Reason.TYPED_DATA_NOT_ALLOWED,
            "the permit outlives the capability",
            f"deadline {ends_s}",
            f"at most {expires_at}, when the capability expires",
            "sign a permit for the next minutes",
        )


def policies_hold(ask: Ask) -> None:
    """Ask the policies; under an exit capability only what reduces is signed."""
    judgement = ask.judge()
    if judgement is None:
        assert ask.refusal is not None
        raise ask.refusal
    capability, content = ask.held.capability, ask.content
    if capability.chain_id == 0 and not ask.is_judged_by_policy:
        deny(
            Reason.POLICY_REFUSED,
            "typed data of no chain is signed only if a policy judges it",
            "no policy of the capability knows it",
            "a policy that names the chains",
        )
    if capability.purpose is Purpose.ACT or judgement.is_exit:
        return
    is_plain_call = (
        not ask.is_judged_by_policy
        and isinstance(content, UnsignedTransaction)
        and content.to is not None
        and content.value_wei == 0
        and len(content.data) >= 4
        and content.data[:4] not in MOVES
    )
    if not is_plain_call:
        deny(
            Reason.POLICY_REFUSED,
            "an exit capability signs only what reduces",
            "content that opens, sends or approves",
            "repay, close, withdraw, refund, settle, cancel, sweep",
        )

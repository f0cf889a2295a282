"""Every reason for not acting, in one enum: the street's, then one group per desk.

One condition has one code. ``docs/reference/reasons.md`` is generated from here.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes; ``meaning`` is the line shown to people."""

    # The street
    DUPLICATE = "duplicate"
    DEADLINE_PASSED = "deadline_passed"
    STOPPED = "stopped"
    LIMIT = "limit"
    OVERLOADED = "overloaded"
    GUARD_FAILED = "guard_failed"
    SIMULATION_REVERTED = "simulation_reverted"
    SIM_MISMATCH = "sim_mismatch"
    BOUNDS = "bounds"
    UNPROFITABLE = "unprofitable"
    GAS_CAP = "gas_cap"
    CAPABILITY = "capability"
    STAGE = "stage"
    PLAN_DIGEST_MISMATCH = "plan_digest_mismatch"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    HALTED = "halted"
    BREAKER = "breaker"
    NOT_RECONCILED = "not_reconciled"
    FEE_CAP = "fee_cap"
    L1_FEE_UNKNOWN = "l1_fee_unknown"
    FUNDS_MISSING = "funds_missing"
    PUBLIC_RELAY_FORBIDDEN = "public_relay_forbidden"
    # The signer
    FROZEN = "frozen"
    CAPABILITY_UNKNOWN = "capability_unknown"
    CAPABILITY_INVALID = "capability_invalid"
    CAPABILITY_EXPIRED = "capability_expired"
    CAPABILITY_NOT_YET = "capability_not_yet"
    CAPABILITY_REVOKED = "capability_revoked"
    CAPABILITY_FOREIGN = "capability_foreign"
    CAPABILITY_SERIAL = "capability_serial"
    TARGET_NOT_ALLOWED = "target_not_allowed"
    SELECTOR_NOT_ALLOWED = "selector_not_allowed"
    CREATION_NOT_ALLOWED = "creation_not_allowed"
    CODE_CHANGED = "code_changed"
    WITNESS_MISSING = "witness_missing"
    NOTIONAL_LIMIT = "notional_limit"
    AT_RISK_LIMIT = "at_risk_limit"
    COUNT_LIMIT = "count_limit"
    NONCE_REUSED = "nonce_reused"
    TYPED_DATA_NOT_ALLOWED = "typed_data_not_allowed"
    POLICY_UNKNOWN = "policy_unknown"
    POLICY_REFUSED = "policy_refused"
    UNVALUED = "unvalued"
    RATE_LIMIT = "rate_limit"
    STORE_LOST = "store_lost"
    MALFORMED = "malformed"
    KEY_UNKNOWN = "key_unknown"
    ADMINISTRATOR_ONLY = "administrator_only"
    TWO_PEOPLE = "two_people"
    # The atomic desk
    POLICY_MISSING = "policy_missing"
    ROLE_MISSING = "role_missing"
    FLASH_LIQUIDITY = "flash_liquidity"
    NO_OPPORTUNITY = "no_opportunity"
    COOLDOWN = "cooldown"
    IN_FLIGHT = "in_flight"
    TRIGGER_QUIET = "trigger_quiet"
    PROGRAM_REFUSED = "program_refused"
    NOT_AN_EXIT = "not_an_exit"

    @property
    def meaning(self) -> str:
        """Return one line for people."""
        return _MEANINGS[self]


_MEANINGS: dict[Reason, str] = {
    Reason.DUPLICATE: "The intent was accepted before; its first outcome stands.",
    Reason.DEADLINE_PASSED: "The chain's time is at or past the deadline.",
    Reason.STOPPED: "A stop covers this desk, chain, venue or market.",
    Reason.LIMIT: "A limit has no room for this intent.",
    Reason.OVERLOADED: "A bounded queue is full.",
    Reason.GUARD_FAILED: "A guard did not pass, or could not be evaluated.",
    Reason.SIMULATION_REVERTED: "The plan's own bytes revert at the head.",
    Reason.SIM_MISMATCH: "Two simulations of the same bytes disagree.",
    Reason.BOUNDS: "A simulated balance change is outside the plan's bounds.",
    Reason.UNPROFITABLE: "Profit after all costs is below the minimum.",
    Reason.GAS_CAP: "The gas limit or base fee is above the plan's or the chain's cap.",
    Reason.CAPABILITY: "There is no capability for this, or the plan exceeds it.",
    Reason.STAGE: "The stage does not allow this step.",
    Reason.PLAN_DIGEST_MISMATCH: "The bytes changed between plan and signature.",
    Reason.UNAVAILABLE: "An input does not answer; the street fails closed.",
    Reason.FAILED: "A step before the signature ended with an error; nothing left the house.",
    Reason.HALTED: "A divergence halted this key, chain or desk; a person looks and resumes.",
    Reason.BREAKER: "A tripped breaker masks this kind of operation.",
    Reason.NOT_RECONCILED: "Positions or balances differ from the chain's and nobody explained it.",
    Reason.FEE_CAP: "The fee that the chain asks for is above a cap or the plan's own gas budget.",
    Reason.L1_FEE_UNKNOWN: "The parent chain's data fee can not be read, and the profit depends on it.",
    Reason.FUNDS_MISSING: "The account that signs can not pay for the gas.",
    Reason.PUBLIC_RELAY_FORBIDDEN: "Only the public mempool could take the bytes, and it is not allowed.",
    Reason.FROZEN: "The signer is frozen; an administrator unfreezes it.",
    Reason.CAPABILITY_UNKNOWN: "The signer holds no capability with this id.",
    Reason.CAPABILITY_INVALID: "The form or signature is not valid, or the issuer may not give it.",
    Reason.CAPABILITY_EXPIRED: "The capability's time is over.",
    Reason.CAPABILITY_NOT_YET: "The capability's time has not begun.",
    Reason.CAPABILITY_REVOKED: "The capability was revoked or replaced.",
    Reason.CAPABILITY_FOREIGN: "The capability is for another desk, chain, stage, purpose or key.",
    Reason.CAPABILITY_SERIAL: "A capability of the same or a higher serial is loaded already.",
    Reason.TARGET_NOT_ALLOWED: "The capability does not list the target.",
    Reason.SELECTOR_NOT_ALLOWED: "The capability does not list the function of this target.",
    Reason.CREATION_NOT_ALLOWED: "The capability does not allow the creation of contracts.",
    Reason.CODE_CHANGED: "The target's code is not the one that the capability names.",
    Reason.WITNESS_MISSING: "The witness does not say what the signer must know of the chain.",
    Reason.NOTIONAL_LIMIT: "The notional passes the capability's limit per transaction or per day.",
    Reason.AT_RISK_LIMIT: "What may be lost passes the capability's limit per transaction or per day.",
    Reason.COUNT_LIMIT: "The capability allows no further transaction today.",
    Reason.NONCE_REUSED: "The nonce was signed before with other content.",
    Reason.TYPED_DATA_NOT_ALLOWED: "The capability does not list this domain and primary type.",
    Reason.POLICY_UNKNOWN: "The capability names a policy that this signer does not have.",
    Reason.POLICY_REFUSED: "A policy of the capability refuses the content.",
    Reason.UNVALUED: "The signer can not value the content, and the capability does not list it as unvalued.",
    Reason.RATE_LIMIT: "The connection asks more often than the signer answers.",
    Reason.STORE_LOST: "The signer's store can not be written; it refuses everything.",
    Reason.MALFORMED: "The bytes are not the canonical form of what the signer is asked to sign.",
    Reason.KEY_UNKNOWN: "The signer holds no key of this name.",
    Reason.ADMINISTRATOR_ONLY: "Only an administrator's connection may ask for this.",
    Reason.TWO_PEOPLE: "This needs the signed orders of two different people.",
    Reason.POLICY_MISSING: "The executor's on-chain policy lacks an entry that the plan needs.",
    Reason.ROLE_MISSING: "The sender does not hold the operator role on the executor.",
    Reason.FLASH_LIQUIDITY: "No lender can serve the loan.",
    Reason.NO_OPPORTUNITY: "No size of the strategy is worth its cost at this block.",
    Reason.COOLDOWN: "The strategy acted too recently.",
    Reason.IN_FLIGHT: "As many runs are open as the strategy allows.",
    Reason.TRIGGER_QUIET: "The strategy's trigger did not fire at this block.",
    Reason.PROGRAM_REFUSED: "The executor program is not the canonical form of a legal program.",
    Reason.NOT_AN_EXIT: "An exit was decided, but the plan's bytes do more than lessen what is at risk.",
}

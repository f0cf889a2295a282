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
    # The atomic desk
    POLICY_MISSING = "policy_missing"
    ROLE_MISSING = "role_missing"
    FLASH_LIQUIDITY = "flash_liquidity"
    NO_OPPORTUNITY = "no_opportunity"
    COOLDOWN = "cooldown"
    IN_FLIGHT = "in_flight"
    TRIGGER_QUIET = "trigger_quiet"
    PROGRAM_REFUSED = "program_refused"

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
    Reason.POLICY_MISSING: "The executor's on-chain policy lacks an entry that the plan needs.",
    Reason.ROLE_MISSING: "The sender does not hold the operator role on the executor.",
    Reason.FLASH_LIQUIDITY: "No lender can serve the loan.",
    Reason.NO_OPPORTUNITY: "No size of the strategy is worth its cost at this block.",
    Reason.COOLDOWN: "The strategy acted too recently.",
    Reason.IN_FLIGHT: "As many runs are open as the strategy allows.",
    Reason.TRIGGER_QUIET: "The strategy's trigger did not fire at this block.",
    Reason.PROGRAM_REFUSED: "The executor program is not the canonical form of a legal program.",
}

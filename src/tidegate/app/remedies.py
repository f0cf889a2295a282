"""What to do about every refusal, finding and exit code: one line each, for the command line and the docs.

A line says what a person does next, and where a command answers it, names the command. Codes and their
meanings stand where they are raised; a test holds that none is without a line here.
"""

from __future__ import annotations

from tidegate.model import Reason

EXIT_CODES: dict[int, tuple[str, str]] = {
    0: ("done", "nothing"),
    1: ("failed", "read the message: a check found errors, or a node refused the bytes for good"),
    2: ("usage", "`tidegate VERB --help` shows the arguments"),
    3: ("config", "mend the file, key or argument that is named, at the position that is named"),
    10: ("blocked", "look the reason up below; nothing left the house"),
    11: ("stale", "make the evidence again, then repeat the command"),
    12: (
        "unknown",
        "something does not answer: `tidegate doctor`; never repeat a send by hand, the next start "
        "asks the chain",
    ),
    13: (
        "tampered",
        "stop, keep a copy of everything, and compare: `tidegate journal verify`, `tidegate verify executor`",
    ),
    20: ("halted", "a stop or pause stands; who set it and why: `tidegate resume --help`"),
}
"""By exit code: its name, and what to do."""

REASONS: dict[Reason, str] = {
    Reason.DUPLICATE: "nothing: the first run of this intent stands; `tidegate journal show` tells it",
    Reason.DEADLINE_PASSED: (
        "a longer `deadline`, or find what takes so long: the times stand in `tidegate journal show`"
    ),
    Reason.STOPPED: "find out why it was stopped; then `tidegate resume`, as the page on stops says",
    Reason.LIMIT: (
        "the row and what is left of it stand in the message; wait for the window, or raise it in "
        "`limits` or `[limits]`"
    ),
    Reason.OVERLOADED: "fewer strategies on one key, or a longer `cooldown`",
    Reason.GUARD_FAILED: (
        "what was measured and what is allowed stands in the message; `tidegate strategy explain` "
        "says what each guard asks"
    ),
    Reason.SIMULATION_REVERTED: (
        "the message names the step and the protocol's own reason; `tidegate strategy simulate` repeats it"
    ),
    Reason.SIM_MISMATCH: (
        "the node and the chain disagree: compare the endpoints with `tidegate doctor`; a token that "
        "rebases can do it too"
    ),
    Reason.BOUNDS: "the floor and the change stand in the message; lower `min` only if the loss is meant",
    Reason.UNPROFITABLE: (
        "the gain and the floor with gas stand in the message; wait for a wider gap or cheaper gas"
    ),
    Reason.GAS_CAP: "raise `gas.max_gas` or `gas.max_base_fee`, or split the strategy",
    Reason.CAPABILITY: "have one issued for this desk, chain and stage; on a devnet `tidegate devnet grant`",
    Reason.STAGE: "the stage table says where a plan may run; begin with `--stage paper`",
    Reason.PLAN_DIGEST_MISMATCH: (
        "stop: bytes changed on their way to the signature; keep the journal and look for what runs beside it"
    ),
    Reason.UNAVAILABLE: (
        "`tidegate doctor` names what does not answer; the street goes on by itself when it does"
    ),
    Reason.FAILED: "the error stands in the message; nothing was signed, so it may simply run again",
    Reason.HALTED: (
        "a person looks at the divergence (`tidegate journal tail --kind halt`), explains it, and resumes"
    ),
    Reason.BREAKER: (
        "the breaker and its measure stand in the message; it opens by itself after its hold, or by "
        "`tidegate resume`"
    ),
    Reason.NOT_RECONCILED: "explain the difference: `tidegate journal explain`; until then only exits run",
    Reason.FEE_CAP: "wait, or raise `gas.max_base_fee` or the chain's fee cap",
    Reason.L1_FEE_UNKNOWN: (
        "check the endpoint of the rollup with `tidegate doctor`: it must answer for the parent chain's fee"
    ),
    Reason.FUNDS_MISSING: (
        "send ETH for gas to the operator's account; the message says how much it has and needs"
    ),
    Reason.PUBLIC_RELAY_FORBIDDEN: (
        "give a bundle relay or a private endpoint, or write `relay: {allow_public: true}` and accept "
        "who sees it"
    ),
    Reason.FROZEN: "find out who froze the signer: `tidegate signer status`; an administrator unfreezes it",
    Reason.CAPABILITY_UNKNOWN: (
        "`tidegate signer load` the capability; `tidegate signer status` lists what is loaded"
    ),
    Reason.CAPABILITY_INVALID: "have it issued again by who may; do not edit it",
    Reason.CAPABILITY_EXPIRED: "have a new one issued; production renews before the old one ends",
    Reason.CAPABILITY_NOT_YET: "wait until its time begins, and check this machine's clock",
    Reason.CAPABILITY_REVOKED: "load the one that replaced it; `tidegate signer status` shows both",
    Reason.CAPABILITY_FOREIGN: "load the one for this desk, chain, stage and key",
    Reason.CAPABILITY_SERIAL: "nothing if it is loaded already; else have one with a higher serial issued",
    Reason.TARGET_NOT_ALLOWED: (
        "the contract is not in the capability: have one issued that lists it, after a review"
    ),
    Reason.SELECTOR_NOT_ALLOWED: (
        "the function is not in the capability: have one issued that lists it, after a review"
    ),
    Reason.CREATION_NOT_ALLOWED: "a desk creates no contracts; deploy with `tidegate deploy executor`",
    Reason.CODE_CHANGED: (
        "stop using the target; `tidegate verify addresses` shows both hashes and a person finds out why"
    ),
    Reason.WITNESS_MISSING: "start the witness: `tidegate signer witness`; its endpoints are its own",
    Reason.NOTIONAL_LIMIT: "a smaller size, another day, or a capability with more room",
    Reason.AT_RISK_LIMIT: "tighter bounds, another day, or a capability with more room",
    Reason.COUNT_LIMIT: "another day, or a capability with more room",
    Reason.NONCE_REUSED: "stop: two senders use one key; each key has one process",
    Reason.TYPED_DATA_NOT_ALLOWED: (
        "the domain and type are not in the capability; have one issued that lists them"
    ),
    Reason.POLICY_UNKNOWN: "the signer is older than the capability: bring both to one release",
    Reason.POLICY_REFUSED: (
        "the message says which rule of which policy; the bytes, not the rule, are usually wrong"
    ),
    Reason.UNVALUED: (
        "give the witness a price feed for the token, or have the capability list it as unvalued"
    ),
    Reason.RATE_LIMIT: "find what asks so often; the signer answers others meanwhile",
    Reason.STORE_LOST: "the signer's disk is full or gone: make room, then start it anew",
    Reason.MALFORMED: "stop: the bytes did not come from this release's compiler",
    Reason.KEY_UNKNOWN: "`tidegate keys list` shows the names that there are",
    Reason.ADMINISTRATOR_ONLY: "ask on the administrator's socket, as the user who may",
    Reason.TWO_PEOPLE: "a second person signs the order too",
    Reason.POLICY_MISSING: (
        "`tidegate strategy policy FILE --executor NAME --diff` shows what is missing; `--safe` "
        "writes the proposal"
    ),
    Reason.ROLE_MISSING: (
        "the owner's Safe gives the operator its role; `tidegate desk atomic state` shows the roles"
    ),
    Reason.FLASH_LIQUIDITY: (
        "the message says why each lender was passed over; borrow less, raise `max_fee`, or name "
        "another `provider`"
    ),
    Reason.NO_OPPORTUNITY: (
        "nothing: the market is quiet; a lower `min` of the searched blind finds smaller gaps"
    ),
    Reason.COOLDOWN: "nothing: it acts again when `cooldown` is over",
    Reason.IN_FLIGHT: "nothing: it waits for the open run; more at once by `limits.max_in_flight`",
    Reason.TRIGGER_QUIET: "nothing: what the trigger waits for has not come",
    Reason.PROGRAM_REFUSED: (
        "stop: the bytes are not what the compiler makes; plan again and compare the hashes"
    ),
    Reason.NOT_AN_EXIT: "write the exit as `leverage-close` is written: nothing in it may open anything",
}

FINDINGS: dict[str, str] = {
    "ATM001": "look at the line above the one that is named: a bracket, a quote or an indentation",
    "ATM002": "take the key or word that is suggested; `true`, not `yes`",
    "ATM003": "write `strategy: 1`",
    "ATM004": "split it: a file of 256 KiB is not one transaction",
    "ATM005": (
        "do not run: `tidegate verify addresses` shows which code is another, and a person finds out why"
    ),
    "ATM101": "add `slippage: 30 bps` to the swap",
    "ATM102": "add `min_health_factor` with `place: [pre, in]`, on the strategy or the step",
    "ATM103": "add `gas: {max_gas: 900000, max_base_fee: 40 gwei, priority_fee: 1 gwei}`",
    "ATM104": "add `deadline: 36 s`",
    "ATM105": "demand a gain (`min` above 0, or `net_of_gas: true`), and have a step bring the asset back",
    "ATM106": "a tolerance above 0, such as `slippage: 10 bps`: a price that may not move never lands",
    "ATM107": "at most `300 bps`, or say why: `accept_slippage: thin pool, small size`",
    "ATM108": "put the steps into a `group` with `optional: true`, or write `on_failure: revert`",
    "ATM109": "use an output of a step that always runs, or move the step into the group",
    "ATM110": (
        "`warn` stands before or after a run, `skip` before or in it; inside, only `revert` and `skip` act"
    ),
    "ATM111": "take the name that is suggested; tokens must stand under `tokens`",
    "ATM112": "write the unit: `40 gwei`, `30 bps`, `1.5 WETH`",
    "ATM113": "give the blind `min` and `max`, and a value: `default`, or a file by `--blinds`",
    "ATM114": "a smaller loan, or more lenders: `provider: auto`",
    "ATM115": "use outputs sooner after they are made, or split the strategy",
    "ATM116": "split the strategy into two files",
    "ATM117": "one swap of both amounts, or a scope of its own for the second",
    "ATM118": "call the function itself, or say why not: `allow_opaque: reason`",
    "ATM119": "send to `self` or `treasury`: no other recipient is possible",
    "ATM120": "name an earlier step; its outputs are listed in the message",
    "ATM121": "a literal amount is above 0; what may be nothing is written `balance(TOKEN)`",
    "ATM122": "`provider: auto`, or swap in another pool",
    "W201": "write the reference (`$sell.amount_out`), so that nothing is left over and nothing is missing",
    "W202": "add `in` to the guard's `place`: between plan and inclusion prices move",
    "W203": "have somebody else read the call and its `policy`; an adapter is better",
    "W204": "two strategies with a run each cost less when one of them reverts",
}

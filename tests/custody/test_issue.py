"""What a devnet issuer gives, what it refuses, and terms that follow an on-chain policy."""

import pytest
from tests.custody.signer_world import (
    CHAIN,
    DEVNET_ISSUER,
    FRIEND,
    HOT,
    ISSUERS,
    PLAIN,
    POOL,
    TOY,
    USDC,
    SignerWorld,
    is_signed,
)
from tests.custody.test_executor_policy import TERMS

from tidegate.chain import NETWORKS, devnet_network, selector
from tidegate.custody.envelope import sign_capability
from tidegate.custody.issue import devnet_capability, executor_terms
from tidegate.custody.policies import bind_policy
from tidegate.custody.requests import LoadCapability
from tidegate.model import Denied, Reason, Stage
from tidegate.venues import catalogue
from tidegate.venues.executor import Change, FlashKind, Permission

DEVNET = devnet_network(CHAIN)
UNEARNED = ("evidence_digest", "policy_digest", "grant_digest", "checkpoint")
FIELDS = {name: value for name, value in PLAIN.items() if name not in UNEARNED}
LIMITS = {
    name: TERMS[name] for name in ("deadline_max_s", "gas_limit_max", "at_risk_tx_usd_e6", "flow_tx_usd_e6")
}


def give(network=DEVNET, *, is_throw_away=False, **changes):
    return devnet_capability(
        issuer=ISSUERS[0], network=network, is_throw_away=is_throw_away, **{**FIELDS, **changes}
    )


def test_a_devnet_capability_is_what_the_signer_loads_and_signs_by():
    world = SignerWorld()
    loaded = world.ask(LoadCapability(envelope=sign_capability(give(), DEVNET_ISSUER)))
    assert is_signed(world.sign(loaded.capability_id))


@pytest.mark.parametrize("chain_id", [1, 42_161, 11_155_111])
@pytest.mark.parametrize("stage", [Stage.CANARY, Stage.PRODUCTION, Stage.FORK])
def test_a_kept_key_gets_nothing_for_any_public_chain(chain_id, stage):
    with pytest.raises(Denied) as denied:
        give(NETWORKS[chain_id], chain_id=chain_id, typed_domains=(), stage=stage)
    assert denied.value.reason is Reason.CAPABILITY_INVALID


def test_a_throw_away_key_gets_a_fork_of_a_public_chain_and_no_other_stage_of_it():
    toy = {"chain_id": 1, "typed_domains": (), "key_address": TOY.address}
    assert give(NETWORKS[1], is_throw_away=True, stage=Stage.FORK, **toy)
    for stage in (Stage.CANARY, Stage.PRODUCTION, Stage.PAPER):
        with pytest.raises(Denied):
            give(NETWORKS[1], is_throw_away=True, stage=stage, **toy)


def test_an_unknown_chain_is_refused():
    with pytest.raises(Denied):
        give(None)
    assert give().key_address == HOT.address


# Terms that follow an on-chain policy


def of(name):
    return next(spec.selector for spec in catalogue().values() if spec.name == name)


def terms(*changes):
    made = executor_terms(FRIEND, changes, LIMITS)
    bind_policy("executor", made)  # a form that the policy reads
    return made


def test_functions_lenders_and_spenders_of_a_policy_become_terms():
    price = selector("latestRoundData()")
    made = terms(
        Change.policy(POOL, of("aave_v3.supply"), Permission(call=True)),
        Change.policy(USDC, price, Permission(read=True)),
        Change.approval(USDC),
        Change.spender(POOL),
        Change.lender(POOL, FlashKind.AAVE_V3, FlashKind.ERC3156),
        Change.asset(USDC),
    )
    supply = "0x" + of("aave_v3.supply").hex()
    assert {one["target"]: one["selectors"] for one in made["calls"]} == {
        POOL: [supply],
        USDC: ["0x" + price.hex()],
    }
    assert made["lenders"] == [{"lender": POOL, "kinds": [1, 2]}]
    assert made["spenders"] == [POOL]
    assert made["executors"] == [FRIEND]


def test_what_reduces_is_listed_as_an_exit_and_a_swap_beside_it():
    made = terms(
        Change.policy(POOL, of("aave_v3.repay"), Permission(call=True)),
        Change.policy(POOL, of("aave_v3.withdraw"), Permission(call=True)),
        Change.policy(USDC, of("uniswap_v3.exact_input_single"), Permission(call=True)),
        Change.policy(POOL, of("aave_v3.borrow"), Permission(call=True)),
    )
    (exits,) = made["exit_calls"]
    assert set(exits["selectors"]) == {"0x" + of(f"aave_v3.{name}").hex() for name in ("repay", "withdraw")}
    assert [one["target"] for one in made["exit_beside"]] == [USDC]
    assert made["calls"][0]["selectors"] == ["0x" + of("aave_v3.borrow").hex()]


def test_what_was_taken_away_again_is_not_allowed():
    gone = Change.policy(POOL, of("aave_v3.repay"), Permission(call=True)).removed()
    lender = Change.lender(POOL, FlashKind.AAVE_V3).removed()
    made = terms(gone, lender, Change.spender(POOL).removed())
    assert (made["exit_calls"], made["lenders"], made["spenders"]) == ([], [], [])

"""Deployments: signed once, on disk before they are sent, and gone on with after any kill."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.app.deploying.conftest import Ground

from tidegate.app.deploying import Deployment, DeploymentFiles, deploy, predicted
from tidegate.app.deploying.signers import KeySigner
from tidegate.app.devnet import devnet_handle
from tidegate.chain import address, hex_data
from tidegate.model import (
    Ambiguous,
    ConfigError,
    Denied,
    Divergence,
    Halted,
    Rejected,
    Tampered,
    UnsignedTransaction,
)
from tidegate.sim import WorldReverted
from tidegate.venues.executor import (
    Change,
    encode_pause,
    encode_schedule,
    encode_sweep,
    executor_build,
)

DEPLOYER = devnet_handle("deployer")


class Killed(BaseException):
    """The process ends here."""


class DyingFiles(DeploymentFiles):
    """Ends the process around the ``nth`` write: before it or after it."""

    def __init__(self, home, nth: int, *, before: bool) -> None:
        super().__init__(home)
        self.left, self.before = nth, before

    def write(self, deployment: Deployment) -> None:
        self.left -= 1
        if self.left == 0 and self.before:
            raise Killed
        super().write(deployment)
        if self.left == 0:
            raise Killed


class CountingSigner(KeySigner):
    """Counts what it signs, by nonce."""

    def __init__(self) -> None:
        super().__init__(DEPLOYER)
        self.nonces: list[int] = []

    async def sign_transaction(self, transaction, *, intent_id, plan_digest):
        self.nonces.append(transaction.nonce)
        return await super().sign_transaction(transaction, intent_id=intent_id, plan_digest=plan_digest)


def run(ground: Ground, name="main2", *, files=None, signer=None, wait_s=60.0, **changes) -> Deployment:
    files, signer = files or DeploymentFiles(ground.home), signer or KeySigner(DEPLOYER)
    order = ground.order(name, **changes)
    return ground.run(lambda pool: deploy(pool, order, name, files, signer, wait_s=wait_s))


def both(ground: Ground, **given) -> list[Deployment]:
    return [run(ground, name, **given) for name in ("main2", "backup2")]


def test_an_executor_lands_at_its_predicted_address_with_the_builds_code(ground: Ground) -> None:
    nonce = ground.world.nonce(DEPLOYER.address)
    done = run(ground)
    assert (done.nonce, done.address) == (nonce, predicted(DEPLOYER.address, nonce))
    assert done.is_confirmed
    code = ground.world.code(done.address)
    assert code == ground.construction().runtime
    assert code[: len(executor_build().runtime)] == executor_build().runtime


def test_the_deployer_holds_no_power_over_what_it_created(ground: Ground) -> None:
    done = run(ground)
    for data in (encode_schedule([Change.cap(64, 1)]), encode_pause(), encode_sweep([])):
        with pytest.raises(WorldReverted, match="role"):
            ground.world.transact(done.address, data, sender=DEPLOYER.address)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
def test_a_process_killed_around_any_write_never_deploys_twice(
    ground: Ground, nth: int, before: bool
) -> None:
    """Main and backup take three writes each: signed, mined, confirmed."""
    first = ground.world.nonce(DEPLOYER.address)
    dying, signer = DyingFiles(ground.home, nth, before=before), CountingSigner()
    with pytest.raises(Killed):
        both(ground, files=dying, signer=signer)
    done = both(ground, signer=signer)
    assert [one.nonce for one in done] == [first, first + 1]
    assert ground.world.nonce(DEPLOYER.address) == first + 2
    assert [one.address for one in done] == [predicted(DEPLOYER.address, first + n) for n in (0, 1)]
    assert set(signer.nonces) == {first, first + 1}
    assert both(ground) == done


def test_bytes_that_wait_are_found_again_and_no_second_nonce_is_taken(ground: Ground) -> None:
    ground.world.set_mining("manual")
    first = ground.world.nonce(DEPLOYER.address)
    with pytest.raises(Ambiguous, match="not confirmed yet"):
        run(ground, wait_s=0.5)
    begun = DeploymentFiles(ground.home).read("devnet", "main2")
    assert begun is not None
    with pytest.raises(Ambiguous):
        run(ground, wait_s=0.5)
    assert DeploymentFiles(ground.home).read("devnet", "main2") == begun
    ground.world.set_mining("auto")
    ground.world.mine()
    assert run(ground).versions == begun.versions
    assert ground.world.nonce(DEPLOYER.address) == first + 1


def test_a_version_below_the_base_fee_is_followed_by_one_under_the_same_nonce(ground: Ground) -> None:
    ground.world.set_mining("manual")
    with pytest.raises(Ambiguous):
        run(ground, wait_s=0.5)
    begun = DeploymentFiles(ground.home).read("devnet", "main2")
    assert begun is not None
    (old,) = begun.versions
    ground.world.forget_all()
    ground.world.set_mining("auto")
    ground.world.set_base_fee(old.max_fee_wei + 1)
    signer = CountingSigner()
    done = run(ground, signer=signer)
    assert signer.nonces == [begun.nonce]
    assert len(done.versions) == 2
    assert done.mined_in == done.versions[1].hash
    assert ground.world.nonce(DEPLOYER.address) == begun.nonce + 1


def test_a_nonce_that_something_else_used_is_a_divergence(ground: Ground) -> None:
    ground.world.set_mining("manual")
    with pytest.raises(Ambiguous):
        run(ground, wait_s=0.5)
    ground.world.forget_all()
    ground.world.set_mining("auto")
    ground.world.transact(ground.account("treasury"), b"", sender=DEPLOYER.address)
    with pytest.raises(Divergence, match="was used by another transaction"):
        run(ground)


def test_a_creation_that_reverts_is_said_and_the_next_run_begins_anew(ground: Ground) -> None:
    files, nonce = DeploymentFiles(ground.home), ground.world.nonce(DEPLOYER.address)
    terms = ground.construction()

    async def with_little_gas(pool) -> Deployment:
        unsigned = UnsignedTransaction(
            chain_id=pool.network.chain_id,
            nonce=nonce,
            to=None,
            data=terms.initcode,
            value_wei=0,
            gas_limit=2_000_000,
            max_fee_wei=10**10,
            max_priority_fee_wei=10**9,
        )
        signed = await KeySigner(DEPLOYER).sign_transaction(
            unsigned, intent_id="test", plan_digest=unsigned.content_digest
        )
        version = {"max_fee_wei": 10**10, "max_priority_fee_wei": 10**9}
        return msgspec.convert(
            {
                "chain": "devnet",
                "chain_id": pool.network.chain_id,
                "desk": "atomic",
                "name": "main2",
                "deployer": DEPLOYER.address,
                "nonce": nonce,
                "address": predicted(DEPLOYER.address, nonce),
                "construction": msgspec.to_builtins(terms),
                "gas_limit": 2_000_000,
                "versions": [{"hash": hex_data(signed.hash), "raw": hex_data(signed.raw), **version}],
            },
            Deployment,
        )

    files.write(ground.run(with_little_gas))
    with pytest.raises(Rejected, match="reverted"):
        run(ground)
    assert files.read("devnet", "main2") is None
    assert run(ground).nonce == nonce + 1


def test_other_arguments_under_the_same_name_are_refused(ground: Ground) -> None:
    run(ground)
    with pytest.raises(ConfigError, match="begun with other arguments"):
        run(ground, delay_s=7)


def test_other_code_at_the_address_is_tampered(ground: Ground) -> None:
    done = run(ground)
    ground.world.set_code(done.address, b"\x00" + ground.world.code(done.address)[1:])
    with pytest.raises(Tampered, match="not the build's"):
        run(ground)


def test_a_deployment_file_that_can_not_be_read_stops_everything(ground: Ground) -> None:
    files = DeploymentFiles(ground.home)
    run(ground)
    files.path("devnet", "main2").write_text("{}")
    nonce = ground.world.nonce(DEPLOYER.address)
    with pytest.raises(ConfigError, match="can not be read"):
        run(ground)
    assert ground.world.nonce(DEPLOYER.address) == nonce


def test_two_processes_never_deploy_from_one_home(ground: Ground) -> None:
    with (
        DeploymentFiles(ground.home).locked(),
        pytest.raises(Halted, match="another process"),
        DeploymentFiles(ground.home).locked(),
    ):
        pass
    with DeploymentFiles(ground.home).locked():
        pass


def test_a_key_signs_only_what_was_planned() -> None:
    unsigned = UnsignedTransaction(1, 0, None, b"\x00", 0, 1, 1, 1)

    async def sign() -> None:
        await KeySigner(DEPLOYER).sign_transaction(unsigned, intent_id="x", plan_digest="other")

    with pytest.raises(Denied, match="not the one that was planned"):
        asyncio.run(sign())


def test_the_predicted_address_is_the_one_of_the_yellow_paper() -> None:
    """An example that Ethereum's own tests use: nonce 0 of a known account."""
    sender = address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert predicted(sender, 0).lower() == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    assert predicted(sender, 1).lower() == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"

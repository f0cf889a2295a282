"""The operator's deeds on a real node: changes through their delay, pairs, first help; by Safe and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.app.deploying.conftest import DAY_S

from tidegate.app.cli import run_command
from tidegate.app.deploying.proposing import steps_of
from tidegate.app.devnet import address_book, start_devnet, to_toml
from tidegate.sim import ExactWorld
from tidegate.venues import Entry, load_book
from tidegate.venues.executor import (
    GRACE_S,
    Change,
    Diff,
    ExecutorState,
    deploy_executor,
    encode_schedule,
)
from tidegate.venues.safe import SafeCall, approve_and_execute
from tidegate.venues.tokens import transfer

OWNERS = ("owner1", "owner3", "owner5")


class Home:
    """A project with a chain ``dev`` in its configuration, and the command line over it."""

    def __init__(self, folder: Path, world: ExactWorld, devnet: Any) -> None:
        self.folder, self.world, self.devnet = folder, world, devnet
        book = address_book(devnet, world)
        (folder / "book.toml").write_text(to_toml(book.as_mapping()))
        (folder / "tidegate.toml").write_text(
            f'[chains.dev]\nchain_id = {devnet.chain_id}\nkind = "devnet"\nblock_time_s = 1\n'
            f'book = "book.toml"\n\n[[chains.dev.endpoints]]\nname = "node"\nurl = "{world.url}"\n'
        )

    def deployed(self, name: str, delay_s: int) -> str:
        """Put an executor of the Safe into the chain and the project's book."""
        executor = deploy_executor(
            self.world,
            owner=self.devnet.owner_safe.address,
            treasury=self.devnet.accounts["treasury"],
            weth=self.devnet.weth,
            deployer=self.devnet.accounts["deployer"],
            delay_s=delay_s,
            guardians=(self.devnet.accounts["guardian"],),
        )
        path = self.folder / "book.toml"
        book = load_book(path.read_text()).with_entries(Entry(name=f"executor.{name}", address=executor))
        path.write_text(to_toml(book.as_mapping()))
        return executor

    def owner(self, executor: str, data: bytes) -> None:
        approve_and_execute(self.world, self.devnet.owner_safe, SafeCall(executor, data))

    def sign(self, file: str, capsys: Any) -> None:
        """Have three owners sign a proposal by command, and execute it."""
        for owner in OWNERS:
            self.told(capsys, "safe", "sign", file, "--chain", "dev", "--key", owner)
        self.told(capsys, "safe", "execute", file, "--chain", "dev", "--key", "admin")

    def told(self, capsys: Any, *words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        found = run_command([*words, "--json"])
        output = capsys.readouterr().out
        assert found == code, output
        value: dict[str, Any] = json.loads(output.splitlines()[-1])
        return value

    def desk(self, capsys: Any, verb: str, *words: str, code: int = 0) -> dict[str, Any]:
        return self.told(capsys, "desk", "atomic", verb, *words, "--chain", "dev", code=code)

    def wait(self, seconds: int) -> None:
        self.world.mine(timestamp=self.world.block().timestamp + seconds)


@pytest.fixture(scope="module")
def _node() -> Iterator[tuple[ExactWorld, Any]]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        world.set_mining("auto")
        yield world, devnet


@pytest.fixture
def project(_node: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    world, devnet = _node
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / ".tidegate"))
    with world.snapshot():
        yield Home(tmp_path, world, devnet)


@pytest.fixture
def strategy(project: Home, capsys: pytest.CaptureFixture[str]) -> str:
    project.told(capsys, "strategy", "new", "arb", "--template", "flash-arb")
    return "arb.yaml"


def test_a_policy_goes_through_the_safe_the_delay_and_a_guardian(
    project: Home, strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Propose, sign, execute; nothing before its eta; applied by a guardian; then no difference is left."""
    project.deployed("slow1", DAY_S)
    policy = ("strategy", "policy", strategy, "--executor", "slow1", "--chain", "dev")
    before = project.told(capsys, *policy, "--operator", "operator", "--diff", code=1)
    assert before["schedule"]
    assert before["tighten"] == []
    made = project.told(capsys, *policy, "--operator", "operator", "--safe", "policy.json")
    assert [one["file"] for one in made["proposals"]] == ["policy.json", "policy.apply.json"]
    project.sign("policy.json", capsys)

    waiting = project.desk(capsys, "changes", "--executor", "slow1")
    assert len(waiting["changes"]) == len(before["schedule"])
    assert {(one["state"], one["announced"]) for one in waiting["changes"]} == {("waiting", True)}
    nothing = project.desk(capsys, "apply", "--executor", "slow1")
    assert (nothing["sent"], nothing["lines"]) == ([], [])

    project.wait(DAY_S)
    assert {one["state"] for one in project.desk(capsys, "changes", "--executor", "slow1")["changes"]} == {
        "ripe"
    }
    assert len(project.desk(capsys, "apply", "--executor", "slow1")["sent"]) == 1
    assert project.desk(capsys, "changes", "--executor", "slow1")["changes"] == []
    assert project.told(capsys, *policy, "--operator", "operator", "--diff")["ok"]
    assert project.desk(capsys, "state", "--executor", "slow1")["unannounced"] == []


def test_more_than_32_changes_are_scheduled_in_parts(project: Home) -> None:
    changes = tuple(Change.cap(64 + number, 1) for number in range(64))
    state = ExecutorState(
        executor=project.devnet.executor,
        owner=project.devnet.owner_safe.address,
        pending_owner=project.devnet.weth,
        treasury=project.devnet.weth,
        weth=project.devnet.weth,
        delay_s=0,
        version=1,
        is_paused=False,
        entries=(),
        scheduled=(),
    )
    steps = steps_of(state, Diff(changes, ()))
    assert (len(steps.now), len(steps.later)) == (4, 0)
    for call in steps.now:
        project.owner(call.to, call.data)


def test_what_nobody_announced_is_shown_not_applied_and_cancelled_by_a_guardian(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = project.deployed("slow1", DAY_S)
    stranger = Change.spender(project.devnet.accounts["trader"])
    project.owner(executor, encode_schedule([stranger]))
    (one,) = project.desk(capsys, "changes", "--executor", "slow1", code=1)["changes"]
    assert (one["announced"], one["id"]) == (False, "0x" + stranger.id.hex())
    seen = project.desk(capsys, "state", "--executor", "slow1", code=1)
    assert [event["what"] for event in seen["unannounced"]] == ["scheduled"]
    project.wait(DAY_S)
    assert project.desk(capsys, "apply", "--executor", "slow1")["sent"] == []
    assert len(project.desk(capsys, "cancel", "--unannounced", "--executor", "slow1")["sent"]) == 1
    assert project.desk(capsys, "changes", "--executor", "slow1")["changes"] == []


def test_a_change_is_cancelled_by_the_first_digits_of_its_id_alone(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = project.deployed("slow1", DAY_S)
    kept, gone = Change.asset(project.devnet.weth), Change.spender(project.devnet.weth)
    project.owner(executor, encode_schedule([kept, gone]))
    project.desk(capsys, "cancel", gone.id.hex()[:6], "--executor", "slow1", code=3)
    project.desk(capsys, "cancel", "--executor", "slow1", code=3)
    project.desk(capsys, "cancel", gone.id.hex()[:10], "--executor", "slow1")
    left = project.desk(capsys, "changes", "--executor", "slow1", code=1)["changes"]
    assert [one["id"] for one in left] == ["0x" + kept.id.hex()]


def test_a_change_that_lapsed_is_said_and_not_applied(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = project.deployed("slow1", 100)
    project.owner(executor, encode_schedule([Change.asset(project.devnet.weth)]))
    project.wait(100 + GRACE_S + 1)
    (one,) = project.desk(capsys, "changes", "--executor", "slow1", code=1)["changes"]
    assert one["state"] == "lapsed"
    assert project.desk(capsys, "apply", "--unannounced", "--executor", "slow1")["sent"] == []


def allowed(project: Home, strategy: str, capsys: pytest.CaptureFixture[str], name: str = "main1") -> None:
    made = project.told(
        capsys, "strategy", "policy", strategy, "--executor", name, "--chain", "dev", "--safe", f"{name}.json"
    )
    assert made["proposals"]
    project.sign(f"{name}.json", capsys)


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (("uniswap_v3.router02:exactInputSingle",), {"uniswap_v3.router02.exactInputSingle"}),
        (("uniswap_v3.router02",), {"uniswap_v3.router02.exactInputSingle", "spender"}),
        (("WETH:0x095ea7b3",), {"WETH.approve"}),
        (("--protocol", "uniswap_v2"), {"uniswap_v2.router.swapExactTokensForTokens", "spender"}),
        (("--operator", "operator"), {"role of"}),
    ],
)
def test_a_guardian_revokes_a_function_a_contract_a_protocol_or_an_operator(
    project: Home, strategy: str, capsys: pytest.CaptureFixture[str], words, gone
) -> None:
    allowed(project, strategy, capsys)
    shown = project.desk(capsys, "revoke", *words, "--dry-run")
    assert shown["sent"] == []
    done = project.desk(capsys, "revoke", *words)
    assert done["lines"] == shown["lines"]
    assert len(done["sent"]) == 1
    for line, what in zip(sorted(done["lines"]), sorted(gone), strict=True):
        assert line.startswith(what)
    project.desk(capsys, "revoke", *words, code=3)  # nothing in force is of that name any more
    later = project.desk(capsys, "state", code=1)
    ours = [event for event in later["unannounced"] if event["what"] == "tightened"]
    assert ours == [] or words == ("--operator", "operator")


def test_a_key_without_the_role_revokes_nothing(
    project: Home, strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed(project, strategy, capsys)
    refused = project.desk(capsys, "revoke", "WETH", "--key", "trader", code=10)
    assert refused["code"] == "role_missing"
    project.desk(capsys, "revoke", "WETH", "--safe", "revoke.json")
    project.sign("revoke.json", capsys)
    project.desk(capsys, "revoke", "WETH", code=3)


def test_a_rescuer_sweeps_what_is_held_to_the_treasury_also_while_paused(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    world, devnet = project.world, project.devnet
    weth, trader, treasury = devnet.weth, devnet.accounts["trader"], devnet.accounts["treasury"]
    transfer(world, weth, devnet.executor, 10**18, holder=trader)
    world.set_balance(devnet.executor, 5)
    before = world.balance(treasury)
    refused = project.desk(capsys, "sweep", "--key", "guardian", code=10)
    assert refused["code"] == "role_missing"
    made = project.desk(capsys, "sweep", "--safe", "sweep.json")
    assert sorted(made["lines"]) == ["ETH: 5", f"WETH: {10**18}"]
    project.sign("sweep.json", capsys)
    assert world.balance(treasury) - before == 5
    assert project.desk(capsys, "sweep", "--key", "admin")["lines"] == []


def test_a_backup_is_made_equal_and_takes_over(
    project: Home, strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = project.deployed("backup1", 0)
    main = project.devnet.executor
    allowed(project, strategy, capsys)
    apart = project.desk(capsys, "diff", "main1", "backup1", code=1)
    assert apart["schedule"]
    assert apart["others"] == []
    project.desk(capsys, "switch", "main1", "backup1", code=13)
    project.desk(capsys, "diff", "main1", "backup1", "--safe", "sync.json")
    project.sign("sync.json", capsys)
    assert project.desk(capsys, "diff", "main1", "backup1")["ok"]
    refused = project.desk(capsys, "switch", "main1", "backup1", code=3)
    assert refused["found"] == "executor.main1, executor.backup1", "people wrote that book"
    (project.folder / "book.toml").rename(project.folder / "old.toml")
    text = (project.folder / "old.toml").read_text()
    book = load_book(text)
    kept = {name: entry for name, entry in book.contracts.items() if not name.startswith("executor.")}
    recorded = project.folder / ".tidegate" / "addresses" / "dev.toml"
    recorded.parent.mkdir(parents=True)
    own = {name: entry for name, entry in book.contracts.items() if name.startswith("executor.")}
    (project.folder / "book.toml").write_text(
        to_toml(msgspec.structs.replace(book, contracts=kept).as_mapping())
    )
    recorded.write_text(to_toml(msgspec.structs.replace(book, contracts=own, tokens={}).as_mapping()))
    done = project.desk(capsys, "switch", "main1", "backup1")
    assert len(done["sent"]) == 1
    after = load_book(recorded.read_text())
    assert (after.executor("main1").address, after.executor("backup1").address) == (backup, main)
    assert project.desk(capsys, "state", "--executor", "backup1", code=1)["state"]["is_paused"]
    assert not project.desk(capsys, "state", "--executor", "main1", code=1)["state"]["is_paused"]


def test_a_backup_of_another_treasury_or_delay_never_takes_over(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    project.deployed("backup1", 7)
    apart = project.desk(capsys, "diff", "main1", "backup1", code=1)
    assert [line.partition(":")[0] for line in apart["others"]] == ["delay"]
    project.desk(capsys, "switch", "main1", "backup1", code=13)


def test_deploying_by_command_dry_then_for_real_then_again(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        *("deploy", "executor", "--chain", "dev", "--owner", "safe:owner", "--treasury", "treasury"),
        *("--guardian", "guardian", "--number", "2"),
    )
    dry = project.told(capsys, *words, "--dry-run")
    (plan,) = dry["chains"]
    nonce = project.world.nonce(project.devnet.accounts["deployer"])
    done = project.told(capsys, *words)
    (chain,) = done["chains"]
    assert [one["address"] for one in chain["executors"]] == [one["address"] for one in plan["executors"]]
    assert project.world.nonce(project.devnet.accounts["deployer"]) == nonce + 2
    again = project.told(capsys, *words)
    assert again["chains"][0]["executors"] == chain["executors"]
    assert project.world.nonce(project.devnet.accounts["deployer"]) == nonce + 2
    project.told(capsys, "verify", "executor", "main2", "--chain", "dev")
    clash = project.told(capsys, *words[:-1], "1", code=10)
    wrong = [one["check"] for one in clash["chains"][0]["findings"] if not one["ok"]]
    assert wrong == ["main1"], "the book has a main1 already"
    project.told(capsys, *words, "--desk", "prediction", code=3)
    eoa = project.told(capsys, *words[:5], "treasury", *words[6:], code=3)
    assert eoa["found"] == "treasury"


def test_a_code_that_changed_under_the_book_stops_verify_addresses_with_13(
    project: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    project.told(capsys, "verify", "addresses", "--chain", "dev")
    project.world.set_code(project.devnet.uniswap_v3.factory, b"\x00")
    found = project.told(capsys, "verify", "addresses", "--chain", "dev", code=13)
    assert [one["name"] for one in found["addresses"] if one["verdict"] == "changed"] == [
        "uniswap_v3.factory"
    ]
    named = project.told(
        capsys, "verify", "addresses", "--chain", "dev", "--confirm", "uniswap_v3.factory", "--by", "ana"
    )
    assert named["confirmed"] == ["uniswap_v3.factory"]
    recorded = load_book((project.folder / ".tidegate" / "addresses" / "dev.toml").read_text())
    assert recorded.entry("uniswap_v3.factory").confirmed.startswith("ana, ")

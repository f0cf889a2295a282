"""``verify executor`` and ``verify addresses``: every demand can fail, and fails with its own exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.app.deploying.conftest import DAY_S, Ground

from tidegate.app.deploying import (
    Announcements,
    Verdict,
    confirm,
    judge_executor,
    look_at_addresses,
    read_executor,
    recorded,
    write_book,
)
from tidegate.app.deploying.looking import _code_of, _worst
from tidegate.app.deploying.observing import observe
from tidegate.app.deploying.owners import safe_findings
from tidegate.app.deploying.witnessing import put_down
from tidegate.app.devnet import act_as_owner, change_executor
from tidegate.chain import NETWORKS, keccak256
from tidegate.ledger import (
    AddressesCheckedBody,
    AdministrationBody,
    ExecutorStateBody,
    Journal,
    JournalReader,
    place_of,
)
from tidegate.model import ConfigError, ManualClock, RecordKind, Tampered
from tidegate.venues import Entry, load_book
from tidegate.venues.executor import (
    Change,
    Role,
    deploy_executor,
    encode_offer_ownership,
    encode_pause,
    encode_schedule,
)


def looked(ground: Ground, *, network=None, announced=(), wanted=None, entry=None, name="main1"):
    """Read and judge an executor; return the wrong demands and the exit code."""
    book = ground.place.book
    entry = entry or book.executor(name)

    async def work(pool):
        reading = await read_executor(pool, entry)
        safe = await safe_findings(pool, reading.state.owner)
        return judge_executor(
            reading, entry, book, network or pool.network, safe=safe, wanted=wanted, announced=announced
        )

    findings = ground.run(work)
    assert all(finding.found for finding in findings)
    return {finding.check for finding in findings if not finding.ok}, _code_of(findings)


def read(ground: Ground, name="main1"):
    return ground.run(lambda pool: read_executor(pool, ground.place.book.executor(name)))


def test_the_devnets_executor_keeps_every_demand(ground: Ground) -> None:
    assert looked(ground) == (set(), 0)


def test_a_role_that_the_book_does_not_know_is_found(ground: Ground) -> None:
    change_executor(ground.world, ground.devnet, [Change.role(ground.account("trader"), Role.RESCUER)])
    assert looked(ground) == ({"rescuers"}, 1)


def test_a_role_that_is_missing_is_found(ground: Ground) -> None:
    entry = ground.place.book.executor("main1")
    about = {**entry.about, "operators": f"{entry.about['operators']}, {ground.account('trader')}"}
    assert looked(ground, entry=msgspec.structs.replace(entry, about=about)) == ({"operators"}, 1)


def test_an_offered_ownership_and_a_pause_are_found(ground: Ground) -> None:
    act_as_owner(
        ground.world, ground.devnet, ground.devnet.executor, encode_offer_ownership(ground.account("trader"))
    )
    ground.world.transact(ground.devnet.executor, encode_pause(), sender=ground.account("guardian"))
    assert looked(ground) == ({"pending owner", "running"}, 1)


def test_other_code_is_tampered_and_exits_13(ground: Ground) -> None:
    code = ground.world.code(ground.devnet.executor)
    ground.world.set_code(ground.devnet.executor, code + b"\x00")
    assert looked(ground) == ({"code"}, 13)


def test_another_hash_in_the_book_exits_13(ground: Ground) -> None:
    entry = msgspec.structs.replace(ground.place.book.executor("main1"), code_hash="ab" * 32)
    assert looked(ground, entry=entry) == ({"code"}, 13)


@pytest.mark.parametrize(
    ("key", "value", "checks", "code"),
    [
        ("owner", "0x" + "11" * 20, {"owner"}, 13),
        ("delay_s", "86400", {"delay"}, 13),
        ("treasury", "0x" + "11" * 20, {"treasury"}, 1),
    ],
)
def test_what_the_book_says_otherwise_is_found(ground: Ground, key, value, checks, code) -> None:
    entry = ground.place.book.executor("main1")
    other = msgspec.structs.replace(entry, about={**entry.about, key: value})
    assert looked(ground, entry=other) == (checks, code)


def test_production_demands_a_day_of_delay_and_its_safe(ground: Ground) -> None:
    """The devnet's Safe is 3 of 5, its executor without delay: on mainnet that alone is wrong."""
    mainnet = msgspec.structs.replace(NETWORKS[1], chain_id=ground.place.network.chain_id)
    assert looked(ground, network=mainnet) == ({"delay"}, 13)


def test_an_owner_that_is_no_safe_is_wrong_on_a_live_chain_alone(ground: Ground) -> None:
    owner = ground.account("admin")
    executor = deploy_executor(
        ground.world,
        owner=owner,
        treasury=ground.account("treasury"),
        weth=ground.devnet.weth,
        deployer=ground.account("deployer"),
        delay_s=DAY_S,
    )
    known = {"owner": owner, "treasury": ground.account("treasury"), "delay_s": str(DAY_S)}
    entry = Entry(name="executor.other", address=executor, about=known)
    assert looked(ground, entry=entry) == (set(), 0)
    mainnet = msgspec.structs.replace(NETWORKS[1], chain_id=ground.place.network.chain_id)
    assert looked(ground, entry=entry, network=mainnet) == ({"owner"}, 13)


def test_a_policy_that_is_wider_than_the_strategies_need_is_found(ground: Ground) -> None:
    spender = Change.spender(ground.devnet.uniswap_v2.router)
    assert looked(ground, wanted=()) == (set(), 0)
    assert looked(ground, wanted=(spender,)) == ({"policy"}, 1)
    change_executor(ground.world, ground.devnet, [spender])
    assert looked(ground, wanted=(spender,)) == (set(), 0)
    assert looked(ground, wanted=()) == ({"policy"}, 1)


def test_a_scheduled_change_that_no_plan_file_announced_is_found(ground: Ground) -> None:
    change = Change.asset(ground.devnet.weth)
    act_as_owner(ground.world, ground.devnet, ground.devnet.executor, encode_schedule([change]))
    assert looked(ground) == ({"scheduled"}, 1)
    assert looked(ground, announced={change.id}) == (set(), 0)


def test_confirming_records_who_holds_what_in_the_projects_own_book(ground: Ground) -> None:
    stranger = ground.account("trader")
    change_executor(ground.world, ground.devnet, [Change.role(stranger, Role.RESCUER)])
    entry, reading = ground.place.book.executor("main1"), read(ground)
    updated = msgspec.structs.replace(entry, about={**entry.about, **recorded(reading)})
    path = write_book(ground.place, ground.place.book.with_entries(updated), [updated.name])
    book = load_book(path.read_text())
    assert book.executor("main1").about["rescuers"] == stranger
    assert looked(ground, entry=book.executor("main1")) == (set(), 0)


def test_nothing_is_recorded_where_there_is_no_file_for_it(ground: Ground) -> None:
    with pytest.raises(ConfigError, match="nothing can be recorded"):
        write_book(replace(ground.place, recorded=None), ground.place.book, ["WETH"])


def test_an_unannounced_event_is_journaled_once_and_marked(ground: Ground) -> None:
    ledger, planned = place_of(ground.home / "ledger.sqlite"), Change.asset(ground.devnet.weth)
    announced = Announcements(ground.home, "devnet", "main1")
    announced.add([planned], "the plan")
    assert announced.ids() == {planned.id}

    def look(now_ms: int):
        reading = read(ground)
        return put_down(
            ledger,
            lambda journal: (
                observe(reading, journal, chain_id=31337, announced=announced.ids(), now_ms=now_ms).bodies
            ),
        )[0]

    first = look(0)
    assert [type(body) for body in first][-1] is ExecutorStateBody
    assert [body.announced for body in first[:2]] == [True, True], "what the constructor did was ordered"
    assert look(0) == ()
    stranger = Change.spender(ground.account("trader"))
    act_as_owner(ground.world, ground.devnet, ground.devnet.executor, encode_schedule([planned, stranger]))
    told = [body for body in look(0) if isinstance(body, AdministrationBody)]
    assert [(body.what, body.announced) for body in told] == [("scheduled", True), ("scheduled", False)]
    assert look(0) == ()
    with JournalReader.open(ledger) as journal:
        (state,) = journal.standing(ExecutorStateBody.TOPIC)
        waiting = ExecutorStateBody.from_body(state.body).scheduled
        assert sorted(one.announced for one in waiting) == [False, True]
        at_ms = state.at_ms
    assert [type(body) for body in look(at_ms + DAY_S * 1000)] == [ExecutorStateBody], "a day later"


def addresses(ground: Ground, book=None):
    return ground.run(lambda pool: look_at_addresses(pool, book or ground.place.book))[1]


def test_every_address_of_the_devnets_book_is_verified(ground: Ground) -> None:
    found = addresses(ground)
    assert {one.verdict for one in found} == {Verdict.SAME, Verdict.ACCOUNT}
    assert _worst(found) == 0
    assert [one.name for one in found if one.verdict is Verdict.ACCOUNT] == ["treasury"]


def changed(ground: Ground, **fields):
    entry = msgspec.structs.replace(ground.place.book.entry("uniswap_v3.factory"), **fields)
    return ground.place.book.with_entries(entry)


@pytest.mark.parametrize(
    ("fields", "verdict", "code"),
    [
        ({"code_hash": "ab" * 32}, Verdict.CHANGED, 13),
        ({"address": "0x" + "11" * 20}, Verdict.CHANGED, 13),
        ({"address": "0x" + "11" * 20, "code_hash": ""}, Verdict.NO_CODE, 1),
        ({"source": ""}, Verdict.NO_SOURCE, 1),
        ({"source": "https://example.org/"}, Verdict.NO_SOURCE, 1),
        ({"source": "https://example.org/", "date": "2026-11-20"}, Verdict.SAME, 0),
        ({"probe": "feeAmountTickSpacing(uint24=3000)(int24)", "answer": "61"}, Verdict.WRONG_ANSWER, 1),
        ({"probe": "feeAmountTickSpacing(uint24=3000)(int24)", "answer": "60"}, Verdict.SAME, 0),
        ({"probe": "noSuchView()(address)", "answer": "0x"}, Verdict.WRONG_ANSWER, 1),
        ({"code_hash": ""}, Verdict.UNVERIFIED, 12),
    ],
)
def test_each_verdict_of_an_address_and_its_exit_code(ground: Ground, fields, verdict, code) -> None:
    found = addresses(ground, changed(ground, **fields))
    assert next(one for one in found if one.name == "uniswap_v3.factory").verdict is verdict
    assert _worst(found) == code


def test_an_address_stays_unverified_until_a_person_confirms_it(ground: Ground) -> None:
    book = changed(ground, code_hash="")
    assert not book.entry("uniswap_v3.factory").is_verified
    after = confirm(book, addresses(ground, book), ["uniswap_v3.factory"], note="ana, block 7")
    entry = after.entry("uniswap_v3.factory")
    assert entry.code_hash == keccak256(ground.world.code(entry.address)).hex()
    assert entry.confirmed == "ana, block 7"
    assert entry.is_verified
    path = write_book(ground.place, after, [entry.name])
    assert load_book(path.read_text()).contracts == {entry.name: entry}


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("router", {}, {"edition": "swap_router"}), ("router02", {"edition": "swap_router"}, {})],
)
def test_confirming_a_router_records_the_edition_that_its_code_speaks(ground: Ground, name, wrong, right):
    """Bytes for one router never go to the other, whatever a book said of it."""
    full = f"uniswap_v3.{name}"
    entry = msgspec.structs.replace(ground.place.book.entry(full), code_hash="", about=wrong)
    book = ground.place.book.with_entries(entry)
    after = confirm(book, addresses(ground, book), [full], note="ana, block 7")
    assert after.entry(full).about == right


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        (
            {"probe": "noSuchView()(address)", "answer": "0x", "code_hash": ""},
            Tampered,
            "not what the book says",
        ),
        ({"source": "", "code_hash": ""}, ConfigError, "can not be confirmed"),
        ({"address": "0x" + "11" * 20, "code_hash": ""}, ConfigError, "can not be confirmed"),
    ],
)
def test_what_is_wrong_is_not_confirmed(ground: Ground, fields, error, says) -> None:
    book = changed(ground, **fields)
    with pytest.raises(error, match=says):
        confirm(book, addresses(ground, book), ["uniswap_v3.factory"], note="ana")
    with pytest.raises(ConfigError, match="is not in the book"):
        confirm(book, addresses(ground, book), ["nobody"], note="ana")


def test_a_look_that_can_not_be_written_says_so(ground: Ground, tmp_path: Path) -> None:
    body = AddressesCheckedBody(chain_id=1, chain="c", at_block=1, addresses=())
    ledger = place_of(tmp_path / "ledger.sqlite")
    with Journal.open(ledger, clock=ManualClock(1)):
        bodies, where = put_down(ledger, lambda _: (body,))
    assert bodies == ()
    assert where.startswith("NO: ")
    bodies, where = put_down(ledger, lambda _: (body,))
    assert where.startswith("seq ")
    with JournalReader.open(ledger) as journal:
        (record,) = journal.records(RecordKind.ADDRESSES_CHECKED)
        assert json.loads(record.body_json)["chain"] == "c"

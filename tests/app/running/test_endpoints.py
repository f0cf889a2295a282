"""Street spec 1.1: a quarantine is an alert, is journaled, and ends by an operator's command alone."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chain.rpc.support import eventually

from tidegate.app import cli
from tidegate.app.config import FILE_NAME, STRATEGY, TEXT
from tidegate.app.devnet import Devnet, address_book, start_devnet, to_toml
from tidegate.app.running import Pools
from tidegate.app.stopping.lifting import note_for
from tidegate.chain import devnet_network
from tidegate.chain.rpc import Endpoint, EndpointState, PoolEvent, RpcPool
from tidegate.desks.atomic import template_text
from tidegate.ledger import LEDGER, EndpointBody, Journal, JournalReader
from tidegate.model import (
    ManualClock,
    NullRecorder,
    RecordKind,
    SystemClock,
    TidegateError,
    Unavailable,
)
from tidegate.risk import StopFolder
from tidegate.sim import ExactWorld, Fault, FaultProxy

NETWORK = devnet_network(31_337, block_time_s=1)
RESUME = ("resume", "--reason", "its URL was mended", "--evidence", "ticket 9", "--by", "ada")
Typed = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def ground() -> Iterator[tuple[ExactWorld, Devnet]]:
    world, devnet = start_devnet(block_time_s=1)
    with world:
        yield world, devnet


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tidegate.app.cli.resume_endpoint._WAIT_S", 60.0)  # the run beside it may be slow
    monkeypatch.delenv("TIDEGATE_CONFIG", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    def one(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = cli.run_command([*words, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return one


def told(home: Path) -> list[tuple[str, str, str]]:
    """Return what the journal tells of endpoints: (name, state, who), oldest first."""
    with JournalReader.open(home / LEDGER) as reader:
        bodies = [EndpointBody.from_body(record.body) for record in reader.records(kind=EndpointBody.KIND)]
    return [(body.name, body.state, body.who) for body in bodies]


QUARANTINED = ("devnet.c", "quarantined", "")
LET_GO = ("devnet.c", "cooling", "ada")


@contextlib.asynccontextmanager
async def running(home: Path, proxies: list[FaultProxy]) -> AsyncIterator[None]:
    """Run the desk in shadow, as a process, on a chain with endpoints a, b and c, until the block ends."""
    listed = ", ".join(
        f"{{name = '{name}', url = '{proxy.url}', operator = '{name}'}}"
        for name, proxy in zip("abc", proxies, strict=True)
    )
    settings = (f"endpoints=[{listed}]", "book='addresses.toml'", "block_time_s=1.0")
    words = [sys.executable, "-m", "tidegate", "run", "--stage", "shadow", "--json"]
    words += [word for one in settings for word in ("--set", f"chains.devnet.{one}")]
    before = _starts(home)
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        await eventually(lambda: process.returncode is not None or _starts(home) > before, within_s=240)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        answer, _ = await process.communicate()
    assert process.returncode == 0, answer.decode()


def _starts(home: Path) -> int:
    """Return how many runs have begun: each is a session in the journal."""
    if not (home / LEDGER).exists():
        return 0
    with contextlib.suppress(TidegateError), JournalReader.open(home / LEDGER) as reader:
        return sum("run" in record.body for record in reader.records(kind=RecordKind.SESSION))
    return 0  # it is being made


def project(home: Path, ground: tuple[ExactWorld, Devnet]) -> str:
    world, devnet = ground
    (home.parent / FILE_NAME).write_text(TEXT, encoding="utf-8")
    (home.parent / STRATEGY).parent.mkdir()
    (home.parent / STRATEGY).write_text(template_text("flash-arb"), encoding="utf-8")
    book = address_book(devnet, world)
    (home.parent / "addresses.toml").write_text(to_toml(book.as_mapping()), encoding="utf-8")
    return world.url


def test_a_running_process_lets_go_of_a_quarantined_endpoint_within_a_second_of_the_command(
    home, ground, typed
):
    url = project(home, ground)

    async def conversation() -> None:
        async with FaultProxy(url) as a, FaultProxy(url) as b, FaultProxy(url) as c:
            c.fault = Fault.WRONG_CHAIN
            async with running(home, [a, b, c]):
                assert told(home) == [QUARANTINED], "an alert is a record"
                code, listed = await asyncio.to_thread(typed, "stop", "--list")
                assert [one["name"] for one in listed["endpoints"]] == ["devnet.c"]
                assert listed["endpoints"][0]["detail"] == "wrong_chain_id: expected 31337, was 1"

                code, answer = await asyncio.to_thread(typed, *RESUME, "--endpoint", "devnet.c")
                assert (code, answer["code"]) == (20, "quarantined_again"), "it is asked who it is first"
                assert told(home) == [QUARANTINED, LET_GO, QUARANTINED]

                c.fault, c.requests = Fault.NONE, 0
                code, answer = await asyncio.to_thread(typed, *RESUME, "--endpoint", "devnet.c")
                assert (code, answer["asked_again"]) == (0, True)
                assert told(home)[3:] == [LET_GO]
                await eventually(lambda: c.methods["eth_getBlockByNumber"] > 0)
        with JournalReader.open(home / LEDGER) as reader:
            *_, last = reader.records(kind=EndpointBody.KIND)
            assert last.body["detail"] == "its URL was mended (evidence: ticket 9)"
            assert reader.verify().records > 0

    asyncio.run(conversation())


async def started(home: Path, *proxies: FaultProxy) -> tuple[EndpointState, int]:
    """Start a pool as a new process would; return the last endpoint's state, and the number of alerts."""
    events: list[PoolEvent] = []
    with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
        pools = Pools(journal, SystemClock(), NullRecorder(), events.append)
        endpoints = [Endpoint(name, one.url) for name, one in zip("ac", proxies, strict=True)]
        async with pools.open(NETWORK, endpoints) as pool:
            return pool.report[-1].state, len(events)


def test_a_quarantine_survives_a_restart_and_is_asked_by_nobody_until_a_person_says_so(home, ground, typed):
    async def conversation() -> None:
        async with FaultProxy(ground[0].url) as a, FaultProxy(ground[0].url) as c:
            c.fault = Fault.WRONG_CHAIN
            assert await started(home, a, c) == (EndpointState.QUARANTINED, 1)
            c.fault, c.requests = Fault.NONE, 0
            assert await started(home, a, c) == (EndpointState.QUARANTINED, 0), "the same one is no new alert"
            assert c.requests == 0
            code, answer = await asyncio.to_thread(typed, *RESUME, "--endpoint", "devnet.c")
            assert (code, answer["asked_again"]) == (0, False), "nobody runs: the next start asks it"
            assert await started(home, a, c) == (EndpointState.HEALTHY, 0)
            assert told(home) == [QUARANTINED, LET_GO]

    asyncio.run(conversation())


@pytest.mark.slow
def test_a_process_started_again_keeps_the_quarantine_and_its_fast_worlds_do_too(home, ground, typed):
    url = project(home, ground)

    async def conversation() -> None:
        async with FaultProxy(url) as a, FaultProxy(url) as b, FaultProxy(url) as c:
            c.fault = Fault.WRONG_CHAIN
            async with running(home, [a, b, c]):
                pass
            c.fault, c.requests = Fault.NONE, 0
            async with running(home, [a, b, c]):
                assert told(home) == [QUARANTINED], "the same quarantine is no new alert"
            assert c.requests == 0
            code, answer = await asyncio.to_thread(typed, *RESUME, "--endpoint", "devnet.c")
            assert (code, answer["asked_again"]) == (0, False), "nobody runs: the next start asks it"
            async with running(home, [a, b, c]):
                await eventually(lambda: c.methods["eth_getBlockByNumber"] > 0)
            assert told(home) == [QUARANTINED, LET_GO]

    asyncio.run(conversation())


def test_where_all_endpoints_are_quarantined_the_start_says_who_ends_it(ground):
    async def conversation() -> None:
        async with FaultProxy(ground[0].url) as proxy:
            pool = RpcPool(NETWORK, [Endpoint("c", proxy.url)], quarantined={"c": "was 1", "gone": "was 2"})
            with pytest.raises(Unavailable) as caught:
                await pool.start()
            assert "c (quarantined): was 1" in caught.value.found
            assert "tidegate resume --endpoint" in caught.value.fix
            assert proxy.requests == 0

    asyncio.run(conversation())


class Full:
    """A journal whose disk is full while ``is_full``."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self.is_full = journal, True

    def append(self, *arguments: Any, **named: Any) -> Any:
        if self.is_full:
            raise Unavailable("no space left")
        return self._journal.append(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


def test_an_alert_that_can_not_be_written_is_written_later_and_nothing_is_let_go_before(home, ground):
    async def conversation() -> None:
        events: list[Any] = []
        async with FaultProxy(ground[0].url) as proxy, FaultProxy(ground[0].url) as other:
            with Journal.open(home / LEDGER, clock=SystemClock()) as journal:
                full = Full(journal)
                pools = Pools(full, ManualClock(1), NullRecorder(), events.append)
                other.fault = Fault.WRONG_CHAIN
                async with pools.open(NETWORK, [Endpoint("a", proxy.url), Endpoint("c", other.url)]) as pool:
                    state = {one.name: one for one in pool.report}
                    assert state["c"].state is EndpointState.QUARANTINED
                    assert [event.endpoint for event in events] == ["c"], "heard, though not written"
                    other.fault = Fault.NONE
                    folder = StopFolder(home)
                    folder.write_note(_note("devnet.c"))
                    with pytest.raises(Unavailable):
                        await pools.take_notes(folder)
                    assert len(list(folder.notes())) == 1
                    assert {one.name: one for one in pool.report}["c"].state is EndpointState.QUARANTINED
                    full.is_full = False
                    await pools.take_notes(folder)
                    assert list(folder.notes()) == []
                    assert {one.name: one for one in pool.report}["c"].state is EndpointState.HEALTHY
        assert told(home) == [QUARANTINED, LET_GO]

    asyncio.run(conversation())


def _note(endpoint: str) -> Any:
    return note_for(scope="", endpoint=endpoint, who="ada", reason="r", evidence="e", at_ms=1)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--endpoint", "devnet.nobody"), 3, "nothing_stopped"),
        (("--endpoint", "devnet.c", "--scope", "global"), 2, "usage"),
        ((), 2, "usage"),
    ],
)
def test_what_is_not_quarantined_or_not_said_clearly_is_refused(home, typed, words, code, named):
    found, answer = typed(*RESUME, *words)
    assert (found, answer["code"]) == (code, named)


def test_a_release_names_who_why_and_evidence(home, typed):
    code, _ = typed("resume", "--endpoint", "devnet.c", "--reason", "mended")
    assert code == 2

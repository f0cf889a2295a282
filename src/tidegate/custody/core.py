"""The signer's core: requests in, answers out. No socket, no file, no network (``street.md`` 5.1).

Every answer, yes or no, is one record of the signer's own journal, on disk before the signature
leaves; the requests of one call share one commit. What is remembered is a fold of those records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from tidegate.chain import Network, keccak256
from tidegate.custody.asking import Ask, SignerRules, World
from tidegate.custody.checks import CHECKS
from tidegate.custody.content import UNREAD, Content
from tidegate.custody.envelope import Issuer
from tidegate.custody.governing import CheckFailed, demand_administrator, freeze, load, revoke, unfreeze
from tidegate.custody.pinning import pinned
from tidegate.custody.ports import AnswerJournal, KeyHandle, Witness
from tidegate.custody.records import AnswerBody, CapabilityBody, FreezeBody, NonceUse, Signing
from tidegate.custody.requests import (
    REQUESTS_MAX,
    AddressAnswer,
    AddressOf,
    Answer,
    Done,
    Freeze,
    LoadCapability,
    Loaded,
    Refused,
    Request,
    Revoke,
    Signed,
    SignedTyped,
    SignTransaction,
    SignTypedData,
    Status,
    Unfreeze,
)
from tidegate.custody.state import SignerState
from tidegate.custody.status import status_of
from tidegate.custody.steady import SteadyTime
from tidegate.custody.transactions import decode_unsigned, sign
from tidegate.custody.typed_data import decode_typed
from tidegate.ledger import Entry
from tidegate.model import (
    Address,
    Clock,
    Denied,
    Metric,
    NullRecorder,
    Reason,
    Recorder,
    UnsignedTransaction,
)

_NONCE_MAX = 2**53
_TEXT_MAX = 500
_Body: TypeAlias = AnswerBody | CapabilityBody | FreezeBody
_Decision: TypeAlias = tuple[_Body, Callable[[], Answer]]
"""What goes into the journal, and how the answer is made once it is there."""


class SignerCore:
    """Holds keys and capabilities; signs what every check allows.

    Parameters
    ----------
    keys
        Keys by name.
    journal
        The signer's own; folded at once, then appended to.
    issuers
        The public keys that its owner pinned.
    networks
        Every chain that may be signed for, by id: one that is not here has no capability.
    witness
        What is known of the chains; None is enough for devnets, and forks on throw-away keys.

    Raises
    ------
    Unavailable, Tampered
        If the journal can not be read.
    ConfigError
        If a key can not be pinned (``pinned``).
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, KeyHandle],
        journal: AnswerJournal,
        clock: Clock,
        issuers: Iterable[Issuer],
        networks: Mapping[int, Network],
        witness: Witness | None = None,
        rules: SignerRules | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._keys = dict(keys)
        self._journal = journal
        self._time = SteadyTime(clock)
        self._world = World(networks, witness, rules or SignerRules())
        self._recorder = recorder or NullRecorder()
        self._lost_by = ""
        self._state = SignerState(pinned(issuers))
        for record in journal.records():
            self._state.fold(record)
        self._recorder.set(Metric.SIGNER_FROZEN, int(self._state.is_frozen))

    @property
    def store_is_lost(self) -> bool:
        """Say whether the journal failed: then everything is refused until a new start."""
        return bool(self._lost_by)

    def handle(self, requests: Sequence[Request], *, is_admin: bool, asked_by: str = "") -> list[Answer]:
        """Answer 1 to 64 requests in their order, with one durable commit before any answer leaves.

        Parameters
        ----------
        is_admin
            Whether they came over the administrator's socket.
        asked_by
            Who asked, for the journal: ``uid 1001``.

        Raises
        ------
        ValueError
            If there are none, or more than 64.
        """
        if not 1 <= len(requests) <= REQUESTS_MAX:
            raise ValueError(f"requests must be 1 to {REQUESTS_MAX}, was {len(requests)}")
        decisions: list[_Decision] = []
        now_ms = self._time.latest_ms()
        with _LosingStore(self):
            for request in requests if not self._lost_by else ():
                body, finish = self._decide(request, is_admin=is_admin, asked_by=asked_by, now_ms=now_ms)
                self._state.apply(body)
                decisions.append((body, finish))
            if decisions:
                self._journal.append_many(
                    [
                        Entry(body.KIND, body, "signer", getattr(request, "intent_id", ""))
                        for request, (body, _) in zip(requests, decisions, strict=True)
                    ]
                )
        if self._lost_by:
            return [self._counted(_store_lost(self._lost_by)) for _ in requests]
        self._recorder.set(Metric.SIGNER_FROZEN, int(self._state.is_frozen))
        return [self._counted(_finished(finish)) for _, finish in decisions]

    def questions(self, requests: Sequence[Request]) -> frozenset[tuple[int, Address]]:
        """Return the (chain id, address) pairs whose code the witness must have read for ``requests``."""
        wanted: set[tuple[int, Address]] = set()
        for request in requests:
            held = self._state.held.get(getattr(request, "capability_id", ""))
            if not isinstance(request, SignTransaction) or held is None:
                continue
            try:
                content = decode_unsigned(request.unsigned)
            except Denied:
                continue  # refused when it is handled
            if content.to is not None and content.to in held.capability.by_target:
                wanted.add((content.chain_id, content.to))
        return frozenset(wanted)

    def note(self, verb: str, found: str, *, asked_by: str = "", reason: Reason = Reason.MALFORMED) -> None:
        """Journal what never became a request: a wrong uid, a malformed frame."""
        body = AnswerBody(
            verb=verb,
            at_ms=self._time.latest_ms(),
            check="connection",
            reason=reason,
            found=found[:_TEXT_MAX],
            asked_by=asked_by,
        )
        with _LosingStore(self):
            if not self._lost_by:
                self._journal.append_many([Entry(body.KIND, body, "signer")])
        self._recorder.count(Metric.SIGNER_REQUESTS, result="no", check="connection")

    def _decide(self, request: Request, *, is_admin: bool, asked_by: str, now_ms: int) -> _Decision:
        base = AnswerBody(
            verb=str(type(request).__struct_config__.tag),
            at_ms=now_ms,
            key=getattr(request, "key", ""),
            capability_id=getattr(request, "capability_id", ""),
            asked_by=asked_by,
        )
        try:
            return self._allowed(request, base, is_admin=is_admin, now_ms=now_ms)
        except CheckFailed as failure:
            check, denied = failure.check, failure.denied
        except Exception as error:  # noqa: BLE001 - what no check foresaw is refused and recorded
            check = "failed"
            denied = Denied(
                Reason.FAILED, "a check ended with an error", found=f"{type(error).__name__}: {error}"
            )
        refused = Refused(
            check=check,
            reason=denied.reason,
            message=denied.message,
            found=(denied.found or "")[:_TEXT_MAX],
            allowed=(denied.allowed or "")[:_TEXT_MAX],
            fix=denied.fix or "",
        )
        body = msgspec.structs.replace(
            base,
            check=check,
            reason=refused.reason,
            message=refused.message,
            found=refused.found,
            allowed=refused.allowed,
        )
        return body, lambda: refused

    def _allowed(self, request: Request, base: AnswerBody, *, is_admin: bool, now_ms: int) -> _Decision:
        body: _Body
        keys = self._keys.values()
        match request:
            case SignTransaction() | SignTypedData():
                return self._sign(request, base, now_ms)
            case LoadCapability():
                body = load(request, self._state, keys=keys, world=self._world, now_ms=now_ms)
                answer: Answer = Loaded(capability_id=body.capability_id, replaced=body.replaced)
            case Freeze():
                body = freeze(request, self._state, keys=keys, is_admin=is_admin, now_ms=now_ms)
                answer = Done(verb="freeze")
            case Unfreeze():
                body = unfreeze(request, self._state, keys=keys, is_admin=is_admin, now_ms=now_ms)
                answer = Done(verb="unfreeze")
            case Revoke():
                demand_administrator("revoke", is_admin=is_admin)
                body = revoke(request, self._state, keys=keys, now_ms=now_ms)
                answer = Done(verb="revoke")
            case AddressOf():
                key = self._key(request.key)
                body = base
                answer = AddressAnswer(key=request.key, address=key.address, is_throw_away=key.is_throw_away)
            case Status():
                body = base
                answer = status_of(self._state, self._keys, now_ms=now_ms, freed_ms=self._time.earliest_ms())
        if isinstance(body, CapabilityBody | FreezeBody):
            body = msgspec.structs.replace(body, asked_by=base.asked_by)
        return body, lambda: answer

    def _sign(self, request: SignTransaction | SignTypedData, base: AnswerBody, now_ms: int) -> _Decision:
        key = self._key(request.key)
        content, digest = self._content(request)
        ask = Ask(
            request,
            content=content,
            digest=digest,
            key=key,
            state=self._state,
            world=self._world,
            now_ms=now_ms,
            freed_ms=self._time.earliest_ms(),
        )
        for name, check in CHECKS:
            try:
                check(ask)
            except Denied as denied:
                raise CheckFailed(name, denied) from denied
        body = msgspec.structs.replace(base, signing=_signing(ask))
        return body, lambda: _signature(request, key, digest)

    def _content(self, request: SignTransaction | SignTypedData) -> tuple[Content, bytes]:
        held = self._state.held.get(request.capability_id)
        is_refused = self._state.is_frozen or held is None or not held.capability.typed_domains
        if is_refused and isinstance(request, SignTypedData):  # exits sign none either
            return UNREAD, b""  # reading it is the dearest thing that can be asked
        return _content(request)

    def _key(self, name: str) -> KeyHandle:
        if name not in self._keys:
            denied = Denied(
                Reason.KEY_UNKNOWN,
                "the signer holds no key of this name",
                found=name,
                allowed=", ".join(sorted(self._keys)) or "no key",
                fix="tidegate keys list",
            )
            raise CheckFailed("key", denied)
        return self._keys[name]

    def _counted(self, answer: Answer) -> Answer:
        is_refused = isinstance(answer, Refused)
        check = answer.check if isinstance(answer, Refused) else "none"
        self._recorder.count(Metric.SIGNER_REQUESTS, result="no" if is_refused else "yes", check=check)
        return answer


class _LosingStore:
    """Where an error means that memory and journal may differ: from then on all is refused."""

    def __init__(self, core: SignerCore) -> None:
        self._core = core

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if kind is None:
            return False
        self._core._lost_by = f"{kind.__name__}: {error}"[:_TEXT_MAX]
        return issubclass(kind, Exception)  # an interrupt goes on its way; the store is lost all the same


def _content(request: SignTransaction | SignTypedData) -> tuple[Content, bytes]:
    """Return what is to be signed, decoded once, and the hash that the signature covers."""
    try:
        if isinstance(request, SignTypedData):
            typed = decode_typed(request.typed)
            return typed, typed.digest
        transaction = decode_unsigned(request.unsigned)
        if transaction.nonce > _NONCE_MAX:
            raise Denied(
                Reason.MALFORMED,
                "no account has such a nonce",
                found=str(transaction.nonce),
                allowed=f"at most {_NONCE_MAX}",
            )
    except Denied as denied:
        raise CheckFailed("form", denied) from denied
    return transaction, keccak256(request.unsigned)


def _signing(ask: Ask) -> Signing:
    judgement, content = ask.judge(), ask.content
    assert judgement is not None  # a refusal by a policy has failed the last check
    nonce = None
    if isinstance(content, UnsignedTransaction):
        nonce = NonceUse(
            nonce=content.nonce,
            content=ask.content_digest(),
            is_cancel=ask.is_cancel,
            max_fee_wei=content.max_fee_wei,
            max_priority_fee_wei=content.max_priority_fee_wei,
        )
    return Signing(
        line=ask.held.line,
        digest=ask.digest,
        charge=ask.charge(judgement),
        total=ask.total(judgement),
        nonce=nonce,
    )


def _signature(request: SignTransaction | SignTypedData, key: KeyHandle, digest: bytes) -> Answer:
    if isinstance(request, SignTransaction):
        signed = sign(request.unsigned, key)
        return Signed(hash=signed.hash, raw=signed.raw, sender=signed.sender)
    raw = key.sign_digest(digest)
    return SignedTyped(digest=digest, signature=raw[:64] + bytes((raw[64] + 27,)), signer=key.address)


def _finished(finish: Callable[[], Answer]) -> Answer:
    try:
        return finish()
    except Exception as error:  # noqa: BLE001 - a key that fails signs nothing; its nonce stays used
        return Refused(
            check="key", reason=Reason.FAILED, message="the key did not sign", found=type(error).__name__
        )


def _store_lost(by: str) -> Refused:
    return Refused(
        check="store",
        reason=Reason.STORE_LOST,
        message="the signer's journal can not be written: everything is refused",
        found=by,
        allowed="a journal on disk before each answer",
        fix="free space or mend the disk, then start the signer again",
    )

"""One request for a signature with all that the checks look at, and the judgement of its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tidegate.chain import Network
from tidegate.custody.content import Content, Judgement
from tidegate.custody.ports import KeyHandle, Witness
from tidegate.custody.records import Charge
from tidegate.custody.requests import SignTransaction, SignTypedData
from tidegate.custody.state import Held, SignerState, UsedNonce
from tidegate.custody.transactions import is_cancel
from tidegate.custody.valuation import gas_usd_e6, value_content
from tidegate.custody.windows import DAY_MS
from tidegate.model import Denied, UnsignedTransaction, canonical_json, sha256_hex


class SignerRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the signer's owner sets. ``witness_quorum`` is how many providers must agree on a code."""

    witness_age_max_s: int = 600
    witness_quorum: int = 1
    replacements_max: int = 16


@dataclass(frozen=True, slots=True)
class World:
    """What is the same for every request: networks, witness and rules."""

    networks: Mapping[int, Network]
    witness: Witness | None
    rules: SignerRules


class Ask:
    """A request on its way through the checks; ``digest`` is the hash that would be signed.

    ``now_ms`` is the time by which things end, ``freed_ms`` the one by which limits come free.
    """

    __slots__ = (
        "_judgement",
        "content",
        "digest",
        "freed_ms",
        "is_cancel",
        "is_judged_by_policy",
        "key",
        "now_ms",
        "refusal",
        "request",
        "state",
        "world",
    )

    def __init__(
        self,
        request: SignTransaction | SignTypedData,
        *,
        content: Content,
        digest: bytes,
        key: KeyHandle,
        state: SignerState,
        world: World,
        now_ms: int,
        freed_ms: int,
    ) -> None:
        self.request = request
        self.content = content
        self.digest = digest.hex()
        self.key = key
        self.state = state
        self.world = world
        self.now_ms = now_ms
        self.freed_ms = freed_ms
        self.is_cancel = isinstance(content, UnsignedTransaction) and is_cancel(content, key.address)
        self.is_judged_by_policy = False
        self.refusal: Denied | None = None
        self._judgement: Judgement | None = None

    @property
    def now_s(self) -> int:
        """Return the time in seconds."""
        return self.now_ms // 1000

    @property
    def held(self) -> Held:
        """Return the capability that is asked for; the checks have seen that it is there."""
        return self.state.held[self.request.capability_id]

    @property
    def earlier(self) -> UsedNonce | None:
        """Return what the nonce was signed with before, if it was."""
        if not isinstance(self.content, UnsignedTransaction):
            return None
        return self.state.used_nonce(self.key.address, self.content.chain_id, self.content.nonce)

    @property
    def is_repeat(self) -> bool:
        """Say whether these very bytes were signed before: the same signature, nothing charged."""
        if not isinstance(self.content, UnsignedTransaction):
            return self.state.has_signed_typed(self.key.address, self.digest, self.now_ms)
        earlier = self.earlier
        return earlier is not None and self.digest in earlier.digests

    def judge(self) -> Judgement | None:
        """Return what the content moves and risks, or None if a policy refuses it (``refusal``).

        Raises
        ------
        Denied
            ``unvalued`` if no policy judges it and a price is missing.
        """
        if self._judgement is None and self.refusal is None:
            self._judgement = self._judged()
        return self._judgement

    def total(self, judgement: Judgement) -> Charge:
        """Return what the content costs by itself."""
        return Charge(
            notional_usd_e6=judgement.notional_usd_e6,
            at_risk_usd_e6=judgement.at_risk_usd_e6,
            transactions=1,
            unvalued=judgement.unvalued,
        )

    def charge(self, judgement: Judgement) -> Charge:
        """Return what it takes from the day's limits: of a replacement only what it costs more."""
        if self.is_repeat:
            return Charge()
        total, earlier = self.total(judgement), self.earlier
        if earlier is None or earlier.line != self.held.line or self.now_ms - earlier.charged_at_ms >= DAY_MS:
            return total
        return Charge(
            notional_usd_e6=max(0, total.notional_usd_e6 - earlier.charged.notional_usd_e6),
            at_risk_usd_e6=max(0, total.at_risk_usd_e6 - earlier.charged.at_risk_usd_e6),
            transactions=0,
        )

    def content_digest(self) -> str:
        """Return the digest of to, value and data: what must stay the same under one nonce."""
        assert isinstance(self.content, UnsignedTransaction)
        parts = [self.content.to, str(self.content.value_wei), self.content.data.hex()]
        return sha256_hex(canonical_json(parts))

    def _judged(self) -> Judgement | None:
        held = self.held
        if self.is_cancel:
            assert isinstance(self.content, UnsignedTransaction)
            return Judgement(0, gas_usd_e6(self.content, held.prices), is_exit=True)
        judgements = []
        try:
            for policy in held.policies:
                judgement = policy(self.content, held.prices, self.now_s)
                if judgement is not None:
                    judgements.append(judgement)
        except Denied as refusal:
            self.is_judged_by_policy, self.refusal = True, refusal
            return None
        if not judgements:
            return value_content(self.content, held.prices)
        self.is_judged_by_policy = True
        return Judgement(
            max(one.notional_usd_e6 for one in judgements),
            max(one.at_risk_usd_e6 for one in judgements),
            all(one.is_exit for one in judgements),
        )

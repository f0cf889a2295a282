"""Changes of an executor: what the owner schedules, and which changes it refuses (4.6, 4.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from tidegate.chain import address, keccak256, selector
from tidegate.model import Address, ConfigError
from tidegate.venues.executor.policy import (
    APPROVE,
    APPROVE_WORD,
    CAP_KEYS,
    TRANSFER,
    Permission,
    RuleKind,
    parse_policy,
    parse_policy_key,
    policy_key,
)
from tidegate.venues.executor.program import FlashKind

CHANGES_MAX = 32
GUARDED_MAX = 8
GRACE_S = 1_209_600
"""How long after its eta a change may still be applied."""

_LOSS_FLAG = 1 << 255


class ChangeKind(IntEnum):
    """What a change is about; its key and word are read by this."""

    POLICY = 1
    LENDER = 2
    SPENDER = 3
    ASSET = 4
    CAP = 5
    LOSS_LIMIT = 6
    ROLE = 7
    TREASURY = 8
    UNGUARD = 9


class Role(IntEnum):
    """The roles an address may hold, one at most; the owner holds none."""

    OPERATOR = 1
    GUARDIAN = 2
    RESCUER = 4


_ADDRESSED = frozenset(ChangeKind) - {ChangeKind.POLICY, ChangeKind.CAP}
_ONE_ONLY = frozenset({ChangeKind.SPENDER, ChangeKind.ASSET, ChangeKind.TREASURY, ChangeKind.UNGUARD})
_ETH_TOO = frozenset({ChangeKind.LOSS_LIMIT, ChangeKind.UNGUARD})
_REMOVABLE = frozenset(
    {
        ChangeKind.POLICY,
        ChangeKind.LENDER,
        ChangeKind.SPENDER,
        ChangeKind.ASSET,
        ChangeKind.CAP,
        ChangeKind.ROLE,
    }
)

FORBIDDEN_CALLS: Mapping[bytes, str] = {
    selector(signature): signature
    for signature in (
        "transferFrom(address,address,uint256)",
        "increaseAllowance(address,uint256)",
        "setApprovalForAll(address,bool)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
        "approve(address,address,uint160,uint48)",
        "safeTransferFrom(address,address,uint256)",
        "safeTransferFrom(address,address,uint256,bytes)",
        "safeTransferFrom(address,address,uint256,uint256,bytes)",
        "flashLoanSimple(address,address,uint256,bytes,uint16)",
        "flashLoan(address,address[],uint256[],uint256[],address,bytes,uint16)",
        "flashLoan(address,address,uint256,bytes)",
        "flash(address,uint256,uint256,bytes)",
        "flashLoan(address,uint256,bytes)",
        "flashLoan(address,address[],uint256[],bytes)",
    )
}
"""Functions that no policy may CALL: they move what is not ours, or enter a lender unbound."""


@dataclass(frozen=True, slots=True)
class Change:
    """One (kind, key, word): the unit in which an executor's permissions are changed."""

    kind: ChangeKind
    key: bytes
    word: int

    @classmethod
    def policy(cls, target: Address, function: bytes, permission: Permission) -> Change:
        """Allow what ``permission`` says of one function of ``target``."""
        return cls(ChangeKind.POLICY, policy_key(target, function), permission.word)

    @classmethod
    def approval(cls, token: Address) -> Change:
        """Allow APPROVE of ``token`` (to spenders of the set alone)."""
        return cls(ChangeKind.POLICY, policy_key(token, APPROVE), APPROVE_WORD)

    @classmethod
    def lender(cls, lender: Address, *kinds: FlashKind) -> Change:
        """Allow loans of ``lender`` by these interfaces."""
        return cls(ChangeKind.LENDER, _address_key(lender), sum({1 << kind for kind in kinds}))

    @classmethod
    def spender(cls, spender: Address) -> Change:
        """Allow approvals to ``spender``."""
        return cls(ChangeKind.SPENDER, _address_key(spender), 1)

    @classmethod
    def asset(cls, token: Address) -> Change:
        """Put ``token`` into the asset set."""
        return cls(ChangeKind.ASSET, _address_key(token), 1)

    @classmethod
    def cap(cls, key: int, most: int) -> Change:
        """Let arguments under cap ``key`` (64 to 127) be at most ``most``."""
        return cls(ChangeKind.CAP, key.to_bytes(32), most)

    @classmethod
    def loss_limit(cls, token: Address, *, per_run: int, per_day: int) -> Change:
        """Guard ``token`` (zero is ETH): most that a run and a UTC day may lose, in base units.

        Raises
        ------
        ConfigError
            If ``per_run`` takes more than 128 bits or ``per_day`` more than 127.
        """
        if not (0 <= per_run < 1 << 128 and 0 <= per_day < 1 << 127):
            raise ConfigError(
                "a loss limit does not fit",
                code="policy",
                found=f"{per_run} per run, {per_day} per day",
                allowed="0 to 2^128 - 1 per run, 0 to 2^127 - 1 per day",
            )
        return cls(ChangeKind.LOSS_LIMIT, _address_key(token), _LOSS_FLAG | per_day << 128 | per_run)

    @classmethod
    def role(cls, account: Address, role: Role) -> Change:
        """Give ``account`` its one role."""
        return cls(ChangeKind.ROLE, _address_key(account), int(role))

    @classmethod
    def treasury(cls, treasury: Address) -> Change:
        """Pay out to ``treasury`` from now on."""
        return cls(ChangeKind.TREASURY, _address_key(treasury), 1)

    @classmethod
    def unguard(cls, token: Address) -> Change:
        """Drop the loss limit of ``token``."""
        return cls(ChangeKind.UNGUARD, _address_key(token), 1)

    @property
    def encoded(self) -> bytes:
        """Return the ABI encoding of the triple, 96 bytes."""
        return int(self.kind).to_bytes(32) + self.key + self.word.to_bytes(32)

    @property
    def id(self) -> bytes:
        """Return what the executor files the change under: the keccak of the encoded triple."""
        return keccak256(self.encoded)

    @property
    def account(self) -> Address:
        """Return the address in the key. Raises ConfigError for kinds without one (CAP)."""
        if self.kind is ChangeKind.POLICY:
            return parse_policy_key(self.key)[0]
        return address(self.key)

    def removed(self) -> Change:
        """Return the change that ``tighten`` takes to remove this one at once.

        Raises
        ------
        ConfigError
            For loss limits and the treasury, which change only through the delay.
        """
        if self.kind not in _REMOVABLE:
            raise ConfigError(
                f"{self.kind.name} can not be removed at once",
                code="policy",
                found=self.kind.name,
                allowed=", ".join(kind.name for kind in sorted(_REMOVABLE)),
                fix="schedule UNGUARD for a loss limit, or another TREASURY",
            )
        return Change(self.kind, self.key, 0)


def parse_loss_limit(word: int) -> tuple[int, int]:
    """Return (per_run, per_day) of a loss limit's word, in base units."""
    return word & (1 << 128) - 1, word >> 128 & (1 << 127) - 1


def why_inadmissible(
    change: Change, *, executor: Address, owner: Address, accounts_with_code: Iterable[Address]
) -> str | None:
    """Return why ``schedule`` would refuse ``change``, or None where it would take it.

    What depends on other state (a role already held, the count of guarded tokens) is the
    chain's alone to judge.
    """
    if not 0 <= change.word < 1 << 256 or len(change.key) != 32:
        return "key must be 32 bytes and word 256 bits"
    if change.kind is ChangeKind.POLICY:
        return _why_policy(change, executor, set(accounts_with_code))
    if change.kind is ChangeKind.CAP:
        return None if int.from_bytes(change.key) in CAP_KEYS else "a cap's key must be 64 to 127"
    if change.kind in _ADDRESSED and any(change.key[:12]):
        return "the key must be an address, right-aligned"
    if change.kind in _ONE_ONLY and change.word != 1:
        return "the word must be 1"
    match change.kind:
        case ChangeKind.LENDER if not change.word or change.word & ~0b11_1110:
            return "the word must have bits of kinds 1 to 5 alone"
        case ChangeKind.LOSS_LIMIT if not change.word & _LOSS_FLAG:
            return "the word must have bit 255"
        case ChangeKind.ROLE if change.word not in (1, 2, 4):
            return "the word must be 1, 2 or 4"
        case ChangeKind.ROLE if change.account == owner:
            return "the owner holds no other role"
        case kind if not any(change.key) and kind not in _ETH_TOO:
            return "the zero address can hold nothing"
        case _:
            return None


def _why_policy(change: Change, executor: Address, with_code: set[Address]) -> str | None:
    try:
        target, function = parse_policy_key(change.key)
        permission = parse_policy(change.word)
    except ConfigError as error:
        return str(error)
    if target == executor or target not in with_code:
        return "the target must have code and not be the executor itself"
    if not (permission.call or permission.read or permission.approve):
        return "nothing is allowed by it"
    if (function == APPROVE or permission.approve) and (function, change.word) != (APPROVE, APPROVE_WORD):
        return "approve is allowed by the word 8, and that word by approve alone"
    if function == TRANSFER and not _binds_recipient(permission):
        return "transfer needs a first rule that binds its recipient"
    if permission.call and function in FORBIDDEN_CALLS:
        return f"{FORBIDDEN_CALLS[function]} is never allowed"
    return None


def _binds_recipient(permission: Permission) -> bool:
    first = permission.rules[0] if permission.rules else None
    return first is not None and first.word == 0 and first.kind in (RuleKind.EXECUTOR, RuleKind.RECIPIENT)


def _address_key(account: Address) -> bytes:
    return bytes(12) + bytes.fromhex(account[2:])

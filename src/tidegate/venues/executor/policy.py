"""Policy words: what the executor may call, and with which arguments (``specs/atomic.md`` 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from tidegate.chain import address, selector
from tidegate.model import Address, ConfigError

RULES_MAX = 12
APPROVE_WORD = 8
CAP_KEYS = range(64, 128)
PIN_KINDS = range(128, 256)
PIN_STEP = 32

_CALL, _READ, _VALUE, _APPROVE, _BOOLEAN = 1, 2, 4, 8, 16
_EXPIRY_SHIFT, _RULES_SHIFT = 8, 64
_RESERVED_MASK = 0b1110_0000 | 0xFFFF << 48

APPROVE = selector("approve(address,uint256)")
TRANSFER = selector("transfer(address,uint256)")


class RuleKind(StrEnum):
    """What a rule asks of one argument word of the final data."""

    EXECUTOR = "self"
    RECIPIENT = "recipient"
    ASSET = "asset"
    CAP = "cap"
    PIN = "pin"


_PLAIN = {RuleKind.EXECUTOR: 1, RuleKind.RECIPIENT: 2, RuleKind.ASSET: 3}
_PLAIN_BY_CODE = {code: kind for kind, code in _PLAIN.items()}


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """A rule on argument ``word`` (0 is the first after the selector).

    ``value`` is the key (64 to 127) of a CAP, or the exact word that a PIN demands (a multiple of
    32 up to 4,064: it pins ABI offsets); else 0.
    """

    kind: RuleKind
    word: int
    value: int = 0

    @property
    def encoded(self) -> int:
        """Return the rule's 16 bits: low byte word + 1, high byte kind.

        Raises
        ------
        ConfigError
            If word or value has no place there.
        """
        if not 0 <= self.word <= 254:
            _refuse("a rule's argument word", self.word, "0 to 254")
        return self._code() << 8 | self.word + 1

    def __str__(self) -> str:
        tail = {RuleKind.CAP: f"={self.value}", RuleKind.PIN: f"=0x{self.value:x}"}.get(self.kind, "")
        return f"{self.kind.value}@{self.word}{tail}"

    def _code(self) -> int:
        if self.kind is RuleKind.CAP:
            if self.value not in CAP_KEYS:
                _refuse("a cap's key", self.value, "64 to 127")
            return self.value
        if self.kind is RuleKind.PIN:
            code = 128 + self.value // PIN_STEP
            if self.value % PIN_STEP or code not in PIN_KINDS:
                _refuse("a pinned word", self.value, "a multiple of 32, 0 to 4064")
            return code
        if self.value:
            _refuse(f"the value of a {self.kind.value} rule", self.value, "0")
        return _PLAIN[self.kind]


@dataclass(frozen=True, slots=True)
class Permission:
    """What may be done with one (target, selector); ``word`` is its form on chain.

    ``expires_at_s`` 0 means never. ``result_boolean``: the result must be empty or ``true``.
    """

    call: bool = False
    read: bool = False
    value: bool = False
    approve: bool = False
    result_boolean: bool = False
    expires_at_s: int = 0
    rules: tuple[ArgumentRule, ...] = ()

    @property
    def word(self) -> int:
        """Return the policy word.

        Raises
        ------
        ConfigError
            If there are more than 12 rules or a field does not fit.
        """
        if len(self.rules) > RULES_MAX:
            _refuse("the number of rules", len(self.rules), f"at most {RULES_MAX}")
        if not 0 <= self.expires_at_s < 1 << 40:
            _refuse("expires_at_s", self.expires_at_s, "0 to 2^40 - 1 seconds")
        flags = (
            _CALL * self.call
            | _READ * self.read
            | _VALUE * self.value
            | _APPROVE * self.approve
            | _BOOLEAN * self.result_boolean
        )
        rules = sum(rule.encoded << 16 * index for index, rule in enumerate(self.rules))
        return rules << _RULES_SHIFT | self.expires_at_s << _EXPIRY_SHIFT | flags

    def merged(self, other: Permission) -> Permission:
        """Return the permission that serves both uses of one function.

        Raises
        ------
        ConfigError
            If the two disagree about rules, result or expiry: then neither may widen the other.
        """
        mine = (self.rules, self.result_boolean, self.expires_at_s)
        if mine != (other.rules, other.result_boolean, other.expires_at_s):
            _refuse("two permissions of one function", explain_policy(other), explain_policy(self))
        return Permission(
            call=self.call or other.call,
            read=self.read or other.read,
            value=self.value or other.value,
            approve=self.approve or other.approve,
            result_boolean=self.result_boolean,
            expires_at_s=self.expires_at_s,
            rules=self.rules,
        )


def policy_key(target: Address, function: bytes) -> bytes:
    """Return the 32-byte key: target, selector, 8 zero bytes."""
    if len(function) != 4:
        _refuse("a selector", "0x" + function.hex(), "4 bytes")
    return bytes.fromhex(target[2:]) + function + bytes(8)


def parse_policy_key(key: bytes) -> tuple[Address, bytes]:
    """Return (target, selector) of a policy key.

    Raises
    ------
    ConfigError
        If it is not 32 bytes that end in 8 zeros.
    """
    if len(key) != 32 or any(key[24:]):
        _refuse("a policy key", "0x" + key.hex(), "20 bytes, 4 bytes, 8 zero bytes")
    return address(key[:20]), key[20:24]


def parse_policy(word: int) -> Permission:
    """Return the permission that a policy word encodes; its ``word`` is the same again.

    Raises
    ------
    ConfigError
        If reserved bits are set or a rule is of no kind: such a word is inadmissible.
    """
    if not 0 <= word < 1 << 256 or word & _RESERVED_MASK:
        _refuse("a policy word", f"0x{word:x}", "256 bits with bits 5-7 and 48-63 zero")
    rules, rest = [], word >> _RULES_SHIFT
    while rest:
        rules.append(_parse_rule(rest & 0xFFFF, word))
        rest >>= 16
    return Permission(
        call=bool(word & _CALL),
        read=bool(word & _READ),
        value=bool(word & _VALUE),
        approve=bool(word & _APPROVE),
        result_boolean=bool(word & _BOOLEAN),
        expires_at_s=word >> _EXPIRY_SHIFT & (1 << 40) - 1,
        rules=tuple(rules),
    )


def explain_policy(permission: Permission) -> str:
    """Return one line for people: what is allowed, and which argument must be what."""
    uses = [
        name
        for name, allowed in (
            ("call", permission.call),
            ("read", permission.read),
            ("send value", permission.value),
            ("approve", permission.approve),
        )
        if allowed
    ]
    parts = [", ".join(uses) or "nothing"]
    parts += [_MEANINGS[rule.kind].format(word=rule.word, value=rule.value) for rule in permission.rules]
    if permission.result_boolean:
        parts.append("result empty or true")
    if permission.expires_at_s:
        parts.append(f"until {permission.expires_at_s} s")
    return "; ".join(parts)


_MEANINGS = {
    RuleKind.EXECUTOR: "argument {word} is the executor itself",
    RuleKind.RECIPIENT: "argument {word} is the executor or the treasury",
    RuleKind.ASSET: "argument {word} is in the asset set",
    RuleKind.CAP: "argument {word} is at most cap {value}",
    RuleKind.PIN: "argument {word} is exactly {value}",
}


def _parse_rule(bits: int, word: int) -> ArgumentRule:
    code, place = bits >> 8, (bits & 0xFF) - 1
    if place < 0:
        _refuse("a rule without argument word in a policy word", f"0x{word:x}", "rules ended by zeros")
    if code in _PLAIN_BY_CODE:
        return ArgumentRule(_PLAIN_BY_CODE[code], place)
    if code in CAP_KEYS:
        return ArgumentRule(RuleKind.CAP, place, code)
    if code not in PIN_KINDS:
        _refuse("a rule's kind", code, "1, 2, 3, 64 to 127 or 128 to 255")
    return ArgumentRule(RuleKind.PIN, place, (code - 128) * PIN_STEP)


def _refuse(what: str, found: object, allowed: str) -> NoReturn:
    raise ConfigError(f"{what} is not admissible", code="policy", found=str(found), allowed=allowed)

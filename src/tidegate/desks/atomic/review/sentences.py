"""The sentences of an explanation: one for each kind of step, blind and trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.desks.atomic.language.scene import Scene
from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    Blind,
    BlindType,
    CombinedTrigger,
    EveryBlock,
    FlashStep,
    GroupStep,
    HealthFactorTrigger,
    ManualTrigger,
    PriceTrigger,
    ScheduleTrigger,
    StepNode,
    Trigger,
    Word,
)
from tidegate.desks.atomic.language.wording import EVERYTHING, in_token, written
from tidegate.desks.atomic.machine.raw_calls import RAW_CALL
from tidegate.model import format_units
from tidegate.venues import ActionKind, ActionSpec, InputType, LimitKind

_RATIO_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Sentences:
    """Turns the parts of one strategy into sentences."""

    scene: Scene
    decimals_of: Mapping[str, int]

    def step(self, step: StepNode) -> str:
        """Return what a step does, in one sentence."""
        match step:
            case FlashStep():
                return self._flash(step)
            case GroupStep():
                kind = "optional group: it may be skipped as a whole" if step.optional else "group"
                return f"The steps of the {kind}:"
            case ActionStep() if step.use == RAW_CALL:
                return self._raw(step)
            case ActionStep():
                return self._action(step, self.scene.actions[step.use])

    def _raw(self, step: ActionStep) -> str:
        said = {name: written(value, self.decimals_of) for name, value in step.inputs.items()}
        spent = f", letting it take {said['spend']} of {said['token']}" if "spend" in said else ""
        sent = f", sending {said['value']} of ETH" if "value" in said else ""
        rules = ", ".join(step.policy) or "none"
        return (
            f"Call {said['function']} of {said['target']} with {said.get('args', 'no arguments')}"
            f"{spent}{sent}, as no action does ({step.because}); rules on its arguments: {rules}."
        )

    def _flash(self, step: FlashStep) -> str:
        among = f" of {' or '.join(step.providers)}" if step.providers else ""
        lender = f"the cheapest lender{among} that can serve it"
        fee = f", for a fee of at most {step.max_fee_bps} bps" if step.max_fee_bps is not None else ""
        amount = self._amount(written(step.amount, self.decimals_of), step.asset)
        return f"Borrow {amount} by flash loan from {lender}{fee}, and with it:"

    def _action(self, step: ActionStep, spec: ActionSpec) -> str:
        venue = self._venue(step, spec)
        amount = self._input_amount(step, spec)
        match spec.kind:
            case ActionKind.SWAP:
                return self._swap(step, spec, venue)
            case ActionKind.SUPPLY:
                return f"Supply {amount} to {venue} as collateral."
            case ActionKind.WITHDRAW:
                return f"Withdraw {amount} from {venue}."
            case ActionKind.BORROW:
                return f"Borrow {amount} from {venue} at the variable rate."
            case ActionKind.REPAY:
                return f"Repay {amount} of the debt on {venue}, or all of it if that is less."
            case ActionKind.WRAP:
                given = " and ".join(self.scene.given_tokens(step))
                return f"Turn {amount} into {given}, one to one."
            case ActionKind.TRANSFER:
                to = step.inputs.get("to")
                return f"Transfer {amount} to the {written(to, self.decimals_of) if to else 'executor'}."
            case ActionKind.LIQUIDATE:
                user, seized = (
                    written(step.inputs[name], self.decimals_of) for name in ("user", "collateral")
                )
                return f"Pay up to {amount} of what {user} owes on {venue}, and take {seized} for it."
            case ActionKind.POSITION:
                return self._position(step, spec, venue)
            case ActionKind.RESET:
                token, spender = (
                    written(step.inputs[name], self.decimals_of) for name in ("token", "spender")
                )
                return f"Set what {spender} may take of {token} to nothing."
            case ActionKind.READ:
                return f"Read {spec.name}."

    def _position(self, step: ActionStep, spec: ActionSpec, venue: str) -> str:
        given = ", ".join(
            f"{name} {written(step.inputs[name], self.decimals_of)}"
            for name, item in spec.inputs.items()
            if name in step.inputs and item.type is not InputType.CONTRACT
        )
        what = spec.name.partition(".")[2].replace("_", " ")
        return f"Change how the position on {venue} counts: {what} ({given})."

    def _venue(self, step: ActionStep, spec: ActionSpec) -> str:
        """Return the protocol, or the contract where the author chose among several."""
        chosen = step.inputs.get(spec.target)
        is_chosen = isinstance(chosen, Word) and spec.inputs[spec.target].type is InputType.CONTRACT
        return chosen.text if is_chosen and isinstance(chosen, Word) else step.use.split(".")[0]

    def _swap(self, step: ActionStep, spec: ActionSpec, venue: str) -> str:
        token_in = self.scene.input_token(step, "token_in")
        token_out = self.scene.input_token(step, "token_out")
        amount = written(step.inputs[spec.amount_input], self.decimals_of)
        rate = f"{self.scene.slippage_bps_of(step)} bps"
        fee = step.inputs.get("fee")
        fees = step.inputs.get("fees")
        pool = f" in the pool of fee {written(fee, self.decimals_of)}" if fee is not None else ""
        pool += f" in the pools of fees {written(fees, self.decimals_of)}" if fees is not None else ""
        via = step.inputs.get("via")
        path = f" by way of {written(via, self.decimals_of)}" if via is not None else ""
        if spec.limit is not None and spec.limit.kind is LimitKind.MAXIMUM_IN:
            bought = self._amount(amount, token_out)
            return (
                f"Buy {bought} with {token_in} on {venue}{pool}{path}, for at most the quote and {rate} more."
            )
        sold = self._amount(amount, token_in)
        return f"Swap {sold} into {token_out} on {venue}{pool}{path}, for at least the quote less {rate}."

    def _input_amount(self, step: ActionStep, spec: ActionSpec) -> str:
        name = next((key for key, item in spec.inputs.items() if item.type is InputType.AMOUNT), None)
        if name is None:
            return "nothing"
        of = spec.inputs[name].of
        token = None if of is None else self.scene.input_token(step, of)
        return self._amount(written(step.inputs[name], self.decimals_of), token)

    def _amount(self, text: str, token: str | None) -> str:
        if token is None or text.endswith(f" {token}"):
            return text
        return f"all {token}" if text == EVERYTHING else f"{text} of {token}"

    def blind(self, blind: Blind) -> str:
        """Return what a blind may be and who gives it."""
        text = f"${blind.name}: {blind.type}"
        if blind.minimum is not None and blind.maximum is not None:
            low, high = (self._blind_value(blind, value) for value in (blind.minimum, blind.maximum))
            text += f", {low} to {high}"
        if blind.search:
            text += ", found by search at each decision so that the net gain is largest, unless given"
        elif blind.default is not None:
            text += f", {self._blind_value(blind, blind.default)} unless given"
        else:
            text += ", given when the strategy runs"
        return f"{text} ({blind.note})." if blind.note else f"{text}."

    def _blind_value(self, blind: Blind, value: int | bool | str) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return value
        if blind.type is BlindType.AMOUNT and blind.token is not None:
            return in_token(value, blind.token, self.decimals_of)
        suffix = {BlindType.BPS: " bps", BlindType.DURATION: " s"}.get(blind.type, "")
        return f"{value}{suffix}"

    def when(self) -> str:
        """Return when the strategy acts."""
        cooldown = self.scene.strategy.cooldown
        blocks = "1 block" if cooldown.blocks == 1 else f"{cooldown.blocks} blocks"
        rest = f"{cooldown.seconds} s" if cooldown.seconds else blocks
        trigger = self._trigger(self.scene.strategy.trigger)
        return f"{trigger[0].upper()}{trigger[1:]}; rests {rest} after a run."

    def _trigger(self, trigger: Trigger) -> str:
        match trigger:
            case EveryBlock():
                return (
                    "looks at every block"
                    if trigger.interval == 1
                    else f"looks every {trigger.interval} blocks"
                )
            case PriceTrigger():
                second = trigger.pair.split("/")[1]
                level = in_token(trigger.level, second, self.decimals_of)
                return (
                    f"when {trigger.pair} by {trigger.source} is {trigger.comparison} {level} "
                    f"(hysteresis {trigger.hysteresis_bps} bps)"
                )
            case ScheduleTrigger():
                return f"at the times {trigger.cron} ({trigger.tz})"
            case HealthFactorTrigger():
                level = format_units(trigger.level_e18, _RATIO_DECIMALS)
                user = f"the health factor of {trigger.user} on {trigger.protocol}"
                return f"when {user} is {trigger.comparison} {level}"
            case ManualTrigger():
                return "only when a person says so"
            case CombinedTrigger():
                word = " and " if trigger.every else " or "
                return word.join(self._trigger(inner) for inner in trigger.triggers)

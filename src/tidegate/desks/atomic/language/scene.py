"""A strategy seen with what the rules need: the catalogue, where each step stands, what guards it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tidegate.desks.atomic.language.syntax import (
    ActionStep,
    BalanceOf,
    BlindRef,
    Difference,
    Expression,
    FlashStep,
    GroupStep,
    GuardUse,
    Items,
    Literal,
    Maximum,
    Minimum,
    OutputRef,
    Percent,
    Scale,
    StepNode,
    Strategy,
    Sum,
    Value,
    Word,
    parts,
)
from tidegate.venues import ActionSpec, InputType, Output, catalogue

FLASH_OUTPUTS = ("amount", "repay")


@dataclass(frozen=True, slots=True)
class Place:
    """A step and the scopes around it, outermost first."""

    step: StepNode
    around: tuple[FlashStep | GroupStep, ...]

    @property
    def optional_group(self) -> GroupStep | None:
        """Return the innermost optional group that the step stands in."""
        groups = [scope for scope in self.around if isinstance(scope, GroupStep) and scope.optional]
        return groups[-1] if groups else None


@dataclass(frozen=True, slots=True)
class Scene:
    """What rules look at. ``places`` holds every step by id, in the order of execution."""

    strategy: Strategy
    actions: Mapping[str, ActionSpec] = field(default_factory=catalogue)
    places: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, strategy: Strategy) -> Scene:
        """Return the scene of a strategy, with the actions that ship."""
        return cls(strategy, places={place.step.id: place for place in _places(strategy.steps, ())})

    def action_steps(self) -> Iterator[tuple[ActionStep, ActionSpec]]:
        """Yield every action step whose action is known, in order."""
        for place in self.places.values():
            if isinstance(place.step, ActionStep) and place.step.use in self.actions:
                yield place.step, self.actions[place.step.use]

    def flash_steps(self) -> Iterator[FlashStep]:
        """Yield every flash loan, outermost first."""
        for place in self.places.values():
            if isinstance(place.step, FlashStep):
                yield place.step

    def guards_of(self, step: ActionStep) -> tuple[GuardUse, ...]:
        """Return every guard that covers a step: the strategy's, its groups', its own."""
        groups = [scope for scope in self.places[step.id].around if isinstance(scope, GroupStep)]
        return (*self.strategy.guards, *(guard for group in groups for guard in group.guards), *step.guards)

    def slippage_bps_of(self, step: ActionStep) -> int | None:
        """Return how much worse than its quote a step may execute: its own slippage, else its guards'.

        Of several slippage guards the tightest counts. None means that nothing says.
        """
        if step.slippage_bps is not None:
            return step.slippage_bps
        limits = [guard.parameters.get("max") for guard in self.guards_of(step) if guard.name == "slippage"]
        return min((limit.base_units for limit in limits if isinstance(limit, Literal)), default=None)

    def all_guards(self) -> Iterator[tuple[GuardUse, StepNode | None]]:
        """Yield every guard with the step or group that carries it; None for the strategy's own."""
        for guard in self.strategy.guards:
            yield guard, None
        for place in self.places.values():
            if not isinstance(place.step, FlashStep):
                for guard in place.step.guards:
                    yield guard, place.step

    def outputs_of(self, step: StepNode) -> tuple[str, ...]:
        """Return the names of what a step gives to later ones, the first is its default."""
        if isinstance(step, FlashStep):
            return FLASH_OUTPUTS
        if isinstance(step, ActionStep) and step.use in self.actions:
            return tuple(self.actions[step.use].outputs)
        return ()

    def input_token(self, step: ActionStep, name: str) -> str | None:
        """Return the token that ``name`` stands for: an input that is a token, or a token itself."""
        value = step.inputs.get(name)
        if isinstance(value, Word):
            return value.text
        return None if name in self.actions[step.use].inputs else name

    def output_token(self, reference: OutputRef) -> str | None:
        """Return the token that an output counts, or None if it is not known."""
        place = self.places.get(reference.step)
        if place is None:
            return None
        if isinstance(place.step, FlashStep):
            return place.step.asset
        output = self.output(place.step, reference.output)
        if output is None or not isinstance(place.step, ActionStep):
            return None
        return self.input_token(place.step, output.of)

    def given_tokens(self, step: ActionStep) -> tuple[str, ...]:
        """Return the tokens that a step brings to the executor: its outputs, but for what it spends."""
        spec = self.actions[step.use]
        spent = None if spec.spends is None else self.input_token(step, spec.spends.token)
        tokens = (self.input_token(step, output.of) for output in spec.outputs.values())
        return tuple(dict.fromkeys(token for token in tokens if token is not None and token != spent))

    def spent_token(self, step: ActionStep) -> str | None:
        """Return the token that a step takes from the executor, or None if it takes none."""
        spec = self.actions[step.use]
        if spec.spends is not None:
            return self.input_token(step, spec.spends.token)
        given = self.given_tokens(step)
        moved = (self.input_token(step, name) for name in spec.moves)
        return next((token for token in moved if token is not None and token not in given), None)

    def output(self, step: StepNode, name: str | None) -> Output | None:
        """Return the spec of a step's output; its first one if ``name`` is None."""
        if not isinstance(step, ActionStep) or step.use not in self.actions:
            return None
        outputs = self.actions[step.use].outputs
        return outputs.get(name or next(iter(outputs), ""))

    def token_of(self, expression: Expression) -> str | None:
        """Return the token that an expression counts; None if it is a bare number or not known."""
        match expression:
            case Literal():
                return expression.token
            case BlindRef():
                blind = self.strategy.blinds.get(expression.name)
                return blind.token if blind is not None else None
            case OutputRef():
                return self.output_token(expression)
            case BalanceOf():
                return expression.token
            case Percent():
                return self.token_of(expression.of)
            case Scale():
                return self.token_of(expression.limit)
            case Sum() | Difference() | Minimum() | Maximum():
                return self.token_of(expression.left) or self.token_of(expression.right)

    def amounts(self) -> Iterator[tuple[StepNode, str, Expression]]:
        """Yield every amount of every step: the step, the input's name, what is written."""
        for place in self.places.values():
            if isinstance(place.step, FlashStep):
                yield place.step, "amount", place.step.amount
        for step, spec in self.action_steps():
            for name, value in step.inputs.items():
                wanted = spec.inputs.get(name)
                if wanted is not None and wanted.type is InputType.AMOUNT and isinstance(value, Expression):
                    yield step, name, value


def values_of(step: StepNode) -> tuple[Value, ...]:
    """Return what a step itself evaluates, not what is inside it."""
    match step:
        case ActionStep():
            return tuple(step.inputs.values())
        case FlashStep():
            return (step.amount,)
        case GroupStep():
            return ()


def references(value: Value) -> Iterator[OutputRef]:
    """Yield every output that a value names."""
    for part in parts(value):
        if isinstance(part, OutputRef):
            yield part


def list_items(value: Value) -> tuple[Value, ...]:
    """Return the entries of a list, or the value alone."""
    return value.items if isinstance(value, Items) else (value,)


def _places(steps: tuple[StepNode, ...], around: tuple[FlashStep | GroupStep, ...]) -> Iterator[Place]:
    for step in steps:
        yield Place(step, around)
        if not isinstance(step, ActionStep):
            yield from _places(step.steps, (*around, step))

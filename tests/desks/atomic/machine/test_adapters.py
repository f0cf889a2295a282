"""Conformance of every action, computed from its spec and one live scene: a new adapter adds no line here."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from tests.desks.atomic.machine.conftest import Ground
from tests.desks.atomic.machine.scenes import SCENES, Scene, unmoved
from tests.desks.atomic.machine.test_conformance import GAS, is_needed_now

from tidegate.desks.atomic import draft_plan, finish_plan, strategy_policy
from tidegate.desks.atomic.machine.compiler import compile_quote
from tidegate.desks.atomic.machine.terms import Quote
from tidegate.desks.atomic.review.lint import lint
from tidegate.model import UINT256_MAX, ConfigError, Denied, Reason
from tidegate.venues import ActionKind, ActionSpec, Input, InputType, catalogue
from tidegate.venues.executor import ChangeKind

BY_ACTION = {scene.use: scene for scene in reversed(SCENES.values())}
FAR_S = 2**39
ANOTHER_TYPE: dict[InputType, object] = {
    InputType.TOKEN: 7,
    InputType.TOKENS: [7],
    InputType.AMOUNT: True,
    InputType.UINT: "1 WETH",
    InputType.UINTS: ["1 WETH"],
    InputType.FLAG: 7,
    InputType.ACCOUNT: 7,
    InputType.CONTRACT: 7,
    InputType.RECIPIENT: 7,
}
UNKNOWN: dict[InputType, tuple[object, set[str]]] = {
    InputType.TOKEN: ("NOBODY", {"ATM111"}),
    InputType.TOKENS: (["NOBODY"], {"ATM111"}),
    InputType.CONTRACT: ("nobody.knows", {"ATM111", "ATM112"}),
    InputType.ACCOUNT: ("nobody", {"ATM112"}),
    InputType.RECIPIENT: ("friend", {"ATM119"}),
}
ZERO: dict[InputType, object] = {
    InputType.TOKEN: "ETH",
    InputType.TOKENS: ["ETH"],
    InputType.ACCOUNT: "0x" + "00" * 20,
    InputType.RECIPIENT: "0x" + "00" * 20,
    InputType.CONTRACT: "0x" + "00" * 20,
}


def inputs_of(ground: Ground, scene: Scene) -> dict[str, Any]:
    borrower = f'"{ground.devnet.accounts["borrower1"]}"'
    read: dict[str, Any] = yaml.safe_load("{" + scene.inputs.replace("BORROWER", borrower) + "}")
    return read


def changed(ground: Ground, scene: Scene, name: str, value: object) -> Scene:
    """The scene with another value of one input, or without it if that is None."""
    inputs = {**inputs_of(ground, scene), name: value}
    written = (f"{key}: {json.dumps(item)}" for key, item in inputs.items() if item is not None)
    return scene.with_inputs(", ".join(written))


def codes(ground: Ground, scene: Scene) -> set[str]:
    """What the linter says without a chain; if that is nothing, what the compiler says with its book."""
    decimals = {symbol: token.decimals for symbol, token in ground.book.tokens.items()} | {"ETH": 18}
    try:
        job = ground.job(scene.text(ground).replace("steps:", f"{GUARDS}steps:", 1))
        found = {finding.code for finding in lint(job.strategy, decimals) if finding.is_error}
        if not found:
            compile_quote(job.strategy, job.book, job.blinds, Quote({}, FAR_S), ())
    except ConfigError as error:
        return {error.code} if error.position is not None else {"no place"}
    return found


GUARDS = (
    "guards:\n"
    "  - {min_health_factor: {min: 1.1}, place: [pre, in]}\n"
    "  - {min_health_factor: {min: 1.1, protocol: aave_v3.prime}, place: [pre, in]}\n"
)


def every_input(*types: InputType) -> list[Any]:
    return [
        pytest.param(spec, item, id=f"{name}-{item.name}")
        for name, spec in catalogue().items()
        for item in spec.inputs.values()
        if not types or item.type in types
    ]


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_the_scene_of_an_action_has_no_error(ground: Ground, name: str) -> None:
    assert codes(ground, BY_ACTION[name]) == set()


@pytest.mark.parametrize(("spec", "item"), every_input())
def test_an_input_is_demanded_unless_it_has_a_default(ground: Ground, spec: ActionSpec, item: Input) -> None:
    found = codes(ground, changed(ground, BY_ACTION[spec.name], item.name, None))
    is_counted = item.name == "via" and "fees" in spec.inputs
    assert ("ATM112" in found) == (item.required or is_counted), found


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_an_input_that_the_action_has_not_is_refused(ground: Ground, name: str) -> None:
    assert "ATM112" in codes(ground, changed(ground, BY_ACTION[name], "colour", "red"))


@pytest.mark.parametrize(("spec", "item"), every_input())
def test_a_value_of_another_type_is_refused(ground: Ground, spec: ActionSpec, item: Input) -> None:
    found = codes(ground, changed(ground, BY_ACTION[spec.name], item.name, ANOTHER_TYPE[item.type]))
    assert found & {"ATM112", "ATM119"}


@pytest.mark.parametrize(("spec", "item"), every_input(*UNKNOWN))
def test_an_unknown_name_is_refused(ground: Ground, spec: ActionSpec, item: Input) -> None:
    value, expected = UNKNOWN[item.type]
    assert codes(ground, changed(ground, BY_ACTION[spec.name], item.name, value)) & expected


@pytest.mark.parametrize(("spec", "item"), every_input(*ZERO))
def test_the_zero_address_is_refused(ground: Ground, spec: ActionSpec, item: Input) -> None:
    found = codes(ground, changed(ground, BY_ACTION[spec.name], item.name, ZERO[item.type]))
    assert found & {"ATM111", "ATM112", "ATM119"}


@pytest.mark.parametrize(("spec", "item"), every_input(InputType.UINT, InputType.UINTS))
def test_an_integer_above_its_most_is_refused(ground: Ground, spec: ActionSpec, item: Input) -> None:
    assert item.most is not None
    over: object = item.most + 1 if item.type is InputType.UINT else [item.most + 1, 500]
    assert "ATM112" in codes(ground, changed(ground, BY_ACTION[spec.name], item.name, over))


AMOUNTS = every_input(InputType.AMOUNT)


@pytest.mark.parametrize(("spec", "item"), AMOUNTS)
def test_an_amount_of_another_token_is_refused(ground: Ground, spec: ActionSpec, item: Input) -> None:
    assert "ATM112" in codes(ground, changed(ground, BY_ACTION[spec.name], item.name, "0.1 WBTC"))


@pytest.mark.parametrize(("spec", "item"), AMOUNTS)
def test_a_zero_or_negative_amount_and_one_beyond_256_bits_are_refused(
    ground: Ground, spec: ActionSpec, item: Input
) -> None:
    scene = BY_ACTION[spec.name]
    assert "ATM121" in codes(ground, changed(ground, scene, item.name, 0))
    assert "ATM112" in codes(ground, changed(ground, scene, item.name, -1))
    assert codes(ground, changed(ground, scene, item.name, UINT256_MAX + 1)) & {"ATM112", "ATM002"}


@pytest.mark.parametrize(("spec", "item"), AMOUNTS)
def test_the_largest_amount_is_all_there_is_or_a_step_that_says_why_not(
    ground: Ground, spec: ActionSpec, item: Input
) -> None:
    """What is approved or sent goes through a register, and none can be loaded with that much."""
    scene = changed(ground, BY_ACTION[spec.name], item.name, UINT256_MAX)
    if item.name in {spec.value, spec.spends and spec.spends.amount}:
        assert codes(ground, scene) == {"ATM112"}
        return
    job = scene.set_up(ground)
    if spec.kind is ActionKind.WITHDRAW:
        assert draft_plan(ground.intent(job), job, ground.world).prospect.quoted.deltas
        return
    with pytest.raises(Denied) as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.reason is Reason.SIMULATION_REVERTED
    assert "step last" in caught.value.message


@pytest.mark.parametrize(
    "name", sorted(name for name, spec in catalogue().items() if spec.spends or spec.value)
)
def test_what_can_not_be_paid_reverts_at_its_step_with_a_reason(ground: Ground, name: str) -> None:
    whole = BY_ACTION[name]
    scene = Scene(whole.use, whole.inputs, more=whole.more, given={}, moved=unmoved)
    job = scene.set_up(ground)
    if catalogue()[name].value:
        job = changed(ground, scene, catalogue()[name].value or "", "1 ETH").set_up(ground)
    with pytest.raises(Denied) as caught:
        draft_plan(ground.intent(job), job, ground.world)
    assert caught.value.reason is Reason.SIMULATION_REVERTED
    assert "step last" in caught.value.message
    assert caught.value.found


@pytest.mark.parametrize("name", sorted(SCENES))
def test_a_scene_needs_every_entry_of_its_policy(ground: Ground, name: str) -> None:
    """Without any one of them the very same bytes are denied: the policy is what the calls need."""
    job = SCENES[name].set_up(ground)
    plan = finish_plan(draft_plan(ground.intent(job), job, ground.world), GAS)
    needed = strategy_policy(job, ground.world)
    assert any(change.kind is ChangeKind.POLICY for change in needed)
    assert [change for change in needed if not is_needed_now(ground, plan, change)] == []

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from tidegate.desks.atomic import TEMPLATES, new_strategy, template_text
from tidegate.model import ConfigError

from .samples import findings, parsed


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_has_no_findings_under_any_name(template: str, tmp_path: Path) -> None:
    text = new_strategy("my-own", template)
    assert findings(text, tmp_path) == ()
    assert parsed(text).name == "my-own"
    assert text.startswith("# ")


def test_the_two_arbitrages_search_their_size_and_the_loops_run_by_hand() -> None:
    for template in ("flash-arb", "flash-arb-reverse"):
        strategy = parsed(template_text(template))
        assert strategy.searched_blind is strategy.blinds["size"]
        assert not strategy.once
    for template in ("leverage-open", "leverage-close"):
        strategy = parsed(template_text(template))
        assert strategy.searched_blind is None
        assert strategy.once
        assert strategy.guards[0].name == "min_health_factor"
        assert list(strategy.guards[0].placements) == ["pre", "in"]


def test_every_shipped_file_is_a_template() -> None:
    folder = resources.files("tidegate.desks.atomic.language") / "templates"
    shipped = {entry.name for entry in folder.iterdir()}
    assert shipped == {f"{name}.yaml" for name, _ in TEMPLATES.values()}


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean flash-arb\?"):
        template_text("flash-arbb")

"""The README's example is a part of a strategy that passes the check."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tidegate.app.devnet.tables import token_tables
from tidegate.desks.atomic import check_file, template_text

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_over_the_template_has_no_findings(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    strategy = {**yaml.safe_load(template_text("flash-arb")), **yaml.safe_load(example)}
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False), encoding="utf-8")
    checked, findings = check_file(path, token_tables())
    assert [str(finding) for finding in findings] == []
    assert checked is not None

"""docs/reference/street.md says which test holds which rule: every test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "street.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
WHOLE = re.compile(r"`(tests/[\w/]+\.py)`")
ROW = re.compile(r"^\| (?!rule|---)(.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in {file for file, _ in named}}
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not re.search(rf"^\s*(?:async )?def {name}\(|^{name} = ", texts[file], re.MULTILINE)
    ]
    missing += [
        file for file in WHOLE.findall(PAGE.read_text(encoding="utf-8")) if not (ROOT / file).exists()
    ]
    assert missing == []
    assert len(named) > 300


def test_every_rule_has_a_test() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    bare = [rule for rule, _, tests in rows if not NAMED.search(tests) and not WHOLE.search(tests)]
    assert bare == []


def test_every_section_of_the_street_is_covered() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    sections = {
        part.split(".")[0] for _, section, _ in rows for part in re.findall(r"\d+(?:\.\d+)?", section)
    }
    assert {str(number) for number in range(1, 13)} <= sections

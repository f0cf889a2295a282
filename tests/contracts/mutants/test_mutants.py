"""The rules make real mutants, proofs are about mutants that exist, and the whole hunt leaves none alive."""

import json
import subprocess
import sys

import pytest
from tests.contracts.mutants.equivalent import EQUIVALENT, Equivalence, idle, proof_of
from tests.contracts.mutants.rules import mutants

from tidegate.sim import CONTRACTS, checkout_root

SOURCE = (CONTRACTS / "atomic_executor.vy").read_text()
LEAST = 60
RULES = {
    "drop assert", "drop clause", "drop statement", "never", "equality", "boundary", "role", "size", "bits",
    "listed", "arithmetic",
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return mutants(SOURCE)


def test_every_mutant_changes_one_place_and_has_a_name_of_its_own(found):
    assert len(found) > 5 * LEAST
    assert len({mutant.name for mutant in found}) == len({mutant.source for mutant in found}) == len(found)
    for mutant in found:
        assert mutant.source != SOURCE
        same = sum(1 for a, b in zip(SOURCE, mutant.source, strict=False) if a == b)
        assert same >= SOURCE.index(SOURCE.splitlines()[mutant.line - 1])


def test_every_rule_finds_its_places(found):
    assert {mutant.rule for mutant in found} == RULES


def test_each_assert_is_dropped_in_turn(found):
    dropped = [mutant for mutant in found if mutant.rule == "drop assert"]
    code = [line for line in SOURCE.splitlines() if line.strip().startswith("assert ")]
    assert len(dropped) == len(code)


def test_code_that_is_added_has_its_mutants_at_once(found):
    """Nothing is a list by hand: one more assertion is one more mutant, and more."""
    longer = SOURCE + "\n\n@internal\ndef _more(x: uint256):\n    assert x <= 5, 'atomic: role'\n"
    added = {mutant.name for mutant in mutants(longer)} - {mutant.name for mutant in found}
    assert {name.partition(" · ")[0] for name in added} == {"drop assert", "boundary"}


def test_every_proof_is_about_a_mutant_that_exists(found):
    assert idle(found) == []
    assert idle([]) == [entry.pattern for entry in EQUIVALENT]


def test_few_mutants_are_said_to_be_the_same_contract(found):
    covered = [mutant for mutant in found if proof_of(mutant)]
    assert len(covered) * 20 < len(found)
    assert not any(mutant.rule in ("drop assert", "role", "listed") for mutant in covered)
    assert not Equivalence("drop assert.*", "").covers(covered[0])


def hunted(*arguments):
    command = [sys.executable, "-m", "tests.contracts.mutants", "--json", *arguments]
    done = subprocess.run(command, cwd=checkout_root(), capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_no_mutant_survives():
    code, answer = hunted("--fresh")
    assert (code, answer["survivors"]) == (0, [])
    assert answer["killed"] >= 5 * LEAST

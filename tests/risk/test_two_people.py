"""How many people said it: what a reader can not tell apart is one person."""

import pytest

from tidegate.risk.stops import count_people


@pytest.mark.parametrize(
    "again",
    [
        "ann",
        "Ann ",
        "\tANN",
        "ann\u200b",
        "\ufeffann",
        "a nn",
        "ann\x00",
        "\u2060a\u00adnn",
        "\uff41\uff4e\uff4e",
    ],
    ids=ascii,
)
def test_a_name_that_reads_the_same_is_no_second_person(again: str) -> None:
    assert count_people(("ann", again)) == 1


@pytest.mark.parametrize("nobody", ["", " ", "\u200b", "\n"], ids=ascii)
def test_a_name_that_nobody_can_see_is_nobody(nobody: str) -> None:
    assert count_people(("ann", nobody)) == 1


def test_two_names_are_two_people() -> None:
    assert count_people(("ann", "bob", "Bob")) == 2

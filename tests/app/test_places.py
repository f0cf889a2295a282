"""A chain's book in layers: what was recorded, over what people wrote, over what is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.app.config import load_config
from tidegate.app.deploying import write_book
from tidegate.app.places import Place, place_of
from tidegate.model import ConfigError
from tidegate.venues import Entry, shipped_book

ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20


def project(folder: Path, *, chain_id: int = 1, written: str = "") -> Place:
    book = ""
    if written:
        (folder / "book.toml").write_text(
            f'chain = "ethereum"\nchain_id = {chain_id}\n[tokens]\n[contracts]\n{written}\n'
        )
        book = 'book = "book.toml"\n'
    kind = 'kind = "devnet"\n' if chain_id != 1 else ""
    (folder / "tidegate.toml").write_text(
        f"[chains.ethereum]\nchain_id = {chain_id}\n{kind}{book}"
        '[[chains.ethereum.endpoints]]\nname = "n"\nurl = "http://127.0.0.1:1"\n'
    )
    return place_of("ethereum", load_config(folder / "tidegate.toml"), folder / "home")


def written(name: str, where: str) -> str:
    return f'[contracts."{name}"]\naddress = "{where}"'


def test_a_network_of_the_registry_has_the_shipped_book_without_any_file(tmp_path: Path) -> None:
    assert project(tmp_path).require_book() == shipped_book("ethereum")


def test_a_chain_of_ones_own_has_no_shipped_book(tmp_path: Path) -> None:
    assert project(tmp_path, chain_id=31_337).book is None


def test_what_people_wrote_wins_over_what_is_shipped(tmp_path: Path) -> None:
    book = project(tmp_path, written=written("aave_v3.pool", ONE)).require_book()
    assert book.entry("aave_v3.pool").address == ONE
    assert book.entry("safe.singleton") == shipped_book("ethereum").entry("safe.singleton")


def test_what_was_recorded_wins_and_its_file_holds_nothing_else(tmp_path: Path) -> None:
    place = project(tmp_path, written=written("treasury", TWO))
    book = place.require_book().confirmed("aave_v3.pool", code_hash="ab" * 32, note="ana")
    book = book.with_entries(Entry(name="executor.main1", address=ONE))
    write_book(place, book, ["aave_v3.pool"])
    path = write_book(place, book, ["executor.main1"])
    assert path == tmp_path / "home" / "addresses" / "ethereum.toml"
    again = project(tmp_path, written=written("treasury", TWO)).require_book()
    assert again.entry("aave_v3.pool").confirmed == "ana"
    assert again.executors() == ("main1",)
    assert again.entry("treasury").address == TWO
    assert "treasury" not in path.read_text()
    assert "WETH" not in path.read_text()


def test_two_books_that_disagree_on_an_address_are_refused(tmp_path: Path) -> None:
    place = project(tmp_path)
    write_book(
        place,
        place.require_book().with_entries(Entry(name="executor.main1", address=ONE)),
        ["executor.main1"],
    )
    with pytest.raises(ConfigError, match=r"two books disagree on where executor\.main1 is"):
        project(tmp_path, written=written("executor.main1", TWO))
    assert project(tmp_path, written=written("executor.main1", ONE)).require_book().executors() == ("main1",)

"""Where a tape may be written: asked before it is recorded, so that hours are not lost for a name."""

import os
from pathlib import Path

import pytest

from tidegate.model import ConfigError
from tidegate.sim import Tape


@pytest.mark.parametrize("name", ["folder", "pipe", "link", "file/tape", "zero\0byte"])
def test_a_place_that_can_not_hold_a_tape_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "file").touch()
    before = {one.name: one.lstat().st_mode for one in tmp_path.iterdir()}
    with pytest.raises(ConfigError) as caught:
        Tape.demand_place(tmp_path / name)
    assert (caught.value.code, caught.value.exit_code) == ("tape_place", 3)
    assert {one.name: one.lstat().st_mode for one in tmp_path.iterdir()} == before


def test_a_new_name_in_folders_that_are_not_there_yet_and_an_older_tape_will_do(tmp_path: Path) -> None:
    Tape.demand_place(tmp_path / "new" / "folder" / "tape")
    (tmp_path / "older").write_bytes(b"tape")
    Tape.demand_place(tmp_path / "older")

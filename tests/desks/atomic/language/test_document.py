from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.desks.atomic.language.document import (
    MAXIMUM_BYTES,
    MAXIMUM_DEPTH,
    MAXIMUM_NODES,
    Scalar,
    Sequence,
    Table,
    parse_document,
    plain,
    read_document,
)
from tidegate.model import ConfigError, SourcePosition


def refused(raw: bytes, file: str = "x.yaml") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_document(raw, file)
    error = caught.value
    assert error.position is not None
    assert error.found
    assert error.allowed
    return error


def assert_read_or_refused(raw: bytes, file: str) -> None:
    place = SourcePosition(file, 1, 1)
    try:
        parse_document(raw, file)
    except ConfigError as error:
        place = error.position
    assert place is not None


def where(error: ConfigError) -> tuple[int, int]:
    assert error.position is not None
    return error.position.line, error.position.column


def test_each_key_and_value_knows_its_place() -> None:
    document = parse_document(b"a: 1\nlist:\n  - x\n  - 'two words'\n", "x.yaml")
    assert isinstance(document, Table)
    listed = document.entries["list"]
    assert isinstance(listed, Sequence)
    second = listed.items[1]
    assert isinstance(second, Scalar)
    assert str(document.key_positions["list"]) == "x.yaml:2:1"
    assert str(second.position) == "x.yaml:4:5"
    assert str(second.at(4)) == "x.yaml:4:10"


def test_a_column_inside_text_that_is_not_verbatim_is_that_of_the_value() -> None:
    document = parse_document(b'a: "x\\ty zz"\n', "x.yaml")
    assert isinstance(document, Table)
    value = document.entries["a"]
    assert isinstance(value, Scalar)
    assert str(value.at(4)) == "x.yaml:1:4"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("True", "True"),
        ("017", "017"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", "1e3"),
        (".5", ".5"),
        ("+1", "+1"),
        (".inf", ".inf"),
        ("2001-01-01", "2001-01-01"),
        ("'5'", "5"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-7", -7),
        (str(2**256 - 1), 2**256 - 1),
        ("1.50", "1.50"),
    ],
)
def test_only_json_like_words_are_more_than_text(written: str, value: object) -> None:
    assert plain(parse_document(f"a: {written}\n".encode(), "x.yaml")) == {"a": value}


def test_a_bare_decimal_keeps_its_digits() -> None:
    digits = "0.100000000000000000000000000000000001"
    assert plain(parse_document(digits.encode(), "x.yaml")) == digits


@pytest.mark.parametrize(
    ("raw", "line", "column", "found"),
    [
        (b"a: 1\na: 2", 2, 1, "a, first at line 1"),
        (b"a: 1\nb: &x 2", 2, 4, "&x"),
        (b"a: *x", 1, 4, "*x"),
        (b"a: !!python/name:os.system 1", 1, 4, "tag:yaml.org,2002:python/name:os.system"),
        (b"a: !x 1", 1, 4, "!x"),
        (b"a: 1\n---\nb: 2", 2, 1, "a second document"),
        (b"? [a]\n: 1", 1, 3, "a list, a mapping or nothing"),
        (b"", 1, 1, "nothing"),
        (b"# only a comment\n", 1, 1, "nothing"),
        (b"a: \xff", 1, 4, "byte 0xff"),
        (b"a: 1\nb: x\x00", 2, 5, "U+0000"),
        (b"a: [1,\nb", 2, 2, "expected ',' or ']', but got '<stream end>'"),
        (b'a: "\\ud800"', 1, 4, "a lone surrogate"),
        (b'a: "\\UFFFFFFFF"', 1, 1, "Python int too large to convert to C int"),
        (b"a: " + b"9" * 81, 1, 4, "81 digits"),
    ],
)
def test_malformed_files_are_refused_where_they_are(raw: bytes, line: int, column: int, found: str) -> None:
    error = refused(raw)
    assert error.code == "ATM001"
    assert where(error) == (line, column)
    assert error.found == found


def test_a_number_of_eighty_digits_is_still_a_number() -> None:
    assert plain(parse_document(b"a: " + b"9" * 80, "x.yaml")) == {"a": int("9" * 80)}


def test_a_bomb_is_refused_before_it_expands() -> None:
    levels = [b"a: &a [x, x, x, x, x, x, x, x, x, x]"]
    levels += [b"%c: &%c [%s]" % (98 + n, 98 + n, b", ".join([b"*%c" % (97 + n)] * 10)) for n in range(9)]
    error = refused(b"\n".join(levels))
    assert (error.code, where(error), error.found) == ("ATM001", (1, 4), "&a")
    assert error.allowed == "every value written out"


def test_depth_is_bounded_at_the_limit() -> None:
    inside = MAXIMUM_DEPTH - 1
    parse_document(b"[" * inside + b"1" + b"]" * inside, "x.yaml")
    error = refused(b"[" * MAXIMUM_DEPTH + b"1" + b"]" * MAXIMUM_DEPTH)
    assert (error.code, where(error)) == ("ATM004", (1, MAXIMUM_DEPTH + 1))


def test_the_number_of_values_is_bounded_at_the_limit() -> None:
    parse_document(b"[" + b"1," * (MAXIMUM_NODES - 1) + b"]", "x.yaml")
    assert refused(b"[" + b"1," * MAXIMUM_NODES + b"]").code == "ATM004"


def test_a_file_of_ten_megabytes_is_refused_unparsed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * 2 * 1024 * 1024)
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    assert caught.value.code == "ATM004"
    assert where(caught.value) == (1, 1)
    assert caught.value.found == "10,485,760 bytes"
    assert caught.value.allowed == "at most 262,144 bytes"


def test_size_is_bounded_at_the_limit() -> None:
    parse_document(b"#" * (MAXIMUM_BYTES - 4) + b"\na:1", "x.yaml")
    assert refused(b"#" * (MAXIMUM_BYTES - 3) + b"\na:1").code == "ATM004"


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_document(path)
        assert caught.value.code == "ATM001"


def test_json_has_positions_and_may_be_indented_by_tabs() -> None:
    raw = b'{\n\t"a": [1, 2.5, true, null],\n\t"b": "\\ud83d\\ude00\\/"\n}'
    document = parse_document(raw, "x.json")
    assert isinstance(document, Table)
    assert plain(document) == {"a": [1, "2.5", True, None], "b": "\U0001f600/"}
    assert str(document.key_positions["b"]) == "x.json:3:2"


@pytest.mark.parametrize(
    ("raw", "line", "column"), [(b"a: 1", 1, 1), (b'{"a": 1,}', 1, 9), (b"{\n'a': 1}", 2, 1)]
)
def test_a_json_file_must_be_json(raw: bytes, line: int, column: int) -> None:
    error = refused(raw, "x.json")
    assert (error.code, where(error), error.allowed) == ("ATM001", (line, column), "JSON")


def test_very_deep_json_is_refused() -> None:
    assert refused(b"[" * 200_000, "x.json").code == "ATM004"


@settings(deadline=None, derandomize=True, max_examples=300)
@given(raw=st.binary(max_size=200), name=st.sampled_from(["x.yaml", "x.json"]))
def test_bytes_never_crash_it(raw: bytes, name: str) -> None:
    assert_read_or_refused(raw, name)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(text=st.text(alphabet=":-?{}[],#&*!|>'\"%@` \n\tab1.\\uU0~=<", max_size=60))
def test_yaml_like_text_never_crashes_it(text: str) -> None:
    assert_read_or_refused(text.encode(), "x.yaml")


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")  # nobody will ever write into it
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path, tmp_path / ("a" * 5_000)):
        with pytest.raises(ConfigError, match="the file can not be read") as caught:
            read_document(path)
        assert caught.value.code == "ATM001"

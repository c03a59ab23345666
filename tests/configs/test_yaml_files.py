"""YAML that people bring: plain values, and within limits; what is not is one short line."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from coalm_it.configs.yaml_files import MAX_BYTES, YamlError, parse_yaml, read_yaml

DEEP_CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
BOMB = "a0: &a0 [" + "x," * 10 + "]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]\n" for n in range(1, 9))
MERGE_BOMB = "a0: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {{k{n}: x, <<: [{f'*a{n - 1},' * 10}]}}\n" for n in range(1, 9))
LONG_BOMB = f"a: &a {'x' * 10_000}\nb: [{'*a,' * 1000}]"


def test_a_date_is_text_and_other_values_keep_their_types() -> None:
    assert parse_yaml("{a: 2026-12-01, b: 2026-13-45, c: 3, d: 1.5, e: true, f: null}") == {
        "a": "2026-12-01",
        "b": "2026-13-45",
        "c": 3,
        "d": 1.5,
        "e": True,
        "f": None,
    }


def test_an_alias_stands_for_a_copy() -> None:
    value = parse_yaml("{a: &x {b: [1]}, c: *x, d: {<<: *x, e: 2}}")
    value["a"]["b"].append(2)
    assert value == {"a": {"b": [1, 2]}, "c": {"b": [1]}, "d": {"b": [1], "e": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "holds more than 100,000 values, with its aliases written out"),
        (MERGE_BOMB, "holds more than 100,000 values, with its aliases written out"),
        (LONG_BOMB, "holds more than 100,000 values, with its aliases written out"),
        ("a: &a [*a]", "an alias stands for a value that contains the alias"),
        ("&a {a: {<<: *a}}", "an alias stands for a value that contains the alias"),
        (DEEP_CHAIN, "lists and mappings are nested deeper than 64 levels"),
        ("[" * 65 + "]" * 65, "lists and mappings are nested deeper than 64 levels"),
        ("[" * 5_000, "lists and mappings are nested deeper than 64 levels"),
        ("{a: " * 5_000, "lists and mappings are nested deeper than 64 levels"),
        ("- " * 10_000, "lists and mappings are nested deeper than 64 levels"),
        ("a: !!int x", "not YAML: a value does not fit its type: invalid literal"),
        ("a: !!int ''", "not YAML: a value does not fit its type: "),
        ("a: !!bool maybe", "not YAML: a value does not fit its type: "),
        ("a: !!timestamp soon", "not YAML: a value does not fit its type: "),
        ("a: 0b_", "not YAML: a value does not fit its type: "),
        (f"a: {'9' * 5000}", "not YAML: a value does not fit its type: "),
        ("{[a]: b}", "not YAML: found unhashable key, in line 1"),
        ("a: !!python/object:os.system {}", "not YAML: could not determine a constructor"),
        ('a: "\\ud800"', "holds half a surrogate pair: write the character itself"),
        (
            "a:\n\tb: 1",
            "not YAML: found character '\\t' that cannot start any token, in line 2, column 1: "
            "indent with spaces, not with tabs",
        ),
        ("a: \0", "not YAML: unacceptable character"),
        ("a: b\n---\nc: d", "not YAML: but found another document, in line 2"),
    ],
)
def test_what_cannot_be_used_is_one_short_line(text: str, message: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "not YAML: not UTF-8 at byte 0"),
        (bytes(range(256)), "not YAML: not UTF-8 at byte 128"),
        (b"#" * (MAX_BYTES + 1), "is longer than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_text_or_too_long(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(YamlError, match=f"^{message}$"):
        read_yaml(tmp_path / "own.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_bytes("name: a".encode("utf-8-sig"))
    assert read_yaml(tmp_path / "own.yaml") == {"name": "a"}


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.yaml")
    with pytest.raises(YamlError, match=r"^is not a regular file$"):
        read_yaml(tmp_path / "own.yaml")
    with pytest.raises(YamlError, match=r"^No such file or directory$"):
        read_yaml(tmp_path / "other.yaml")
    with pytest.raises(YamlError, match=r"^cannot be the name of a file: embedded null byte$"):
        read_yaml(tmp_path / "a\0b.yaml")


PIECES = """a b: - ? , [ ] { } & * ! | > ' " % @ # --- ... << ~ null 0x 0b_ 1e5 .inf 2026-13-45 &a *a <<: \\x85 \\ud800
    \\ é !!int !!set !!omap !!binary""".split()
PIECES += [" ", "\n", "\n  ", "\n- ", ": ", "\0", "\t", "\ufeff", "\u202e"]


def test_any_text_is_a_value_or_a_yaml_error() -> None:
    """Seeded: the same 3,000 texts every time."""
    rng = random.Random(21)
    read = 0
    for _ in range(3000):
        text = "".join(rng.choices(PIECES, k=rng.randint(1, 12)))
        with suppress(YamlError):
            parse_yaml(text)
            read += 1
    assert read > 100

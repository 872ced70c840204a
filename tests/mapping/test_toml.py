"""TOML is bounded before it is parsed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from replay import toml
from replay.errors import MappingError, UsageError
from replay.mapping import Mapping
from replay.report import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

DEEP = {
    "a dotted key": ".".join("a" * 100_000) + " = 1",
    "a dotted key of quoted names": ".".join(['"a"'] * 40) + " = 1",
    "a dotted key with blanks": " . ".join("a" * 40) + " = 1",
    "a header": "[" + ".".join("a" * 100_000) + "]",
    "a header of many tables": "[[" + ".".join("a" * 40) + "]]",
    "arrays": "a = " + "[" * 40 + "]" * 40,
    "arrays over lines": "a = [\n" + "[\n" * 100_000,
    "inline tables": "a = " + "{a = " * 40 + "1" + "}" * 40,
    "dotted keys in inline tables": "a = " + "{a.a.a.a.a = " * 7 + "1" + "}" * 7,
    "keys below a header": "[" + ".".join("a" * 20) + "]\n" + ".".join("b" * 20) + " = 1",
    "arrays of inline tables": "a = " + "[{a = " * 20 + "1" + "}]" * 20,
    "a key after strings that look like ends": "a = '#'\nb = \"\\\"\"\nc = '''\n'\n'''\n"
    + ".".join("a" * 40)
    + " = 1",
}


@pytest.fixture
def never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tomllib, "loads", None)


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_deep_text_is_refused_before_it_is_parsed(text: str, never_parsed: None) -> None:
    with pytest.raises(
        toml.TomlError, match=r"^line \d+: more than 32 tables and arrays inside one another$"
    ):
        toml.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 30) + " = 1",
        "[" + ".".join("a" * 30) + "]",
        "a = " + "[" * 30 + "]" * 30,
        "a = '" + "[" * 100 + "'\nb = \"" + '\\"[.' * 100 + '"\n# ' + "a." * 100,
        'a = """' + '\n[[.\\"' * 100 + '"""""\nb = \'\'\'' + "\n[[." * 100 + "'''''",
        "a = [" + "1.5, " * 1000 + "]\n" + "b = [\n" + "  {x.y = 1.5},\n" * 1000 + "]",
        "".join(f"[[t.u]]\nx.y.z = {n}.5\n" for n in range(1000)),
        "\ufeff".join(["", "a = 1"]),
    ],
)
def test_what_is_not_deep_is_read_as_it_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    assert toml.load(tmp_path / "a.toml") == tomllib.loads(text.removeprefix("\ufeff"))


@pytest.mark.parametrize("text", ["#" * (1 << 20) + "\n", "# " + "가" * 400_000])
def test_a_large_text_is_refused_before_it_is_parsed(text: str, tmp_path: Path, never_parsed: None) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(toml.TomlError, match=r"^larger than 1,048,576 bytes$"):
        toml.load(tmp_path / "a.toml")
    with pytest.raises(toml.TomlError, match="larger than"):
        toml.loads(text)


@pytest.mark.parametrize("value", ["1" * 5000, "0x" + "f" * 5000, "1." + "1" * 5000, "-" + "9" * 5000])
def test_a_number_without_an_end_is_refused_with_its_line(value: str) -> None:
    with pytest.raises(toml.TomlError, match=r"^line 2: a number or a name of more than 1,000 characters$"):
        toml.loads(f"a = 1\nb = {value}")


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_a_string_that_does_not_end_is_no_toml_and_takes_one_scan(quote: str) -> None:
    with pytest.raises(toml.TomlError, match=r"^not TOML: "):
        toml.loads(f"a = {quote}" + '\\"' * 300_000)


def test_every_place_that_reads_toml_bounds_it(tmp_path: Path, never_parsed: None) -> None:
    deep = DEEP["a dotted key"]
    path = tmp_path / "run.toml"
    path.write_text(deep)
    with pytest.raises(MappingError, match=r"run\.toml: line 1: more than 32"):
        Mapping.load(path)
    with pytest.raises(MappingError, match=r"the preset: line 1: more than 32"):
        Mapping.loads(deep, "the preset")
    with pytest.raises(UsageError, match=r"run\.toml cannot be read: line 1: more than 36"):
        RunFolder(tmp_path).read_record()


def test_a_mapping_that_is_no_utf8_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b'[event]\nkey = "\xff"')
    with pytest.raises(MappingError, match=r"m\.toml: not UTF-8 \(invalid start byte, byte 16\)"):
        Mapping.load(tmp_path / "m.toml")


def test_the_record_of_a_run_over_10000_sources_can_be_read_back(tmp_path: Path) -> None:
    sources = [
        {"name": f"data/part-{n}.csv", "digest": "0" * 32, "path": "/" + "x" * 200} for n in range(10_000)
    ]
    RunFolder(tmp_path).write_record({"sources": sources})
    assert RunFolder(tmp_path).read_record()["sources"] == sources

"""The house stays as it was planned: its floors, its rooms, its top."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ALLOWED = {"pyproject.toml", "replay", "tests", "sample_data", "README.md", "LICENSE", "CHANGELOG.md"}


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [Path(line) for line in done.stdout.splitlines()]


def test_nothing_else_stands_at_the_top():
    tops = {path.parts[0] for path in tracked()}
    assert {name for name in tops if not name.startswith(".")} <= ALLOWED


def test_imports_only_go_down():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


MODULES = sorted((TOP / "replay").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_file_stays_below_four_hundred_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_every_module_opens_by_saying_what_it_owns():
    for path in MODULES:
        assert re.match(r'r?"""\S', path.read_text("utf-8")), path


def test_the_help_loads_no_heavy_library():
    code = (
        "import sys; from replay.cli import run; run(['--help'])\n"
        "heavy = {'pandas', 'pyarrow', 'aiohttp', 'numpy'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

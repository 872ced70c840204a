"""What the README says beyond its commands: the guide runs, its lists and messages are those of the code."""

import ast
import re
import shlex
import shutil
import tomllib

import pytest
from cli.test_config import MAY, NEVER
from house.test_readme import README, TOP, replay, section

import replay as package
from replay.cli import app
from replay.console.metrics import Metrics, sight_of
from replay.console.standing import Speeds

STOPS = {"auth", "outage", "destination"}


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(TOP / "sample_data", tmp_path / "sample_data")
    return tmp_path


def guide() -> list[str]:
    blocks = re.findall(r"```console guide\n(.*?)```", README, re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("replay ")]


if any(command.name == "map" for command in app.registered_commands):  # the guide begins with it

    def test_the_guide_leads_from_an_export_to_a_finished_backfill(folder):
        ran = guide()
        assert len(ran) >= 6
        for command in ran:
            sends = ["--sandbox", "--yes"] if " send " in command else []
            done = replay([*shlex.split(command)[1:], *sends], folder, HACKLE_API_KEY="k")
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_settings_file_of_the_readme_is_understood(folder):
    (example,) = re.findall(r"```toml replay.toml\n(.*?)```", README, re.S)
    (folder / "sample_data" / "replay.toml").write_text(example)
    done = replay(["check", "sample_data/purchases.csv"], folder)
    assert done.returncode == 0, done.stderr
    assert "map sample_data/purchases.toml (sample_data/replay.toml)" in done.stderr
    assert set(tomllib.loads(example)) <= set(MAY)


def test_the_readme_says_which_options_a_file_may_say_and_which_not():
    said = section("## Sending").split("### Options that you need not type each time\n")[1].split("\n### ")[0]
    may, never = said.split("They take ")[1].split("A name that there\nis not")
    assert set(re.findall(r"`([a-z-]+)`", may)) == set(MAY)
    never = never.split("`resume` goes on")[0]
    assert set(re.findall(r"`([a-z-]+)`", never)) == set(NEVER) - {"set"}


def messages() -> str:
    """Every text of the package, a line each; what is filled in is `…`."""

    def texts(node):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for child in ast.iter_child_nodes(node):
            yield from texts(child)

    files = (TOP / "replay").rglob("*.py")
    return "\n".join(text for path in files for text in texts(ast.parse(path.read_text("utf-8"))))


def test_the_messages_that_the_readme_explains_are_those_of_the_tool():
    rows = re.findall(r"^\| `(.*?)` \| ", section("## When something goes wrong"), re.M)
    said = messages()
    assert len(rows) >= 14
    for row in rows:
        stop = re.fullmatch(r"Stopped \((.*)\)", row)
        assert (stop[1] in STOPS and "Stopped (…)" in said) if stop else row in said, row


def test_every_name_of_the_package_is_in_the_readme():
    text = section("## From Python")
    assert [name for name in package.__all__ if f"{name}" not in text] == []


def test_every_metric_is_in_the_readme():
    from console.test_standing import progress  # noqa: PLC0415 - beside what it is about

    metrics = Metrics(1)
    metrics.on_progress(progress(1))
    names = {family.name for family in metrics.collect()}
    assert {name for name in names if not re.search(rf"`{name}(_total)?[`{{]", README)} == set()
    assert sight_of(progress(1), Speeds()).rows["delivered"] == 1

"""The README cannot drift: its commands run, its tables say what `--help` says."""

import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from replay import Mapping

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.split(f"\n{title}\n", 1)[1].split("\n## ", 1)[0]


def commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("replay ")]


class Accepting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if "broken" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Accepting) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/v1/track"
        httpd.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme")
    shutil.copytree(TOP / "sample_data", path / "sample_data")
    return path


def replay(words: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **env}
    command = [sys.executable, "-m", "replay", *words]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def runnable(command: str, url: str) -> list[str]:
    """A command as the README says it; what would reach Hackle is pointed at a server here."""
    words = shlex.split(command)
    if words[1] in ("send", "resend"):
        words.append("--yes")
        if "--sandbox" not in words and "--dry-run" not in words:
            words += ["--url", url]
    return words[1:]


def test_the_quick_start_is_two_blocks_of_one_command_each():
    blocks = re.findall(r"```sh\n(.*?)```", section("## Quick start"), re.S)
    assert len(blocks) == 2
    assert all(len(block.strip().splitlines()) == 1 for block in blocks)


def test_every_command_in_the_readme_does_what_it_says(folder, server):
    # `resend` comes first, after a run that left failed rows; `settle` last, after one that left doubts.
    mapped = ["--map", "sample_data/purchases.toml"]
    replay(["send", "sample_data/messy.csv", *mapped, "--sandbox", "--yes"], folder)
    ran = [command for command in commands() if not command.startswith("replay sandbox")]
    assert len(ran) >= 12
    for command in sorted(ran, key=lambda line: ("resend" not in line, "settle" in line)):
        if "settle" in command:
            doubtful = ["--url", server.replace("/v1/", "/broken/"), "--limit", "3", "--yes"]
            replay(["send", "sample_data/purchases.jsonl", *doubtful], folder, HACKLE_API_KEY="k")
        done = replay(runnable(command, server), folder, HACKLE_API_KEY="key-of-the-readme")
        expected = 3 if "messy" in command or command == "replay resend last" else 0
        assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_sandbox_command_of_the_readme_is_understood():
    (command,) = [line for line in commands() if line.startswith("replay sandbox")]
    words = [word for word in shlex.split(command) if word.startswith("--")]
    text = help_of("sandbox")
    assert all(word in text for word in words)


def test_the_python_example_runs(folder):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    check = "\nassert summary.exit_code == 0 and summary.rows['delivered'] == 30, summary"
    done = subprocess.run(
        [sys.executable, "-c", example + check], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_mapping_examples_are_mappings():
    examples = re.findall(r"```toml\n(.*?)```", README, re.S)
    assert len(examples) == 6
    for example in examples:
        Mapping.parse(tomllib.loads(example), "README")


def help_of(command: str) -> str:
    return replay([command, "--help"], TOP, COLUMNS="200", TERM="dumb", NO_COLOR="1").stdout


def defaults_of(command: str) -> dict[str, str]:
    """Each option with the default that its help states."""
    blocks = re.split(r"\n  (?=-)", help_of(command))
    found = {}
    for block in blocks:
        option = re.match(r"(?:-[a-z], )?(--[a-z-]+)", block)
        default = re.search(r"default:\s+(.*?)\]", block, re.S)
        if option is not None:
            found[option[1]] = " ".join(default[1].split()) if default else ""
    return found


def test_the_option_table_says_what_help_says():
    rows = re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \|", section("## Sending"), re.M)
    defaults = defaults_of("send")
    assert len(rows) >= 16
    for option, default in rows:
        assert option in defaults
        if default.startswith("`"):
            assert defaults[option].removesuffix(".0") == default.strip("`")


def test_every_option_of_send_is_in_the_readme():
    missing = [
        option for option in set(re.findall(r"--[a-z][a-z-]+", help_of("send"))) if option not in README
    ]
    assert missing == []

"""The command line as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from murk.rollout.main import main

URL = "https://vale.example/ferry.html"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_build_prints_a_table_of_what_is_in_and_what_is_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    source.write_text('{"url": "https://a.example/", "text": "one [red] fish"}\n{}\n')
    status, out, _ = run(capsys, "snapshot", "build", source, tmp_path / "out", "--workers", 1)
    assert status == 0
    for word in ("captures", "pages", "passages", "hosts", "links", "time", "size", "content digest", "no-url"):
        assert word in out
    status, out, _ = run(capsys, "snapshot", "build", source, tmp_path / "out2", "--json", "--workers", 1)
    report = json.loads(out)
    assert (report["pages"], report["skipped"]) == (1, {"no-url": 1})


def test_info(capsys: pytest.CaptureFixture[str], vale_dir: Path) -> None:
    status, out, _ = run(capsys, "snapshot", "info", vale_dir, "--json")
    info = json.loads(out)
    assert status == 0
    assert {"captures", "pages", "passages", "hosts", "links", "content_digest"} <= set(info)
    assert "content_digest" in run(capsys, "snapshot", "info", vale_dir)[1]


def test_search_open_and_links(capsys: pytest.CaptureFixture[str], vale_dir: Path) -> None:
    status, out, _ = run(capsys, "snapshot", "search", vale_dir, "when was the lighthouse lit", "-k", 2)
    assert status == 0
    assert out.splitlines()[0].strip().startswith("1. Skerry Light")
    assert "1874" in out
    hits = json.loads(run(capsys, "snapshot", "search", vale_dir, "ferry", "--json")[1])
    assert hits[0]["url"] == URL
    assert "sails from Orrin Vale" in run(capsys, "snapshot", "open", vale_dir, URL)[1]
    assert json.loads(run(capsys, "snapshot", "open", vale_dir, URL, "--json")[1])["title"] == "Ferry timetable"
    out = run(capsys, "snapshot", "links", vale_dir, "https://vale.example/index.html")[1]
    assert "* https://vale.example/tessary.html" in out


def test_verify_and_export(capsys: pytest.CaptureFixture[str], vale_dir: Path, tmp_path: Path) -> None:
    assert run(capsys, "snapshot", "verify", vale_dir)[0] == 0
    status, out, _ = run(capsys, "snapshot", "export", vale_dir, tmp_path / "x.wacz")
    assert (status, "8 captures" in out) == (0, True)
    run(capsys, "snapshot", "build", tmp_path / "x.wacz", tmp_path / "copy", "--workers", 1)
    with (tmp_path / "copy" / "text.bin").open("r+b") as file:
        file.write(b"X")
    status, out, _ = run(capsys, "snapshot", "verify", tmp_path / "copy")
    assert status == 1
    assert "text.bin" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "NOWHERE"], "is not a folder"),
        (["search", "VALE", "x", "-k", "0"], "allowed are 1 to 1000"),
        (["search", "VALE", "x", "--shelf", "librry"], "Did you mean 'library'"),
        (["open", "VALE", "https://vale.example/none"], "no capture of"),
        (["open", "VALE", URL, "--at", "soon"], "not a date"),
        (["build", "NOWHERE", "OUT"], "does not exist"),
        (["build", "VALE", "VALE"], "exists already"),
        (["build", "EMPTY", "OUT"], "no page could be read"),
        (["build", "EMPTY", "OUT", "--authority", "NOWHERE"], "cannot read the authority list"),
        (["build", "EMPTY", "OUT", "--workers", "-1"], "allowed are 0"),
        (["record", "OUT"], "nothing to record"),
        (["record", "OUT", "--urls", "NOWHERE"], "cannot read"),
    ],
)
def test_wrong_use_is_one_clear_line_and_status_2(
    capsys: pytest.CaptureFixture[str], vale_dir: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"VALE": vale_dir, "NOWHERE": tmp_path / "nowhere", "OUT": tmp_path / "out", "EMPTY": tmp_path / "empty"}
    status, out, error = run(capsys, "snapshot", *(places.get(a, a) for a in arguments))
    assert (status, out) == (2, "")
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["build", "info", "verify", "search", "open", "links", "export", "record"])
def test_every_command_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["snapshot", command, "--help"])
    assert stop.value.code == 0
    assert f"example: murk snapshot {command}" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["snapshot", "biuld"])
    assert stop.value.code == 2


def test_a_reader_that_leaves_early_is_no_error(vale_dir: Path) -> None:
    command = f"{sys.executable} -m murk.rollout.main snapshot open {vale_dir} {URL} | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_authority_lists_extend_the_default(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "list").write_text("vale.example 1  # the island's own site\n")
    (tmp_path / "x.jsonl").write_text('{"url": "https://www.vale.example/", "text": "herring"}\n')
    run(capsys, "snapshot", "build", tmp_path / "x.jsonl", tmp_path / "out", "--authority", tmp_path / "list")
    hits = json.loads(
        run(capsys, "snapshot", "search", tmp_path / "out", "herring", "--shelf", "authority", "--json")[1]
    )
    assert hits[0]["tier"] == 1
    (tmp_path / "bad").write_text("vale.example first\n")
    status, _, error = run(
        capsys, "snapshot", "build", tmp_path / "x.jsonl", tmp_path / "out2", "--authority", tmp_path / "bad"
    )
    assert status == 2
    assert "bad:1" in error


def test_a_person_can_play(vale_dir: Path) -> None:
    lines = ["help", "tools", 'batch_web_surfer {"action": "batch_search", "queries": ["lighthouse"]}', "find {broken"]
    lines += ["<toolcall>", "answer 1874 [x](https://vale.example/lighthouse.html)"]
    command = [sys.executable, "-m", "murk.rollout.main", "play", str(vale_dir), "When was it lit?"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", check=True, capture_output=True, text=True)
    assert "When was it lit?" in done.stdout
    assert "https://vale.example/lighthouse.html" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "answered"
    ended = subprocess.run(command, input="", check=True, capture_output=True, text=True)
    assert json.loads(ended.stdout.splitlines()[-1])["status"] == "running"


def test_odd_input_at_the_desk_is_no_trouble(vale_dir: Path) -> None:
    command = [sys.executable, "-m", "murk.rollout.main", "play", str(vale_dir)]
    done = subprocess.run(
        [*command, "why? " * 2_000],
        input=b"\xff\xfe\n<think>\x1b[2J\xf0</think>\nquit\n",
        check=True,
        capture_output=True,
    )
    assert b"\x1b" not in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["step"] == 1
    done = subprocess.run([*command, "taks.jsonl"], input=b"", check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"murk: cannot read tasks from taks.jsonl: No such file or directory.\n"

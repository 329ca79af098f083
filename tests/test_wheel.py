"""The package as it is installed: what the wheel holds, and that it works without the repository."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREES = ("envs", "rewards", "rollout", "configs")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_holds_murk_and_nothing_else(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"murk/{path.relative_to(ROOT).as_posix()}"
        for tree in TREES
        for path in (ROOT / tree).rglob("*")
        if path.suffix in {".py", ".json", ".yaml", ".md"} or path.name == "py.typed"
    }
    assert {name for name in names if ".dist-info/" not in name} == expected
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True
    )
    code = (
        "import murk.envs, sys; assert murk.envs.__file__.startswith(sys.argv[1]); from murk.rollout.main import main"
    )
    subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path[:0] = [{str(target)!r}, *{sys.path!r}]; {code}",
            str(target),
        ],
        check=True,
        cwd=tmp_path,
    )

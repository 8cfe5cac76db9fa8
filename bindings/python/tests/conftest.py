import json
import pathlib
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "test" / "golden" / "v1.ckpt"


@pytest.fixture(scope="session")
def golden():
    return GOLDEN.read_bytes()


@pytest.fixture(scope="session")
def golden_values():
    return json.loads(GOLDEN.with_suffix(".json").read_text("utf-8"))


@pytest.fixture
def write(tmp_path):
    """Writes bytes to a file and returns its path."""

    def write_bytes(data, name="file.ckpt"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_bytes


@pytest.fixture(scope="session")
def typescript():
    """Runs one of the scripts in typescript/ with arguments and returns what it prints."""
    if shutil.which("node") is None or not (REPOSITORY / "node_modules" / "tsx").exists():
        pytest.skip("Node and the packages of the repository are needed")

    def run(script, *arguments):
        path = pathlib.Path(__file__).parent / "typescript" / script
        done = subprocess.run(
            ["node", "--import=tsx", str(path), *map(str, arguments)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

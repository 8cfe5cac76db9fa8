import json
import pathlib
import shutil
import subprocess

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = TESTS.parents[2] if len(TESTS.parents) > 2 else TESTS.parent

# The golden files and the corpus: in a source distribution next to the tests.
FILES = TESTS / "files" if (TESTS / "files").is_dir() else REPOSITORY / "test"
GOLDEN = FILES / "golden" / "v1.ckpt"
CORPUS = FILES / "conformance"


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

"""Every file of the corpus is read to the values beside it, or refused for the reason beside it."""

import json
import os

import pytest

from conftest import CORPUS
from lightwatch_checkpoint.reporter import report



def valid_files():
    """Names of the corpus's valid files."""
    return sorted(path.stem for path in (CORPUS / "valid").glob("*.ckpt"))


def invalid_files():
    """The corpus's invalid files: name, and the code and rule that it has to be refused with."""
    return sorted(json.loads((CORPUS / "invalid.json").read_text()).items())



@pytest.mark.parametrize("map", [True, False])
@pytest.mark.parametrize("name", valid_files())
def test_a_valid_file_is_read_to_its_values(name, map):
    expected = json.loads((CORPUS / "valid" / f"{name}.json").read_text())
    assert report(os.fsencode(CORPUS / "valid" / f"{name}.ckpt"), map=map) == expected


@pytest.mark.parametrize("map", [True, False])
@pytest.mark.parametrize("name, reason", invalid_files())
def test_an_invalid_file_is_refused_for_its_reason(name, reason, map):
    error = report(os.fsencode(CORPUS / "invalid" / f"{name}.ckpt"), map=map)["error"]
    assert error["code"] == reason["code"]
    if reason["rule"] is not None:
        assert error["rule"] == reason["rule"]

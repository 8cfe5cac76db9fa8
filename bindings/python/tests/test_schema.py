import json
import re

from conftest import REPOSITORY
from lightwatch_checkpoint import description
from lightwatch_checkpoint.dtype import DTYPES
from lightwatch_checkpoint.generated.DType import DType


def described():
    """The tables of the description that is derived from the schema."""
    text = (REPOSITORY / "generated" / "description.ts").read_text("utf-8")
    body = text[text.index("= {") + 2 :]
    body = re.sub(r"(\w+):", r'"\1":', body).replace("'", '"')
    return json.loads(re.sub(r",(\s*[\]}])", r"\1", body))


def kind(field):
    of = field["type"]
    if of["base"] == "scalar":
        return "bool" if of["scalar"] == "bool" else "scalar", of["size"], None
    if of["base"] == "string":
        return "string", 4, None
    if of["base"] == "table":
        return "table", 4, of["table"]
    element = of["element"]
    if of["segment"]:
        return "segment", 4, None
    if element["base"] == "table":
        return "tables", 4, element["table"]
    return "scalars", element["size"], None


def test_the_tables_are_those_of_the_schema():
    schema = described()
    assert schema["identifier"].encode() == description.IDENTIFIER
    assert schema["root"] == description.ROOT
    assert schema["unions"] == {}
    assert list(schema["tables"]) == list(description.TABLES)
    for table, fields in schema["tables"].items():
        expected = [(f["name"], f["slot"], *kind(f), f["required"]) for f in fields]
        assert [tuple(f) for f in description.TABLES[table]] == expected


def test_the_dtypes_are_those_of_the_schema():
    codes = {name: code for name, code in vars(DType).items() if not name.startswith("_")}
    del codes["unknown"]
    assert {info.name: info.code for info in DTYPES.values()} == codes

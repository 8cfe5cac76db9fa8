from lightwatch_checkpoint.dtype import DTYPES
from lightwatch_checkpoint.generated.DType import DType


def test_the_dtypes_are_those_of_the_schema():
    codes = {name: code for name, code in vars(DType).items() if not name.startswith("_")}
    del codes["unknown"]
    assert {info.name: info.code for info in DTYPES.values()} == codes

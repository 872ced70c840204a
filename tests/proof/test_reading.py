"""Some hundreds of generated files; `python tests/proof/reading.py` generates tens of thousands."""

import pytest
from proof.reading import KINDS, prove


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_generated_files_are_read_as_csv_and_json_read_them(kind):
    prove(kind, 150)

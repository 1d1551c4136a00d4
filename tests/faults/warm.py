"""What children need, imported and read once before they are forked. Nothing may be opened or started here."""

from orchestration.warehouse.compiled import compiled_project
from tests.faults.children import FAILED

assert FAILED
compiled_project()

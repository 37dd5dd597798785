"""Compiled loops that an earlier process left on the disk."""

import subprocess
import sys
from pathlib import Path

_MODULE = """
from parsing._jit import compiled

def _doubled(value):
    return value + value

doubled = compiled(_doubled)
"""
_CALL = """
import sys
from loops import doubled
assert doubled(4) == 8
compiler = "numba.typed.typedlist" in sys.modules
assert doubled(0.5) == 1.0
print(compiler, doubled.stats.cache_hits[doubled.signatures[0]])
"""


def _call(folder: Path) -> str:
    paths = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(Path(__file__).parents[2])!r}]"
    command = [sys.executable, "-c", paths + _CALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_compiled_already_is_taken_without_loading_the_compiler(tmp_path):
    (tmp_path / "loops.py").write_text(_MODULE)
    assert _call(tmp_path) == "True 0"
    assert _call(tmp_path) == "False 1"


def test_another_type_is_compiled_beside_what_was_found(tmp_path):
    (tmp_path / "loops.py").write_text(_MODULE)
    _call(tmp_path)
    for data in (tmp_path / "__pycache__").glob("loops.*.2.nbc"):
        data.unlink()
    assert _call(tmp_path) == "False 1"


def test_where_nothing_can_be_written_it_is_compiled_anew(tmp_path):
    source = _MODULE + "\nimport numba.core.caching as caching\n"
    hidden = "import numba.core.caching as c\nc.CompileResultCacheImpl._locator_classes = []\n"
    (tmp_path / "loops.py").write_text(hidden + source)
    assert _call(tmp_path).startswith("True")

"""What a start of `faultline run` leaves out."""

import subprocess
import sys

_CHECK = """
import sys
from faultline._start import _UNUSED, load_without_extras
load_without_extras()
assert not set(_UNUSED) & sys.modules.keys(), set(_UNUSED) & sys.modules.keys()
import numpy as np
from numba import njit
assert njit(lambda values: values.sum())(np.ones(3)) == 3.0
import pandas, rich, scipy.linalg
assert pandas.Series([1, 2]).sum() == 3
"""


def test_what_rows_do_not_need_is_not_loaded_and_there_for_who_asks():
    done = subprocess.run([sys.executable, "-c", _CHECK], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr

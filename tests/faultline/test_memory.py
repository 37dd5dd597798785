"""What a batch frees stays with the process."""

import subprocess
import sys

import pytest

_CHECK = """
import resource
import numpy as np
from faultline._memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [np.ones(3 << 20, np.uint8) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_blocks_of_a_batch_are_not_asked_of_the_system_again_and_again():
    done = subprocess.run([sys.executable, "-c", _CHECK], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 1000  # given back each time, 12 MiB are 3,072 pages of 4 KiB, twenty times

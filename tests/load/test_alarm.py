"""In an interpreter of its own, since Locust patches the one that it is imported into."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import time
import gevent
from meshproof.load.with_locust.alarm import Alarm

def took(sleep, seconds):
    began = time.monotonic()
    sleep(seconds)
    return time.monotonic() - began

alarm = Alarm()
for seconds in (0.02, 0.001, 0.0, -1.0, 1.1):
    assert took(alarm.sleep, seconds) >= seconds, seconds
others = gevent.spawn(took, gevent.sleep, 0.01)
alarm.sleep(0.1)
assert others.ready(), "it keeps the others waiting"
asleep = gevent.spawn(alarm.sleep, 3600)
gevent.sleep(0)
asleep.kill()
assert took(alarm.sleep, 0.02) >= 0.02
alarm.close()
assert took(alarm.sleep, 0.02) >= 0.02
"""


def test_it_never_wakes_too_early_and_can_be_left() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

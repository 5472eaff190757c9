"""Is the canary as fast and as sound as the stable version, under the same load at the same time?

    locust -f loadtests/canary.py --host http://GATEWAY --target-host text-to-speech.apps.svc.cluster.local --headless
    ... --margins sample-apps                       a row of the table in meshproof/load/margins.py
    ... --margins p50=1.05,p99=1.25,errors=2        or margins of one's own

    python loadtests/canary.py      tells all options

Exit codes: 0 CONFORM, 1 VIOLATE, 2 bad options, 3 INCONCLUSIVE, 4 INVALID.
"""

from __future__ import annotations

from meshproof.load.judging import CanaryRun
from meshproof.load.options import CANARY, told_options
from meshproof.load.with_locust import LoadUser, judged_as


class Client(LoadUser):
    """A client with one connection."""


judged_as(CanaryRun, CANARY)

if __name__ == "__main__":
    print(__doc__, told_options(CANARY), sep="\n")

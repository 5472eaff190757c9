"""Is the traffic split as promised?

    locust -f loadtests/split.py --host http://GATEWAY --target-host text-to-speech.apps.svc.cluster.local
    ... --headless                  without the web page: ends by itself
    ... --headless --processes 2    on two processes
    ... --weights 90,10 --margin 2 --alpha 1e-4 --rate 500

    python loadtests/split.py      tells all options

Exit codes: 0 CONFORM, 1 VIOLATE, 2 bad options, 3 INCONCLUSIVE, 4 INVALID.
"""

from __future__ import annotations

from meshproof.load.judging import SplitRun
from meshproof.load.options import SPLIT, told_options
from meshproof.load.with_locust import LoadUser, judged_as


class Client(LoadUser):
    """A client with one connection."""


judged_as(SplitRun, SPLIT)

if __name__ == "__main__":
    print(__doc__, told_options(SPLIT), sep="\n")

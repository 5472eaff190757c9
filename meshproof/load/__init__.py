"""Load with an open-loop schedule, a row for every request, and a verdict that is live.

Everything but `with_locust` is pure: it needs neither Locust nor a network, and no clock.
"""

from __future__ import annotations

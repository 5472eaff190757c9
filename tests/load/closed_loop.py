"""A locust file as most are: users who wait for an answer, and then for the rest of their pace. Prints each request's
time, in milliseconds."""

from __future__ import annotations

from typing import Any

from locust import FastHttpUser, constant_throughput, events, task


class Client(FastHttpUser):
    """Sixty requests a second, as long as each answer comes in time."""

    wait_time = constant_throughput(60)

    @task
    def ask(self) -> None:
        """One request."""
        self.client.get("/")


@events.request.add_listener
def tell(response_time: float, **_: Any) -> None:
    """In full, before Locust rounds it."""
    print(f"took {response_time}")

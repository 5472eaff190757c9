"""The embedded stand-in for Datadog's backend: agents write to it, the official API client reads from it."""

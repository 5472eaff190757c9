"""What a run did and when: steps as spans, shown live and kept for the report."""

from meshproof.timeline.record import Span, State, Step, Timeline

__all__ = ["Span", "State", "Step", "Timeline"]

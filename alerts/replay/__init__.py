"""Rules on a recording: what would have been told, and how often it was right."""

from alerts.replay.command import replay

__all__ = ["replay"]

"""cadp-suite: settle whether a multi-agent reinforcement-learning result holds."""

__version__ = "0.1.0"

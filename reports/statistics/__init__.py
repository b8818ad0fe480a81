"""Pure functions from arrays to estimates, intervals and verdicts. The seed is the unit."""

"""Training: a cohort of runs collects episodes, updates, is tested and checkpointed."""

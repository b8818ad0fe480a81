"""MAPPO (Yu et al. 2022, arXiv 2103.01955) and CADP on it: on-policy, with a central critic."""

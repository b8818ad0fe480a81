"""Agent networks: from inputs to utilities Q_n. One file per published idea."""

"""SMAX of JaxMARL: battles like SMAC's in a simulator that others wrote, for a second opinion."""

"""Other people's environments: whatever speaks PettingZoo's parallel interface, as a backend."""

"""StarCraft II itself, driven by SMAC (github.com/oxwhirl/smac), which is left as it is.

SMAC and the game are somebody else's and are installed apart (docs/environments.md). They are
imported and started in processes of their own, by `engine` alone.
"""

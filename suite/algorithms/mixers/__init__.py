"""Mixers: from utilities Q_n of the chosen actions to joint values. One file per published idea."""

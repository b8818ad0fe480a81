"""Stands in for SMAC where neither it nor the game is installed: its interface, another battle."""

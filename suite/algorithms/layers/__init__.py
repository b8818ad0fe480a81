"""Layers whose weights and activations carry a leading population axis."""

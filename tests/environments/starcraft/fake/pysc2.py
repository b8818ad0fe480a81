"""Stands in for a package that SMAC needs."""

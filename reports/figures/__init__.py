"""Figures as SVG text: same numbers, same bytes; the page's theme colours the ink."""

"""Study files: what they may say (`definition`), what they expand to (`plan`), its `cost`."""

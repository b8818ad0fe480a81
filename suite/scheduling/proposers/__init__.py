"""Who says what is trained next: asked for runs, told how they ended."""

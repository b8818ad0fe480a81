"""What a run is: the ground that every other package stands on. No torch and no simulator here."""

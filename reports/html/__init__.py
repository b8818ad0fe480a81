"""The page: one HTML file without network access or scripts."""

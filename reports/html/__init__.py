"""The page: one HTML file without network access; replays alone run scripts, sandboxed."""

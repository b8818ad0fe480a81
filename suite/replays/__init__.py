"""Watching a battle: play one episode (`recording`), show it as one HTML file (`html`).

`files` knows where replays lie and what they say about themselves; it imports nothing heavy.
"""

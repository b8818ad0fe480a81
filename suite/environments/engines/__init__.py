"""Games that run in processes of their own: started, listened to, replaced when they die.

A backend whose game can crash, hang or leak (`football`, `starcraft`) says how one copy of it is
made and how long it may take (`backend.EngineBackend`); this package turns that into a batch.
"""

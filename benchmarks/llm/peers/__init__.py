"""One module per peer, with its pinned requirements beside it.

Each sends the prompts of a job through the public API of the library, as in its documentation, with its cache or
checkpoints enabled. Each peer runs in its own environment.
"""

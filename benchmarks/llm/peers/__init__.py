"""One file a peer, and its pinned requirements beside it. Each asks the prompts of an order through the library's own
interface, as its documentation shows it, with its store switched on. A peer runs in an environment of its own.
"""

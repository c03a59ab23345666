"""What goes out with a data set: the card, and the way to the Hub."""

from coalm_it.release.card import render_card

__all__ = ["render_card"]

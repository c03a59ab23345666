"""Selects the candidates that become rows: how many, in which order, and which are held out."""

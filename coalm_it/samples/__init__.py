"""Dialogue -> Samples, and Sample -> its variants."""

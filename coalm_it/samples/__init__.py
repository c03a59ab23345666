"""A dialogue becomes samples, and samples become variants of themselves."""

"""Writes the thoughts of dialogues: from their annotation (grounded), or with a model (annotate, rewrite, judge)."""

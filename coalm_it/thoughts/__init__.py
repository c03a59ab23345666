"""Who writes a dialogue's thoughts: its annotation, or a model."""

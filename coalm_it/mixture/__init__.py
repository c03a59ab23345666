"""Which candidates become rows, how many, in which order, and which are held out."""

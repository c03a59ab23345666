"""Who writes the thoughts: from annotation alone (`grounded`)."""

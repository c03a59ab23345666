"""The description of each corpus, the corpora found in a folder, and what all readers share."""

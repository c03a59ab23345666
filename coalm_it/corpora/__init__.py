"""What is known of each corpus, what lies in a folder, and what all readers read it with."""

"""What goes out with a data set: the card."""

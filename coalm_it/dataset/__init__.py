"""Build folders: written, read, documented and published."""

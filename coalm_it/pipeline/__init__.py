"""The stages of a build, joined."""

"""The stages of a build, connected."""

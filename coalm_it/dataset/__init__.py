"""What lies in a build folder, and what goes out from it."""

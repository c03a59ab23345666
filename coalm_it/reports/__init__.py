"""What is told about finished builds: `diff` of two, `stats` of one. Both read columns, file by file."""

"""Products made of what the archive holds."""

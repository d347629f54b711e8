"""One forecast on many devices, and many members of one."""

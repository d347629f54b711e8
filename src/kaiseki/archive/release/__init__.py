"""The release store: packed days that users open."""

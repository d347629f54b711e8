"""The archive in formats of others."""

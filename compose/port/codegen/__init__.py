"""Generate a Python file from a network: terms, helper functions for repeated parts, and layout."""

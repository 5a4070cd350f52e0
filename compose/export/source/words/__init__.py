"""Rules that write Python itself, or nothing: the same for all frameworks."""

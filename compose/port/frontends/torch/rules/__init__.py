"""The rules of this front end, one kind of operation a file; `load_rules` imports them all."""

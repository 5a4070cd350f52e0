"""How each word is written: one file for each kind."""

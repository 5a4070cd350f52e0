"""Rules that write words as Keras, by kind."""

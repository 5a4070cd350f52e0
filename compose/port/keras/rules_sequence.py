"""Recurrent and attention layers of Keras."""

"""Corpora: finding audio, encoding it, and keeping what was made."""

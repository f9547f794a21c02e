"""WavTokenizer (Ji et al. 2024): configuration, model and converter."""

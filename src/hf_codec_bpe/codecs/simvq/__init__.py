"""SimVQ for audio (Zhu et al. 2024): configuration, model and converter."""

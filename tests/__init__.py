"""Tests, cut off from every Hub but local ones."""

from .hub.isolation import isolate_environment

# Before huggingface_hub is imported, which reads it once.
isolate_environment()

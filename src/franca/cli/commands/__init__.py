"""The commands and their options, by theme."""

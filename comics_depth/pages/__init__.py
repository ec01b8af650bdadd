"""Whole pages: where they come from, their panels and text, their depth, what is made of it."""

"""Annotations, orderings, splits, frames and depth maps on disk, and the datasets made of them."""

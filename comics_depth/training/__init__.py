"""The training loop, the folder of a run, and what is measured and drawn of held-out samples."""

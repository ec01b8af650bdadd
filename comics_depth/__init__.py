"""What the stage scripts share: layout of folders, formats, datasets, training loop, scores.
Imports no network."""

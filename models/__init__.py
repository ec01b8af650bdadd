"""Networks, and the objectives they are trained with."""

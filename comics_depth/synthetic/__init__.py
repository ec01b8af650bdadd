"""A drawn world of which everything is known: scenes, photographs and comics pages of them."""

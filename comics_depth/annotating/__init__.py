"""Two web pages for a person's eye: ordering points by depth, checking text-free crops."""

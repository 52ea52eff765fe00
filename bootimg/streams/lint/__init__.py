"""Whether a stream may be published: the rules, and what breaks them."""

"""Programs that measure and wear out the product; nothing of the product imports them."""

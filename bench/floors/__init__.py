"""What the machine does without the product: the bare part under each figure, in the same run."""

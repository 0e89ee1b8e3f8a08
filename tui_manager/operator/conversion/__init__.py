"""Conversion of the operator's API between wire and domain, in both directions: `x_to_wire` beside
`x_from_wire`."""

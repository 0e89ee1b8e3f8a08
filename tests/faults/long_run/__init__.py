"""The long run: random tasks under random faults, in one process or shared by several."""

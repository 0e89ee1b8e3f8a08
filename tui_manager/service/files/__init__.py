"""Files on their way to and from hosts: the manager's folder of file sets, what is received into
it, how long it stays, and how other managers on the database get it.
"""

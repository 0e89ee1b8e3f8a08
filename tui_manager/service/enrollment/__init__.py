"""Who belongs to the fleet: join tokens, enrolment, approval, rejection, revocation.

Who is connected is in `hosts/`.
"""

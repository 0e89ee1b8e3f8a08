"""Who belongs to the fleet: join tokens, enrolment, approval, rejection, revocation, removal. And
what operators say of its hosts: names, labels, maintenance.

Who is connected is in `hosts/`.
"""

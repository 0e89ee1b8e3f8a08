"""Who belongs to the fleet: join tokens, enrolment, approval, revocation."""

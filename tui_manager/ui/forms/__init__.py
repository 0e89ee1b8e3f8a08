"""Forms and questions. Here is what all forms are made of, and the questions before an action; a
form is in the package of its subject. The form that saves output is in `output`."""

"""Files in forms: what a form copies and fetches, and the forms that save what was fetched or
export a task."""

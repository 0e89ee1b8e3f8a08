"""The screen. It knows the operator Protocol and the domain, and no other part of the manager.

`app` and `dashboard` use `hosts`, `tasks` and `manager`. These use `output`, then `frame` and
`forms`, then `listing`, then `terminal`. All may use `drawing`, `key_bindings`, `action_table` and
`manager_link`, and these `action`. An import contract keeps this order.
"""

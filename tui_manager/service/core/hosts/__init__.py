"""All hosts in memory: the directory, its groups, counts, order and search, and the vitals of the
last hour. Which hosts are connected is decided in `service/hosts`."""

"""The fault suite: programs are killed, stopped and cut off while commands run. Here are what runs
it, the failpoints and the selection of `make test`."""

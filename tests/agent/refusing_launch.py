"""In place of the fork server: has no process for anybody."""

import os
import sys

if __name__ == "__main__":
    agent = int(sys.argv[1])
    while data := os.read(agent, 65536):
        for folder in data.split(b"\0")[:-1]:
            os.write(agent, folder.rpartition(b"/")[2] + b"=no room for one\0")

#!/bin/sh
# Sets up the peers of `make bench-peers`: each in an environment of its own under the folder $1, so
# that nothing of theirs gets near ours. What Debian packages is taken from Debian; without root it
# says what to install. A peer that cannot be had is left out of the comparison.
set -u
folder=${1:?the folder for their environments}
python=${PYTHON:-python3}

packages=
command -v /usr/sbin/sshd >/dev/null || packages="$packages openssh-server"
command -v ssh >/dev/null || packages="$packages openssh-client"
command -v pdsh >/dev/null || packages="$packages pdsh"
if [ -n "$packages" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # Installed, not started: the bench starts an sshd of its own.
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
        DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
            $packages >/dev/null || echo "not installed:$packages" >&2
        rm -f /usr/sbin/policy-rc.d
    else
        echo "install these yourself:$packages" >&2
    fi
fi

environment() { # NAME REQUIREMENT
    [ -x "$folder/$1/bin/python" ] && [ -e "$folder/$1/.ready" ] && return
    echo "setting up $1"
    rm -rf "${folder:?}/$1"
    "$python" -m venv "$folder/$1" &&
        "$folder/$1/bin/python" -m pip install --quiet "$2" &&
        touch "$folder/$1/.ready" || echo "$1 cannot be set up; it is left out" >&2
}

mkdir -p "$folder"
environment clustershell 'ClusterShell>=1.9'
environment parallel-ssh 'parallel-ssh>=2.12'
environment ansible 'ansible-core>=2.16'
environment salt 'salt>=3007'

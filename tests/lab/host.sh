# Starts one host in a running lab: its network, then its first process in namespaces of its own.
#
# $1: the name; $2: its address; $3: its gateway; $4: the bridge, or the host that is its gateway;
# $5: the roots that it begins with, with `:` between them; $6: the folder of its disk; $7: `systemd`
# or `sshd`, its first process; $8: the cgroup of its own, or empty.
set -e
here=$(dirname "$0")
if ! [ -e "/run/netns/$1" ]; then
    ip netns add "$1"
    ip -n "$1" link set lo up
    if [ "$4" = br0 ]; then
        ip link add "v-$1" type veth peer name eth0 netns "$1"
        ip link set "v-$1" master br0 up
    else
        ip link add "v-$1" netns "$4" type veth peer name eth0 netns "$1"
        ip -n "$4" addr add "$3/24" dev "v-$1"
        ip -n "$4" link set "v-$1" up
        nsenter --net="/run/netns/$4" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    fi
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
    ip -n "$1" route add default via "$3"
fi
if [ -n "$8" ]; then
    mkdir -p "$8"
    echo 0 > "$8/cgroup.procs"
fi
exec nsenter --net="/run/netns/$1" \
    unshare --mount --pid --uts --ipc ${8:+--cgroup} --fork --kill-child=KILL \
    sh "$here/first_process.sh" "$1" "$5" "$6" "$7"

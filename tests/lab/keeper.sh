# The first process of a lab, in namespaces of its own: when it ends, everything in the lab ends with
# it. It makes the network, and mounts the disk of the hosts; both are seen in the lab alone.
#
# $1: the folder of the lab; $2: what all hosts may write, as tmpfs has it, such as 4g.
set -e
mount -t tmpfs -o mode=755 lab-run /run
mkdir /run/netns
mount -t tmpfs -o "mode=755,size=$2" lab-disks "$1/disks"
mount --bind "$1/passwd" /etc/passwd  # ssh looks there for the home of the operator
ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.1/24 dev br0
ip link set br0 up
ip route add 10.78.0.0/24 via 10.77.0.2 dev br0
: > "$1/ready"
while :; do  # `wait` takes note of every process that ends, also of orphans
    sleep 1000 &
    wait "$!" || :
done

# Becomes the first process of a host, which is in its own namespaces already.
#
# $1: the name; $2: the roots that it begins with, with `:` between them; $3: the folder of its
# disk; $4: `systemd` or `sshd`.
set -e
hostname "$1"
mkdir -p "$3/upper" "$3/work" "$3/root"
mount -t overlay -o "lowerdir=$2,upperdir=$3/upper,workdir=$3/work" "$1" "$3/root"
cd "$3/root"
mount -t proc proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o mode=755,nosuid dev dev
for name in null zero full random urandom tty; do
    : > "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755,nosuid,nodev run run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
# Each start is a boot with an id of its own.
cat /proc/sys/kernel/random/uuid > run/boot-id
mount --bind run/boot-id proc/sys/kernel/random/boot_id
if [ "$4" = systemd ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
mkdir run/old-root
pivot_root . run/old-root
cd /
umount -l run/old-root
rmdir run/old-root
if [ -e /etc/lab-read-only ]; then
    mount -o remount,ro /
fi
if [ "$4" = systemd ]; then
    exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /usr/lib/systemd/systemd --log-target=journal --show-status=no
fi
mkdir -p /run/sshd
if [ -x /usr/sbin/cron ]; then
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/cron
fi
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/sshd -D -e

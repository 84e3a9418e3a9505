#!/bin/busybox sh
# The first process of the virtual machine: loads the drivers, mounts what it may see of the machine outside, runs the tests, and says
# how they ended. Whatever happens before that line, the run does not count.
export PATH=/bin
for folder in /proc /sys /dev /tmp /run /sealane /node; do /bin/busybox mkdir -p $folder; done
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=1777 shm /dev/shm
ifconfig lo up
while read -r name options; do
    insmod "/modules/$name.ko" $options || echo "vm: the module $name can't be loaded"
done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 node /node
echo "vm: booted in $(cut -d' ' -f1 /proc/uptime) s: $(uname -r), $(ls -d /dev/udmabuf /dev/dma_heap/* /dev/video* /dev/dri/card* 2>/dev/null | tr '\n' ' ')"
cd /sealane
# What it runs is in /command; SEALANE_VM tells tests that what they need is due here.
env -i HOME=/tmp PATH=/node/bin:/bin NO_COLOR=1 SEALANE_VM=1 SEALANE_DIR=/tmp/sealane /bin/sh /command
echo "vm: ended with status $?"
poweroff -f

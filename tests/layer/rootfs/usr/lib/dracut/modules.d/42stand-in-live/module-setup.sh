#!/bin/bash
# A live system: its root is a read-only file system in a rootfs image, which is on an ISO, was appended to the
# initramfs or comes from a server.  All of it sleeps until the initramfs says that it is a live one.

check() {
    return 0
}

depends() {
    echo systemd ignition ostree stand-in
}

installkernel() {
    instmods loop squashfs erofs isofs sr_mod
}

unit() {
    inst_script "$moddir/$1" "/usr/sbin/$1"
    inst_simple "$moddir/$1.service" "$systemdsystemunitdir/$1.service"
}

install() {
    inst_multiple bash cat cp cpio curl cut head ln losetup mkdir mktemp mount rm sha256sum sleep systemd-escape \
        systemd-tmpfiles umount wc
    inst_multiple -o rdcore
    inst_script "$moddir/is-live-image" /usr/bin/is-live-image
    inst_script "$moddir/stream-hash" /usr/sbin/stream-hash
    inst_script "$moddir/live-generator" "$systemdutildir/system-generators/live-generator"
    inst_script "$moddir/live-cmdline" /usr/sbin/live-cmdline
    unit live-rootfs
    unit live-etc-var
    unit live-ignition-config

    # Ignition reads /usr/lib/ignition/user.ign; systemd has /usr of an initramfs read-only since 256.
    mkdir -p "$initdir/usr/lib/ignition" "$initdir/etc/systemd/system.conf.d"
    printf '[Manager]\nProtectSystem=no\n' > "$initdir/etc/systemd/system.conf.d/40-ignition.conf"
}

#!/bin/bash
# What CoreOS's tools do in the initramfs: take the Ignition config that coreos-installer left on the boot
# partition, and tie the boot and the root filesystem to each other.

check() {
    return 0
}

depends() {
    echo systemd ignition stand-in
}

unit() {
    inst_script "$moddir/$1" "/usr/sbin/$1"
    inst_simple "$moddir/$1.service" "$systemdsystemunitdir/$1.service"
    $SYSTEMCTL -q --root="$initdir" add-requires ignition-diskful.target "$1.service" || exit 1
}

install() {
    inst_multiple bash blkid cp findmnt lsblk mkdir mount rdcore rm udevadm umount
    unit coreos-ignition-setup-user
    unit coreos-boot-edit

    # Ignition reads /usr/lib/ignition/user.ign; systemd has /usr of an initramfs read-only since 256.
    mkdir -p "$initdir/usr/lib/ignition" "$initdir/etc/systemd/system.conf.d"
    printf '[Manager]\nProtectSystem=no\n' > "$initdir/etc/systemd/system.conf.d/40-ignition.conf"
}

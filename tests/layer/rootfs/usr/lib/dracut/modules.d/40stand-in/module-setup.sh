#!/bin/bash
# What CoreOS adds to the initramfs between Ignition and ostree: the root by its label, and the
# first-boot work on the disk.

check() {
    return 0
}

depends() {
    echo systemd ignition ostree
}

installkernel() {
    instmods xfs ext4 vfat nls_cp437 nls_ascii =drivers/virtio virtio_blk virtio_scsi virtio_net ahci nvme sd_mod sr_mod qemu_fw_cfg
}

first_boot_unit() {
    inst_simple "$moddir/$1" "$systemdsystemunitdir/$1"
    $SYSTEMCTL -q --root="$initdir" add-requires ignition-diskful.target "$1" || exit 1
}

install() {
    inst_multiple bash mount umount findmnt blkid lsblk realpath udevadm cat mkdir sleep \
        sgdisk sfdisk partx e2fsck tune2fs xfs_admin xfs_db xfs_growfs systemd-tmpfiles
    for script in coreos-gpt-setup ignition-ostree-firstboot-uuid ignition-ostree-growfs \
        ignition-ostree-populate-var; do
        inst_script "$moddir/$script" "/usr/sbin/$script"
    done
    first_boot_unit coreos-gpt-setup.service
    first_boot_unit ignition-ostree-uuid-boot.service
    first_boot_unit ignition-ostree-uuid-root.service
    first_boot_unit ignition-ostree-growfs.service
    first_boot_unit ignition-ostree-populate-var.service

    inst_simple "$moddir/sysroot.mount" "$systemdsystemunitdir/sysroot.mount"
    $SYSTEMCTL -q --root="$initdir" add-requires initrd-root-fs.target sysroot.mount || exit 1

    inst_simple "$moddir/base.ign" /usr/lib/ignition/base.d/00-core.ign
    # Ignition relabels what it writes with the policy that this names.
    inst_simple /etc/selinux/config
    for generator in systemd-gpt-auto-generator systemd-ssh-generator systemd-tpm2-generator \
        systemd-hibernate-resume-generator; do
        mkdir -p "$initdir/etc/systemd/system-generators"
        ln -sf /dev/null "$initdir/etc/systemd/system-generators/$generator"
    done
}

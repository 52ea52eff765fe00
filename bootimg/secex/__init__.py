"""The image for IBM Secure Execution on s390x: a disk whose kernel, initramfs and arguments are encrypted.

The machine's firmware starts an image that only it can decrypt.  In it are the initramfs with a private key
for the Ignition config, and the root hashes of dm-verity: nobody can change the files of the boot partition
or of the root file system before the first boot.  The first boot encrypts the disk and makes the image again.

Sources: coreos-assembler (platform.qemu-secex.ipp.yaml, secex-genprotimgvm-scripts), fedora-coreos-config
(35coreos-ignition, 40ignition-ostree), s390-tools (pvimg).
"""

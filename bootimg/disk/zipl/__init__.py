"""zipl's boot record and bootmap for a SCSI or virtio disk of s390x, written and read as data.

What the machine's firmware finds (s390-tools: include/boot/boot_defs.h, zipl/src/bootmap.c, install.c):

- the disk's first sector: `zIPL` and a pointer to the program table, before the protective partition table;
- the file /bootmap of the boot partition: the program table; the component table of its one program; for each
  component a load address and a segment table, which is a list of pointers to sectors of the disk; and the
  content of the components that are no files: zIPL's third stage with its parameters, the kernel's arguments,
  an empty environment block;
- the sectors of kernel and initramfs where they are in the boot partition, which the pointers name.

bootimg writes this itself: it executes nothing of the layer, so that every machine can make the disk, and
takes milliseconds for a platform.  The layer's zipl would have to run once for each platform, emulated in a
virtual machine.  From the layer comes the third stage, stage3.bin, which is only copied.  Its interface (the
address and the fields of the parameters) is the same from s390-tools 2.17 to 2.43, and `known_stage3` refuses
a stage that does not keep to it.  A test compares the bytes with those of
zipl; docs/s390x.md says what was seen.

All numbers are big-endian.  A platform's kernel arguments are part of the bootmap, so every platform has its
own.  The BLS entry in /boot stays the source of the arguments: the machine's own zipl reads it later.

Not written: the records of a DASD, signatures for Secure Boot (zipl leaves them out unless the machine that
it runs on has booted securely).
"""

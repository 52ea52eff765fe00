"""Virtual machines: QEMU, its accelerators, images, firmware and consoles."""

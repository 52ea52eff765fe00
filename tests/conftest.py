"""What all tests share: they do not see the options and signals that the user's environment sets."""

import os
import signal

# What tests are told by: where they keep things, and where osbuild's source is.
KEPT = ("BOOTIMG_TEST_", "BOOTIMG_OSBUILD_SOURCE")
for name in [*os.environ]:
    if name.startswith("BOOTIMG_") and not name.startswith(KEPT):
        del os.environ[name]
for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)

# A shell starts jobs in the background with ^C ignored; tests and the programs they start hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)

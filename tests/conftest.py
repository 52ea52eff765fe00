"""What all tests share: they do not see the options that the user's environment sets."""

import os

for name in [*os.environ]:
    if name.startswith("BOOTIMG_") and not name.startswith("BOOTIMG_TEST_"):
        del os.environ[name]
for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)

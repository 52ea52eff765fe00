"""The signal that a system has to be deployed by ostree itself, in the appliance."""

from __future__ import annotations

from bootimg.errors import BootimgError, ExitCode


class NativeUnsupportedError(Exception):
    """The system cannot be laid out natively; `reason` is one line without a full stop.

    It is a signal, not a failure: the caller lets the appliance deploy the layer, and says why.
    `error` is the failure for what the appliance cannot make, which is live media.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def error(self) -> BootimgError:
        """The same as a failure."""
        return BootimgError(
            "deploy-native-unsupported",
            "the layer cannot be laid out without the appliance, as live media need it",
            context=[self.reason],
            hint="leave live media out: the appliance makes the disks of such a layer",
            exit_code=ExitCode.USAGE,
        )

"""The one way in which this part says that a system has to be deployed by ostree itself, in the appliance."""

from __future__ import annotations

from bootimg.errors import BootimgError, ExitCode


class NativeUnsupportedError(Exception):
    """The system cannot be laid out natively; `reason` is one line without a full stop.

    It is a signal, not a failure: the caller lets the appliance deploy the layer, and says why.
    `error` is the failure for the user who allows the native way only.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def error(self) -> BootimgError:
        """The same as a failure."""
        return BootimgError(
            "deploy-native-unsupported",
            "the layer cannot be deployed without the appliance",
            context=[self.reason],
            hint="let the appliance deploy it: --deploy appliance",
            exit_code=ExitCode.USAGE,
        )

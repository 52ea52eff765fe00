"""The appliance: a small virtual machine that runs the tool tree's programs on disk images.

`Appliance.start` attaches the drives; the calls are `run`, `put`, `get` and `close`.
"""

from bootimg.appliance.appliance import Appliance, Drive, FailureHook

__all__ = ["Appliance", "Drive", "FailureHook"]

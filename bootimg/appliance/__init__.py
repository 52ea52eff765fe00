"""The appliance: a small virtual machine that runs the tool tree's programs on disk images.

Five calls: attach (drives, given to `Appliance.start`), `run`, `put`, `get`, `close`.
"""

from bootimg.appliance.appliance import Appliance, Drive, FailureHook

__all__ = ["Appliance", "Drive", "FailureHook"]

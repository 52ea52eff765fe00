"""A stand-in for the program osbuild: its command line, its monitor, its exports; it runs no stage.

What it says over the monitor was recorded from osbuild 191 (`*.seq` beside this file: pipelines of
`small_manifest`, without what systemd-tmpfiles and curl say of the machine).  `plan.json` beside the
program says how it behaves; `calls.ndjson` is what it was called with.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(sys.argv[0]).parent


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="osbuild")
    parser.add_argument("manifest", type=Path)
    for word in ("--store", "--output-directory", "--cache-max-size", "--monitor"):
        parser.add_argument(word)
    for word in ("--checkpoint", "--export"):
        parser.add_argument(word, action="append", default=[])
    parser.add_argument("--monitor-fd", type=int)
    parser.add_argument("--inspect", action="store_true")
    parser.add_argument("--version", action="version", version=f"%(prog)s {plan.get('version', 191)}")
    return parser.parse_args()


def wait_to_be_stopped() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    (HERE / "child").write_text(str(child.pid))
    if plan["hang"] == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        (HERE / "hangs").touch()
        time.sleep(1000)
    except KeyboardInterrupt:
        (HERE / "unmounted").touch()
        sys.exit(130)


def export(manifest: dict[str, Any], name: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    stages = {pipeline["name"]: pipeline["stages"] for pipeline in manifest["pipelines"]}
    options = stages[name][-1]["options"]
    if stages[name][-1]["type"] in ("org.osbuild.gzip", "org.osbuild.oci-archive"):
        # What is wrapped is not looked into.
        (folder / options["filename"]).write_bytes(b"wrapped")
        return
    sizes = [each["options"]["size"] for each in stages[f"raw-{name}-image"] if "size" in each["options"]]
    size = plan.get("size", sizes[-1])
    target = folder / plan.get("filename", options["filename"])
    kind = options["format"]["type"] if "format" in options else "qcow2"
    image = ["qemu-img", "create", "-q", "-f", kind, target, str(size)]
    if kind == "vmdk":
        image[5:5] = ["-o", f"subformat={options['format']['subformat']}"]
    subprocess.run(image, check=True)
    for beside in plan.get("beside", []):
        (folder / beside).touch()


plan = json.loads((HERE / "plan.json").read_text())
with (HERE / "calls.ndjson").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
arguments = parse()
document = json.loads(arguments.manifest.read_text())
if arguments.inspect:
    print(json.dumps(plan.get("refusal", document)))
    sys.exit(2 if "refusal" in plan else 0)
(HERE / "manifest.json").write_text(json.dumps(document))
with os.fdopen(arguments.monitor_fd, "wb") as monitor:
    monitor.write((HERE / "records.seq").read_bytes())
if "hang" in plan:
    export(document, arguments.export[0], Path(arguments.output_directory) / arguments.export[0])
    wait_to_be_stopped()
print(plan.get("says", "\nPipelines"), file=sys.stderr)
if not plan.get("code"):
    for each in plan.get("exports", arguments.export):
        export(document, each, Path(arguments.output_directory) / each)
sys.exit(plan.get("code", 0))

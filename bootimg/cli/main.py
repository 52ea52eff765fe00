"""The command `bootimg`: a table of verbs; a verb's module is imported only when the verb is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line: its module in `bootimg.cli.commands`, its section and line in the help."""

    module: str
    section: str
    summary: str


IMAGES, CONTENT = "Make and boot images", "Builds, packages and streams"
CLOUDS = "Clouds"
MACHINE = "This machine and bootimg itself"

VERBS: Mapping[str, Verb] = {
    "build": Verb("build", IMAGES, "Make boot images from a layer."),
    "plan": Verb("plan", IMAGES, "Show what build would do; change nothing."),
    "compress": Verb("compress", IMAGES, "Compress the images of a build."),
    "uncompress": Verb("uncompress", IMAGES, "Uncompress the images of a build."),
    "run": Verb("run.command", IMAGES, "Boot an image in QEMU."),
    "iso": Verb("iso.group", IMAGES, "Show and change what is embedded in a live ISO."),
    "pxe": Verb("pxe", IMAGES, "Make files for booting live media from the network."),
    "inspect": Verb("inspect", IMAGES, "Show what a layer, a disk, a live ISO or a build contains."),
    "verify": Verb("verify", IMAGES, "Check whether a layer, a disk, a live ISO or a build may ship."),
    "manifest": Verb("manifest", IMAGES, "Print the osbuild manifest of an image."),
    "platforms": Verb("platforms", IMAGES, "List the platforms images are made for."),
    "builds": Verb("builds", CONTENT, "List, show, remove, fetch and push builds."),
    "sign": Verb("sign", CONTENT, "Sign the artifacts of a build."),
    "browse": Verb("browse", CONTENT, "Write the release browser: builds as plain HTML."),
    "rpmdb": Verb("rpmdb", CONTENT, "List and compare the packages of images."),
    "version": Verb("version", CONTENT, "Print the version of a stream's next build."),
    "stream": Verb("stream.group", CONTENT, "Make and check the metadata that installers read."),
    "pipeline": Verb("pipeline.group", CONTENT, "Run the stages of a stream's builds on Tekton."),
    "upload": Verb("clouds.upload", CLOUDS, "Make the images of a build in their clouds."),
    "replicate": Verb("clouds.replicate", CLOUDS, "Copy cloud images to the other regions."),
    "publish": Verb("clouds.publish", CLOUDS, "Make cloud images public."),
    "share": Verb("clouds.share", CLOUDS, "Grant cloud images to other accounts."),
    "deprecate": Verb("clouds.deprecate", CLOUDS, "Mark cloud images as deprecated."),
    "retire": Verb("clouds.retire", CLOUDS, "Delete the cloud images of old builds."),
    "pull": Verb("clouds.pull", CLOUDS, "Get a disk image from a registry."),
    "doctor": Verb("doctor", MACHINE, "Show what this machine has and lacks."),
    "cache": Verb("cache", MACHINE, "List and clean what is kept between builds."),
    "completion": Verb("completion", MACHINE, "Print a shell's completion script."),
}

EPILOG = """\
\b
Examples:
  bootimg build quay.io/fedora/fedora-coreos:stable
  bootimg run"""


class LazyGroup(click.Group):
    """A group whose help and completion come from the table of verbs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command; None if the verb does not exist."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command = import_module(f"bootimg.cli.commands.{verb.module}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"{verb.module}.command is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown word is a usage error that suggests a similar verb."""
        word = args[0]
        if word not in VERBS and not word.startswith("-"):
            raise click.UsageError(f"there is no command {word}{_suggestion(word)}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write only the verbs: the usage line has the two options already, which saves space."""
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs, section by section."""
        for section in dict.fromkeys(verb.section for verb in VERBS.values()):
            with formatter.section(section):
                rows = [(name, verb.summary) for name, verb in VERBS.items() if verb.section == section]
                formatter.write_dl(rows, col_spacing=4)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a verb without importing any."""
        found = [
            CompletionItem(name, help=verb.summary)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)


def _suggestion(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS)
    return f"; did you mean {near[0]}?" if near else ""


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"bootimg {version('bootimg')}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    options_metavar="[--version] [--help]",
    subcommand_metavar="COMMAND …",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def bootimg() -> None:
    """Boot images from a bootable OCI container image (the CoreOS layer)."""

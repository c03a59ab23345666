"""publish: a finished build is uploaded to the Hub."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Folder, Json, app, complain, print_json, print_line, print_rows, suggest, write_command

if TYPE_CHECKING:
    from coalm_it.dataset.release import Release


@app.command()
def publish(
    folder: Folder,
    repo: Annotated[str, typer.Option(metavar="USER/NAME", help="Repository of the data set; created if absent.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public; default: private.")] = False,
    with_rejects: Annotated[
        bool, typer.Option("--with-rejects", help="Also publish the samples that a check rejected.")
    ] = False,
    tag: Annotated[
        str | None, typer.Option(help="Tag of this version; default: from recipe version and manifest.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Another Hub than huggingface.co (also HF_ENDPOINT).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Publish a finished build on the Hugging Face Hub. The token comes from HF_TOKEN or `hf auth login`."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.dataset.publish import plan_release, publish_folder

    if dry_run:
        _print_plan(plan_release(folder, repo, tag, with_rejects), public, as_json)
        if not as_json:
            options = [
                *(["--public"] if public else []),
                *(["--with-rejects"] if with_rejects else []),
                *(["--tag", tag] if tag else []),
            ]
            suggest(write_command("publish", folder, "--repo", repo, *options))
        return
    with show_progress() as listener:
        published = publish_folder(
            folder, repo, public=public, with_rejects=with_rejects, tag=tag, endpoint=endpoint, listener=listener
        )
    if as_json:
        print_json(asdict(published))
    else:
        seen = "private" if published.private else "public"
        print_line(f"{published.url} ({seen}): {len(published.sent)} files sent, the others were there already")
        suggest(f'load_dataset("{published.repo}", "samples", split="train", revision="{published.tag}")')


def _print_plan(release: Release, public: bool, as_json: bool) -> None:
    from coalm_it.dataset.release import CARD

    sizes = {name: release.measure(name) for name in release.files}
    files: list[dict[str, object]] = [{"file": name, "bytes": size} for name, size in sizes.items()]
    about = {"repo": release.repo, "private": not public, "tag": release.tag}
    card = release.written[CARD].decode()
    for warning in release.warnings if public else ():
        complain(f"WARNING: {warning}")
    if as_json:
        print_json({**about, "files": files, "warnings": release.warnings, "card": card})
        return
    print_rows(files, as_json=False)
    total = f"{len(sizes)} files, {sum(sizes.values()):,} bytes"
    seen = "public" if public else "private"
    print_line(f"{release.repo}, {seen}, tag {release.tag}: {total}. The card:\n\n{card}")

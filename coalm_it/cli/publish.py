"""publish: a finished build or a trained model is uploaded to the Hub."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coalm_it.cli.app import Json, app, complain, print_json, print_line, print_rows, suggest, write_command
from coalm_it.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coalm_it.dataset.release import Published, Release


class PublishError(RequestError):
    """Neither a build nor a model, or an option for the other one; the message is one line for the user."""


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A build folder, or the folder of a trained model.")],
    repo: Annotated[str, typer.Option(metavar="USER/NAME", help="Repository on the Hub; created if absent.")],
    public: Annotated[bool, typer.Option("--public", help="Make it public; default: private.")] = False,
    with_rejects: Annotated[
        bool, typer.Option("--with-rejects", help="Build: also publish the samples that a check rejected.")
    ] = False,
    data_set: Annotated[
        str | None,
        typer.Option("--data-set", metavar="USER/NAME", help="Model: the published build that it was trained on."),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="DIR", help="Model: results of `coalm-it eval` for the card; repeatable."),
    ] = None,
    with_checkpoints: Annotated[
        bool, typer.Option("--with-checkpoints", help="Model: also publish each checkpoint, as a branch.")
    ] = False,
    tag: Annotated[
        str | None, typer.Option(help="Tag of this version; default: from version and content of manifest or run.json.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Another Hub than huggingface.co (also HF_ENDPOINT).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Publish a finished build or a trained model on the Hugging Face Hub. The token comes from HF_TOKEN or `hf auth
    login`."""
    from coalm_it.cli.terminal import show_progress

    results = results or []
    of_models = {"--data-set": data_set, "--results": results, "--with-checkpoints": with_checkpoints}
    is_model = _is_model(folder, with_rejects, [name for name, value in of_models.items() if value])
    plan: Callable[..., Release]
    send: Callable[..., Published]
    choices: dict[str, Any]
    if is_model:
        from coalm_it.evaluation.measured import read_results
        from coalm_it.training.publish import plan_model_release as plan
        from coalm_it.training.publish import publish_model as send

        measured = [read_results(path) for path in results]
        choices = {"data_set": data_set, "results": measured, "with_checkpoints": with_checkpoints}
    else:
        from coalm_it.dataset.publish import plan_release as plan
        from coalm_it.dataset.publish import publish_folder as send

        choices = {"with_rejects": with_rejects}

    if dry_run:
        _print_plan(plan(folder, repo, tag, **choices), public, as_json)
        if not as_json:
            options = [
                *(["--public"] if public else []),
                *(["--with-rejects"] if with_rejects else []),
                *(["--data-set", data_set] if data_set else []),
                *(word for path in results for word in ("--results", str(path))),
                *(["--with-checkpoints"] if with_checkpoints else []),
                *(["--tag", tag] if tag else []),
            ]
            suggest(write_command("publish", folder, "--repo", repo, *options))
        return
    with show_progress() as listener:
        published = send(folder, repo, public=public, tag=tag, endpoint=endpoint, listener=listener, **choices)
    _print_published(published, is_model, as_json)


def _is_model(folder: Path, with_rejects: bool, of_models: list[str]) -> bool:
    """Whether it is a trained model, not a build. Raises PublishError if it is neither, or options do not fit it."""
    from coalm_it.dataset.folder import MARKER
    from coalm_it.dataset.lock import hold_folder
    from coalm_it.dataset.manifest import MANIFEST
    from coalm_it.extras import require_extra
    from coalm_it.training.folder import RUN
    from coalm_it.training.publish import is_model_folder

    require_extra("hub", "publishing")
    is_model = is_model_folder(folder)
    if not is_model and not any((folder / name).exists() for name in (MANIFEST, MARKER)):
        with hold_folder(folder, "an upload"):  # one that is at work there is why it is not finished
            raise PublishError(f"{folder} is neither a finished build (no {MANIFEST}) nor a finished model (no {RUN})")
    if is_model and with_rejects:
        raise PublishError(f"--with-rejects is for builds, and {folder} is a model")
    if not is_model and of_models:
        raise PublishError(f"{', '.join(of_models)}: only for models, and {folder} is a build")
    return is_model


def _print_plan(release: Release, public: bool, as_json: bool) -> None:
    from coalm_it.dataset.release import CARD

    def list_files(release: Release, branch: str = "") -> list[dict[str, object]]:
        return [{"file": f"{branch}{name}", "bytes": release.measure(name)} for name in release.files]

    files = list_files(release)
    about = {"repo": release.repo, "kind": release.kind, "private": not public, "tag": release.tag}
    card = release.written[CARD].decode()
    for warning in release.warnings if public else ():
        complain(f"WARNING: {warning}")
    if as_json:
        branches = {other.branch: list_files(other) for other in release.others}
        print_json({**about, "files": files, "branches": branches, "warnings": release.warnings, "card": card})
        return
    files += [file for other in release.others for file in list_files(other, f"{other.branch}:")]
    print_rows(files, as_json=False)
    total = f"{len(files)} files, {sum(int(str(file['bytes'])) for file in files):,} bytes"
    seen = "public" if public else "private"
    print_line(f"{release.repo}, {seen}, tag {release.tag}: {total}. The card:\n\n{card}")


def _print_published(published: Published, is_model: bool, as_json: bool) -> None:
    if as_json:
        print_json(asdict(published))
        return
    seen = "private" if published.private else "public"
    print_line(f"{published.url} ({seen}): {len(published.sent)} files sent, the others were there already")
    if is_model:
        suggest(f'AutoTokenizer.from_pretrained("{published.repo}", revision="{published.tag}")')
    else:
        suggest(f'load_dataset("{published.repo}", "samples", split="train", revision="{published.tag}")')

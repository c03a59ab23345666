"""huggingface_hub against a local Hub (hub_server.py): uploads, refusals, and what an interruption leaves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hub_server import Account, File, Hub, HubRequest, Trick, cut, reply
from typer.testing import CliRunner, Result
from xet_storage import XetStorage

from coalm_it.assets import asset
from coalm_it.cli import app
from coalm_it.dataset.finished import open_build
from coalm_it.pipeline.build import build

TOKEN = "hf_adas_secret"
REPO = "ada/talks"
COMMAND = [sys.executable, "-c", "from coalm_it.cli import app; app()"]
SHARD = "data/samples/train-00000-of-00001.parquet"


def publish(hub: Hub, folder: Path, *options: str, repo: str = REPO) -> Result:
    hub.asked.clear()
    arguments = ["publish", str(folder), "--repo", repo, "--endpoint", hub.address, *options]
    result = CliRunner().invoke(app, arguments)
    assert TOKEN not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def publish_well(hub: Hub, folder: Path, *options: str, repo: str = REPO) -> dict[str, object]:
    """What --json says of a publishing that went well."""
    result = publish(hub, folder, "--json", *options, repo=repo)
    assert result.exit_code == 0, result.output
    said: dict[str, object] = json.loads(result.stdout)
    return said


def publish_elsewhere(home: Path, folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process and a home of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    env |= {"HOME": str(home), "HF_HOME": str(home / "hf"), **environment}
    command = [*COMMAND, "publish", str(folder), "--repo", REPO, *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def assert_refused(result: Result, code: int, *messages: str) -> None:
    """It ended with that code and a single line of complaint that matches each message."""
    assert result.exit_code == code, result.output
    complaints = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    assert len(complaints) == 1, result.stderr
    assert result.stderr.count("\n") <= 2, "more than it says of the files, and what is wrong"
    for message in messages:
        assert re.search(message, complaints[0]), complaints[0]


def read_release(folder: Path, repo: str = REPO) -> dict[str, bytes]:
    """What of a build folder is the data set, the manifest last; the card says where it is published."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = {name: (folder / name).read_bytes() for name in manifest["files"]}
    card = files["README.md"].decode().replace('load_dataset("OUT"', f'load_dataset("{repo}"')
    files["README.md"] = card.replace("`coalm-it rebuild OUT", f"`coalm-it rebuild {repo}").encode()
    sha256 = File(files["README.md"]).sha256
    manifest["files"]["README.md"] = {"bytes": len(files["README.md"]), "sha256": sha256}
    return {**files, "manifest.json": (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()}


@pytest.fixture
def folder(demo: Path, tmp_path: Path) -> Path:
    """A build to be changed."""
    return Path(shutil.copytree(demo, tmp_path / "build"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another version: fewer rows, no rejects, in a single file each."""
    return build("tod", out=tmp_path_factory.mktemp("other") / "out", changes=["parts.sgd=null", "version=2"]).out


# --- what goes up ---


def test_the_hub_gets_the_files_of_the_build_and_a_tag(hub: Hub, demo: Path) -> None:
    result = publish(hub, demo)
    assert result.exit_code == 0, result.output
    repo = hub.repos[REPO]
    assert repo.files() == read_release(demo)
    assert repo.private
    [(tag, commit)] = repo.tags.items()
    assert re.fullmatch("v1-[0-9a-f]{8}", tag)
    assert repo.files(tag) == repo.files()
    assert commit == repo.commits[-1].oid
    assert result.stdout.startswith(
        f"{hub.address}/datasets/{REPO}/tree/{tag} (private): {len(repo.files())} files sent"
    )


def test_the_manifest_goes_last_and_alone(hub: Hub, demo: Path) -> None:
    publish_well(hub, demo)
    _, files, whole = hub.repos[REPO].commits
    assert "manifest.json" not in files.files
    assert whole.files.keys() - files.files.keys() == {"manifest.json"}


def test_files_of_this_machine_are_not_uploaded(hub: Hub, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (folder / "data" / ".DS_Store").write_text("the file manager's")
    assert {".coalm-it", "timings.json"} <= {path.name for path in folder.iterdir()}
    publish_well(hub, folder)
    assert hub.repos[REPO].files() == read_release(folder)


def test_publishing_again_uploads_nothing(hub: Hub, demo: Path) -> None:
    first = publish_well(hub, demo)
    again = publish_well(hub, demo)
    assert first["sent"] == list(read_release(demo))
    assert again == {**first, "sent": []}
    assert {method for method, _ in hub.asked} == {"GET"}
    assert len(hub.repos[REPO].commits) == 3


def test_load_dataset_opens_what_was_published(hub: Hub, demo: Path, tmp_path: Path) -> None:
    tag = publish_well(hub, demo)["tag"]
    code = f"""
import json
from datasets import load_dataset
rows = load_dataset("{REPO}")
samples = load_dataset("{REPO}", "samples", revision="{tag}")
here = [load_dataset({str(demo)!r}, config, split="train") for config in ("coalm_it", "samples")]
print(json.dumps([list(rows), list(samples), rows["train"].to_list() == here[0].to_list(),
    samples["train"].to_list() == here[1].to_list(), samples["train"].features == here[1].features]))
"""
    env = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [["train"], ["train"], True, True, True]


def test_xet_storage_gets_the_same_bytes(hub: Hub, demo: Path, tmp_path: Path) -> None:
    hub.xet = XetStorage()
    ran = publish_elsewhere(tmp_path, demo, "--endpoint", hub.address, HF_TOKEN=TOKEN)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    assert hub.repos[REPO].files() == read_release(demo)
    assert hub.xet.xorbs
    assert not hub.sent()


def test_the_card_names_the_repository_and_what_was_published_is_whole(hub: Hub, demo: Path, tmp_path: Path) -> None:
    publish_well(hub, demo)
    card = hub.repos[REPO].files()["README.md"].decode()
    assert f'load_dataset("{REPO}", split="train")' in card
    assert f"`coalm-it rebuild {REPO}`" in card
    assert 'load_dataset("OUT", split="train")' in (demo / "README.md").read_text()
    for name, content in hub.repos[REPO].files().items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(content)
    copy = open_build(tmp_path / "copy")
    copy.check_files(copy.manifest.files)


def test_rejects_go_up_only_when_asked_for(hub: Hub, tmp_path: Path) -> None:
    folder = build("coalm_it_plus", out=tmp_path / "plus").out
    rejects = "rejects/rejects-00000-of-00001.parquet"
    first = publish_well(hub, folder)
    files = hub.repos[REPO].files()
    assert rejects not in files
    assert rejects not in json.loads(files["manifest.json"])["files"]
    assert "Rejected samples are not included." in files["README.md"].decode()
    second = publish_well(hub, folder, "--with-rejects")
    assert hub.repos[REPO].files() == read_release(folder)
    assert rejects in hub.repos[REPO].files()
    assert first["tag"] != second["tag"]
    publish_well(hub, folder)
    assert hub.repos[REPO].files() == files


@pytest.mark.parametrize(
    ("licence", "warning"),
    [
        ("Proprietary", "sgd: licence Proprietary is not an open licence known to coalm-it"),
        ("", "sgd: no licence is stated, so nobody has permission to use its rows"),
        ("CC-BY-NC-ND-4.0", "sgd: licence CC-BY-NC-ND-4.0 does not permit changed copies, which these rows are"),
    ],
)
def test_a_licence_that_may_forbid_it_is_a_warning_before_all_can_see(
    hub: Hub, bundled: Path, tmp_path: Path, licence: str, warning: str
) -> None:
    source = yaml.safe_load(asset("sources", "sgd.yaml").read_text(encoding="utf-8"))
    (tmp_path / "sgd.yaml").write_text(yaml.safe_dump({**source, "licence": licence}), encoding="utf-8")
    part = "{source: sgd.yaml, task: react_action}"
    (tmp_path / "recipe.yaml").write_text(f"name: mine\nparts:\n  sgd: {part}\n", encoding="utf-8")
    out = build(str(tmp_path / "recipe.yaml"), out=tmp_path / "out", data=bundled).out
    for options in (["--public", "--dry-run"], ["--public"]):
        result = publish(hub, out, *options)
        assert result.exit_code == 0, result.output
        assert f"WARNING: {warning}\n" in result.stderr
    assert not hub.repos[REPO].private
    hub.repos.clear()
    assert "WARNING" not in publish(hub, out).stderr


# --- versions ---


def test_another_version_replaces_the_first_which_keeps_its_tag(hub: Hub, demo: Path, other: Path) -> None:
    first, second = publish_well(hub, demo), publish_well(hub, other)
    repo = hub.repos[REPO]
    assert repo.files() == read_release(other)
    assert repo.files(str(first["tag"])) == read_release(demo)
    assert repo.tags.keys() == {first["tag"], second["tag"]}
    assert str(second["tag"]).startswith("v2-")
    assert "manifest.json" not in repo.commits[-2].files, "between two versions there is no data set"


def test_only_files_of_an_earlier_version_are_deleted(hub: Hub, folder: Path, other: Path) -> None:
    listed = json.loads((folder / "manifest.json").read_bytes())
    (folder / "requests.txt").write_text("of a version whose thoughts a model wrote\n")
    sha256 = File((folder / "requests.txt").read_bytes()).sha256
    listed["files"]["requests.txt"] = {"bytes": 42, "sha256": sha256}
    (folder / "manifest.json").write_text(json.dumps(listed))
    publish_well(hub, folder)
    repo = hub.repos[REPO]
    assert "requests.txt" in repo.files()
    added = {"LICENSE": File(b"by hand"), "data/samples/train-9.parquet": File(b"of nobody's manifest", large=True)}
    repo.add_commit("by hand", {**repo.commits[-1].files, **added})
    publish_well(hub, other)
    assert repo.files() == {**read_release(other), "LICENSE": b"by hand"}


def test_publishing_again_deletes_foreign_data_files(hub: Hub, demo: Path) -> None:
    publish_well(hub, demo)
    repo = hub.repos[REPO]
    repo.add_commit("by hand", {**repo.commits[-1].files, "data/samples/train-9.parquet": File(b"mine", large=True)})
    publish_well(hub, demo)
    assert repo.files() == read_release(demo)


def test_going_back_to_a_version_finds_its_tag(hub: Hub, demo: Path, other: Path) -> None:
    first = publish_well(hub, demo)
    publish_well(hub, other)
    again = publish_well(hub, demo)
    assert hub.repos[REPO].files() == read_release(demo)
    assert (again["tag"], again["commit"]) == (first["tag"], first["commit"])


def test_the_same_build_gets_the_same_tag_wherever_it_was_made(hub: Hub, other: Path, tmp_path: Path) -> None:
    twin = build("tod", out=tmp_path / "twin", changes=["parts.sgd=null", "version=2"]).out
    assert publish_well(hub, other)["tag"] == publish_well(hub, twin, repo="ada/twin")["tag"]


def test_a_tag_can_be_chosen(hub: Hub, demo: Path, other: Path) -> None:
    publish_well(hub, demo, "--tag", "v1.0")
    assert hub.repos[REPO].files("v1.0") == read_release(demo)
    before = len(hub.repos[REPO].commits)
    assert_refused(publish(hub, other, "--tag", "v1.0"), 2, "tag v1.0 exists and holds another version: use another$")
    assert len(hub.repos[REPO].commits) == before
    assert publish_well(hub, demo, "--tag", "v1.0")["sent"] == []


@pytest.mark.parametrize("tag", ["v 1", "main", "-v1", "v1.", "v1..2", "v1/x", "été", "v~1"])
def test_an_invalid_tag_is_refused(hub: Hub, demo: Path, tag: str) -> None:
    assert_refused(publish(hub, demo, f"--tag={tag}"), 2, f"{tag!r} is not a valid tag")
    assert hub.asked == []


# --- who may see it ---


def test_a_repository_becomes_public_once_it_is_complete(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("POST", "/tag/", reply(500)))
    assert publish(hub, demo, "--public").exit_code == 3
    assert hub.repos[REPO].private
    assert publish_well(hub, demo, "--public")["private"] is False
    assert not hub.repos[REPO].private


def test_a_public_repository_needs_the_option(hub: Hub, demo: Path) -> None:
    hub.add_repo(REPO, private=False)
    assert_refused(publish(hub, demo), 2, "is public: add --public if this version is to be public too$")
    assert hub.repos[REPO].files() == {}
    publish_well(hub, demo, "--public")
    assert hub.repos[REPO].files() == read_release(demo)


# --- without sending anything ---


@pytest.mark.libraries
def test_a_dry_run_lists_files_and_sizes_and_shows_the_card(demo: Path) -> None:
    result = CliRunner().invoke(app, ["publish", str(demo), "--repo", REPO, "--dry-run"])
    assert result.exit_code == 0
    for name, content in read_release(demo).items():
        assert re.search(rf"^{re.escape(name)}\s+{len(content)}$", result.stdout, re.MULTILINE)
    total = sum(map(len, read_release(demo).values()))
    summary = rf"^{REPO}, private, tag v1-[0-9a-f]{{8}}: 6 files, {total:,} bytes\. The card:$"
    assert re.search(summary, result.stdout, re.MULTILINE)
    assert read_release(demo)["README.md"].decode().rstrip("\n") in result.stdout


def test_a_dry_run_says_the_same_as_json_and_asks_nobody(hub: Hub, demo: Path) -> None:
    said = publish_well(hub, demo, "--dry-run", "--public")
    assert hub.asked == []
    assert said["files"] == [{"file": name, "bytes": len(content)} for name, content in read_release(demo).items()]
    assert (said["card"], said["private"]) == (read_release(demo)["README.md"].decode(), False)
    assert publish_well(hub, demo, "--public")["tag"] == said["tag"]


# --- folders that are refused ---


def add(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / "manifest.json").unlink(), r"is not a finished build: it has no manifest\.json$"),
        (lambda out: (out / "manifest.json").write_text("{}"), r"manifest\.json is not the manifest of a coalm-it"),
        (lambda out: (out / "manifest.json").write_text('["half'), r"manifest\.json is not JSON"),
        (lambda out: change(out / SHARD), rf"/{SHARD} is not the file that was built: its sha256 has changed"),
        (lambda out: (out / SHARD).unlink(), rf"/{SHARD} is missing: manifest\.json lists it; build it again$"),
        (lambda out: add(out / "data/samples/train-1.parquet"), r"train-1\.parquet is not part of this build"),
        (lambda out: add(out / "data/more/x"), r"/data/more/x is not part of this build"),
        (lambda out: (out / "README.md").write_text("# Mine"), r"README\.md is not the file that was built"),
        (lambda out: shutil.rmtree(out), r"is neither a finished build \(no manifest\.json\) nor a "),
    ],
    ids=["no manifest", "no build's", "damaged", "changed", "missing", "extra", "extra folder", "card", "no folder"],
)  # fmt: skip
def test_a_folder_that_has_changed_since_the_build_is_refused(
    hub: Hub, folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    assert_refused(publish(hub, folder), 2, message)
    assert_refused(publish(hub, folder, "--dry-run"), 2, message)
    assert hub.asked == []


def test_a_manifest_leads_nowhere_else(hub: Hub, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["../secret"] = {"bytes": 4, "sha256": File(b"mine").sha256}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert_refused(publish(hub, folder), 2, "secret is missing")


def test_a_build_that_falls_short_of_what_its_recipe_expects_is_refused(
    hub: Hub, bundled: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(bundled, tmp_path / "data"))
    (data / "sgd" / "train" / "dialogues_001.json").write_text("[")
    out = build("tod", data=data, out=tmp_path / "out", changes=["expect.rejects_at_most=0"]).out
    shortfall = r"1 rejects and faults of \d+: more than rejects_at_most \(0\.0%\) allows; mend "
    assert_refused(publish(hub, out), 1, f"does not meet what its recipe expects: {shortfall}")
    assert hub.asked == []


# --- names, tokens, rights ---


@pytest.mark.parametrize(
    "name", ["talks", "a/b/c", "ada/", "/talks", "ada/my talks", "ada/a--b", "ada/.x", "ada/x.git", ""]
)
def test_an_invalid_name_is_refused(hub: Hub, demo: Path, name: str) -> None:
    assert_refused(publish(hub, demo, repo=name), 2, f"^coalm-it: {re.escape(repr(name))} is not a repository name: ")
    assert_refused(publish(hub, demo, "--dry-run", repo=name), 2, "is not a repository name: ")
    assert hub.asked == []


def test_without_a_token_nothing_is_asked(hub: Hub, demo: Path, tmp_path: Path) -> None:
    ran = publish_elsewhere(tmp_path, demo, "--endpoint", hub.address)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "coalm-it: no token for the Hub: set HF_TOKEN, or run: hf auth login\n"
    assert hub.asked == []


def test_token_and_hub_may_be_those_of_the_hubs_own_login_and_environment(hub: Hub, demo: Path, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(f"{TOKEN}\n")
    ran = publish_elsewhere(tmp_path, demo, HF_ENDPOINT=hub.address)
    assert ran.returncode == 0, ran.stderr
    assert TOKEN not in ran.stdout + ran.stderr
    assert hub.repos[REPO].files() == read_release(demo)


def test_without_the_hubs_library_it_says_what_to_install(demo: Path) -> None:
    code = "import sys; sys.modules['huggingface_hub'] = None; from coalm_it.cli import app; app()"
    command = [sys.executable, "-c", code, "publish", str(demo), "--repo", REPO]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (
        2,
        "coalm-it: publishing needs huggingface_hub: pip install 'coalm-it[hub]', or '.[hub]' in a checkout (26 MB)\n",
    )


def test_an_unknown_token_is_refused(hub: Hub, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    result = publish(hub, demo)
    assert_refused(result, 2, r"answers 401 Unauthorized.*; is the token \(HF_TOKEN, or hf auth login\) still valid\?$")
    assert "hf_wrong_secret" not in result.output


def test_a_token_that_expires_on_the_way_is_one_line(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("POST", "/commit/", reply(401, {"error": "Invalid credentials in Authorization header"})))
    assert_refused(publish(hub, demo), 2, "answers 401 .*still valid")


@pytest.mark.parametrize("token", ["hf_a b", "hf_\x07x", "hf_é"])
def test_a_token_with_odd_characters_is_not_sent(
    hub: Hub, demo: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    result = publish(hub, demo)
    assert_refused(result, 2, "contains invalid characters$")
    assert token not in result.output
    assert hub.asked == []


@pytest.mark.parametrize(
    ("account", "message"),
    [
        (
            Account("eve"),
            'answers 403 Forbidden: .*under the namespace "ada"; the token of eve has no write permission there$',
        ),
        (Account("ada", writes=False), "answers 403 Forbidden: .*; the token of ada has no write permission there$"),
    ],
    ids=["another's name", "a token that only reads"],
)
def test_without_the_right_to_write_nothing_is_made(hub: Hub, demo: Path, account: Account, message: str) -> None:
    hub.accounts[TOKEN] = account
    assert_refused(publish(hub, demo), 2, message)
    assert hub.repos == {}


def test_a_right_that_was_taken_away_is_one_line(hub: Hub, demo: Path, other: Path) -> None:
    publish_well(hub, demo)
    hub.accounts[TOKEN] = Account("ada", writes=False)
    assert_refused(publish(hub, other), 2, "the token of ada has no write permission there$")
    assert hub.repos[REPO].files() == read_release(demo)


def test_a_member_publishes_for_an_organisation(hub: Hub, demo: Path) -> None:
    hub.accounts[TOKEN] = Account("ada", organisations=("harbour",))
    publish_well(hub, demo, repo="harbour/talks")
    assert hub.repos["harbour/talks"].files() == read_release(demo, "harbour/talks")


def test_a_token_in_the_hubs_message_is_not_shown(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("POST", "/repos/create", reply(403, {"error": f"Bearer {TOKEN} may not"})))
    assert_refused(publish(hub, demo), 2, r"Bearer \(token\) may not")


def test_a_token_is_not_sent_without_https(demo: Path, hub: Hub) -> None:
    arguments = ["publish", str(demo), "--repo", REPO, "--endpoint", "http://192.0.2.1"]
    assert_refused(
        CliRunner().invoke(app, arguments), 2, r"http://192\.0\.2\.1: not HTTPS; the token must not be sent there$"
    )


# --- names that are taken ---


def test_a_repository_that_holds_something_else_is_left_alone(hub: Hub, demo: Path) -> None:
    theirs = hub.add_repo(REPO, README__md="---\ntags: [poems]\n---\n# Poems\n", poems__txt="O")
    assert_refused(publish(hub, demo), 2, "holds something other than a data set of coalm-it: use another name$")
    assert theirs.files().keys() == {"README.md", "poems.txt"}


def test_a_name_that_is_taken_by_an_invisible_repository(hub: Hub, demo: Path) -> None:
    hub.add_repo(REPO)
    hub.tricks.append(("GET", REPO, reply(404, "", X_Error_Code="RepoNotFound")))
    assert_refused(publish(hub, demo), 2, "answers 409 Conflict: .*but ada has no access to it$")


def test_an_empty_repository_is_used(hub: Hub, demo: Path) -> None:
    hub.add_repo(REPO)
    publish_well(hub, demo)
    assert hub.repos[REPO].files() == read_release(demo)


# --- the world fails ---


def test_a_connection_that_is_cut_once_is_retried(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("PUT", "/lfs/", cut))
    publish_well(hub, demo)
    assert hub.repos[REPO].files() == read_release(demo)


def test_an_interruption_leaves_no_data_set_and_a_rerun_uploads_the_rest(hub: Hub, demo: Path) -> None:
    sha256 = File((demo / SHARD).read_bytes()).sha256
    expired = ("PUT", sha256, reply(403, "<Error>Request has expired</Error>"))
    hub.tricks += [("PUT", sha256, cut), expired]  # addresses of storage hold for a while
    assert_refused(
        publish(hub, demo), 3, f"{SHARD}.*: the Hub answers 403 Forbidden: <Error>Request has expired</Error>$"
    )
    assert hub.repos[REPO].files() == {}
    assert hub.repos[REPO].tags == {}

    publish_well(hub, demo)
    assert hub.sent() == [sha256], "the other large files were there"
    assert hub.repos[REPO].files() == read_release(demo)


@pytest.mark.parametrize("which", [0, 1], ids=["files", "manifest"])
def test_a_commit_that_is_cut_is_made_by_a_rerun(hub: Hub, demo: Path, which: int) -> None:
    hub.tricks += [("POST", "/commit/", HubRequest.answer)] * which + [("POST", "/commit/", cut)]
    assert_refused(publish(hub, demo), 3, "Server disconnected without sending a response|Connection reset")
    assert "manifest.json" not in hub.repos[REPO].files()
    assert hub.repos[REPO].tags == {}
    sent = publish_well(hub, demo)["sent"]
    assert hub.sent() == []
    assert sent == (["manifest.json"] if which else list(read_release(demo)))
    assert hub.repos[REPO].files() == read_release(demo)


def test_a_new_version_that_is_cut_off_is_no_data_set(hub: Hub, demo: Path, other: Path) -> None:
    first = publish_well(hub, demo)
    hub.tricks += [("POST", "/commit/", HubRequest.answer), ("POST", "/commit/", cut)]
    assert publish(hub, other).exit_code == 3
    assert "manifest.json" not in hub.repos[REPO].files()
    assert hub.repos[REPO].files(str(first["tag"])) == read_release(demo)
    publish_well(hub, other)
    assert hub.repos[REPO].files() == read_release(other)


def test_a_concurrent_commit_is_one_line(hub: Hub, demo: Path) -> None:
    def meddle(asked: HubRequest) -> None:
        repo = hub.repos[REPO]
        repo.add_commit("meddled", {**repo.commits[-1].files, SHARD: File(b"other", large=True)})
        asked.answer()

    hub.tricks += [("POST", "/commit/", HubRequest.answer), ("POST", "/commit/", meddle)]
    assert_refused(publish(hub, demo), 3, "answers 412 .*; the repository changed in the meantime: run again$")
    assert "manifest.json" not in hub.repos[REPO].files()
    publish_well(hub, demo)
    assert hub.repos[REPO].files() == read_release(demo)


def test_a_hub_that_keeps_less_than_it_was_sent_gets_no_manifest(hub: Hub, demo: Path) -> None:
    def ignore(asked: HubRequest) -> None:
        wanted = json.loads(asked.read_body())["files"]
        asked.send(
            200, {"files": [{**one, "uploadMode": "regular", "shouldIgnore": one["path"] == SHARD} for one in wanted]}
        )

    hub.tricks.append(("POST", "/preupload/", ignore))
    assert_refused(publish(hub, demo), 3, f"{SHARD} did not arrive intact: run again$")
    assert "manifest.json" not in hub.repos[REPO].files()


def test_a_card_that_the_hub_refuses_is_one_line(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("POST", "/validate-yaml", reply(400, {"errors": [{"message": "no such licence"}]})))
    assert_refused(publish(hub, demo), 3, r"Invalid metadata in README\.md\. - no such licence")


def test_warnings_of_the_hub_are_reported(hub: Hub, demo: Path) -> None:
    hub.tricks.append(("POST", "/validate-yaml", reply(200, {"warnings": [{"message": "a card needs a picture"}]})))
    result = publish(hub, demo)
    assert result.exit_code == 0
    assert re.search(r"^warning of the Hub: .*a card needs a picture", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    "trick",
    [reply(200, []), reply(200, "<html>"), reply(503, "busy"), reply(404), cut],
    ids=["a list", "a page", "503", "404", "cut"],
)
@pytest.mark.parametrize(
    "place", ["/whoami-v2", "/revision/main", "/repos/create", "/xet-write-token/", "/validate-yaml", "/tag/"]
)
def test_a_broken_hub_is_one_line(hub: Hub, demo: Path, place: str, trick: Trick) -> None:
    hub.tricks += [(method, place, trick) for method in ("GET", "POST")]
    result = publish(hub, demo)
    if result.exit_code:
        assert_refused(result, 3, re.escape(f"{hub.address}/datasets/{REPO}"))
        assert hub.repos.get(REPO) is None or hub.repos[REPO].tags == {}
    hub.tricks.clear()
    publish_well(hub, demo)
    assert hub.repos[REPO].files() == read_release(demo)


def test_no_hub_at_all(hub: Hub, demo: Path) -> None:
    arguments = ["publish", str(demo), "--repo", REPO, "--endpoint", "http://127.0.0.1:1"]
    assert_refused(CliRunner().invoke(app, arguments), 3, r"127\.0\.0\.1:1/datasets/ada/talks: .*Connection refused")

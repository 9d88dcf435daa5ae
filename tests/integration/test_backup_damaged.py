"""A backup damaged in many ways: verifying names each, a restore refuses, and the live store stays as it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from portfolio.backup.verify import verify
from portfolio.day.restore import restore_store
from portfolio.errors import ExitCode, RestoreRefusedError
from tests.support.backups import decided_and_backed_up, run_in, seal
from tests.support.command import contents, document, portfolio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORE, MANIFEST = "portfolio.duckdb", "manifest.json"
BYTES = "size|checksum"  # DuckDB decides whether a write lets the file grow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    decided_and_backed_up(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "data")


def backup_in(folder: Path) -> Path:
    (backup,) = (folder / "sample" / "backups").iterdir()
    return backup


def flip_a_byte(backup: Path) -> None:
    store = bytearray((backup / STORE).read_bytes())
    store[len(store) // 2] ^= 0xFF
    (backup / STORE).write_bytes(store)


def flip_a_byte_of_the_header(backup: Path) -> None:
    store = bytearray((backup / STORE).read_bytes())
    store[9] ^= 0xFF
    (backup / STORE).write_bytes(store)


def cut_the_store(backup: Path) -> None:
    store = (backup / STORE).read_bytes()
    (backup / STORE).write_bytes(store[: len(store) // 2])


def empty_the_store(backup: Path) -> None:
    (backup / STORE).write_bytes(b"")


def lose_the_store(backup: Path) -> None:
    (backup / STORE).unlink()


def lose_the_manifest(backup: Path) -> None:
    (backup / MANIFEST).unlink()


def garble_the_manifest(backup: Path) -> None:
    (backup / MANIFEST).write_bytes((backup / MANIFEST).read_bytes()[:-20])


def edit_the_manifest(backup: Path) -> None:
    text = (backup / MANIFEST).read_text("utf-8")
    (backup / MANIFEST).write_text(text.replace('"out.signals": 1', '"out.signals": 2'), "utf-8")


def take_a_list_for_a_manifest(backup: Path) -> None:
    (backup / MANIFEST).write_text("[]", "utf-8")


def lose_a_part_of_the_manifest(backup: Path) -> None:
    """As a release with a bug would have written it: the checksum over the rest is right."""
    rest = json.loads((backup / MANIFEST).read_text("utf-8"))
    del rest["files"], rest["sha256"]
    sha256 = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    (backup / MANIFEST).write_text(json.dumps(rest | {"sha256": sha256}), "utf-8")


def take_the_manifest_of_a_newer_release(backup: Path) -> None:
    (backup / MANIFEST).write_text('{"format": 2, "anything": "else"}', "utf-8")


def write_into_the_store(backup: Path) -> None:
    with duckdb.connect(backup / STORE) as connection:
        connection.execute("DELETE FROM out.signals")


def make_it_the_other_kind(backup: Path) -> None:
    with duckdb.connect(backup / STORE) as connection:
        connection.execute("UPDATE core.meta SET value = 'live' WHERE key = 'kind'")


def take_another_program_s_store(backup: Path) -> None:
    (backup / STORE).unlink()
    with duckdb.connect(backup / STORE) as connection:
        connection.execute("CREATE TABLE theirs (i INTEGER)")


def lose_a_model_s_file(backup: Path) -> None:
    next((backup / "models").glob("hmm-*/model.json")).unlink()


def lose_the_models(backup: Path) -> None:
    shutil.rmtree(backup / "models")


def change_a_model(backup: Path) -> None:
    path = next((backup / "models").glob("hmm-*/model.json"))
    path.write_text(path.read_text("utf-8").replace("1", "2", 1), "utf-8")


def add_a_file(backup: Path) -> None:
    (backup / "note.txt").write_text("mine", "utf-8")


def add_a_log(backup: Path) -> None:
    (backup / f"{STORE}.wal").write_bytes(b"")


def link_the_store_away(backup: Path) -> None:
    (backup / STORE).rename(backup.parents[1] / "elsewhere")
    (backup / STORE).symlink_to(backup.parents[1] / "elsewhere")


def take_a_newer_schema(backup: Path) -> None:
    with duckdb.connect(backup / STORE) as connection:
        connection.execute("INSERT INTO core.migrations VALUES (9, 'later', 9, now(), '9.0')")
    seal(backup)


DAMAGES: dict[Callable[[Path], None], set[tuple[str, str]]] = {
    flip_a_byte: {("checksum", STORE)},  # in a block that opening and counting do not read
    flip_a_byte_of_the_header: {("checksum", STORE), ("store-unusable", STORE)},
    cut_the_store: {("size", STORE), ("store-unusable", STORE)},
    empty_the_store: {("size", STORE), ("store-unusable", STORE)},
    lose_the_store: {("file-missing", STORE)},
    lose_the_manifest: {("manifest", "")},
    garble_the_manifest: {("manifest", "")},
    edit_the_manifest: {("manifest", "")},
    take_a_list_for_a_manifest: {("manifest", "")},
    lose_a_part_of_the_manifest: {("manifest", "")},
    take_the_manifest_of_a_newer_release: {("manifest", "")},
    write_into_the_store: {(BYTES, STORE), ("rows", "out.signals")},
    make_it_the_other_kind: {(BYTES, STORE), ("kind", STORE)},
    take_another_program_s_store: {(BYTES, STORE), ("store-unusable", STORE)},
    lose_a_model_s_file: {("file-missing", "models/ID/model.json")},
    lose_the_models: {
        ("file-missing", "models/ID/manifest.json"),
        ("file-missing", "models/ID/model.json"),
        ("model-missing", "ID"),
    },
    change_a_model: {("checksum", "models/ID/model.json")},
    add_a_file: {("file-added", "note.txt")},
    add_a_log: {("file-added", f"{STORE}.wal")},
    link_the_store_away: {("file-changed", STORE)},
    take_a_newer_schema: {("schema-newer", "")},
}


@pytest.mark.parametrize(("damage", "expected"), DAMAGES.items(), ids=[damage.__name__ for damage in DAMAGES])
def test_backup_is_refused_with_every_difference_named_when_damaged(damage, expected, folder):
    backup = backup_in(folder)
    model = next((backup / "models").iterdir()).name
    damage(backup)
    before = contents(folder)
    found = verify(backup, "sample").errors
    seen = {(finding.rule, finding.subject.replace(model, "ID").replace(backup.name, "")) for finding in found}
    for rule, subject in expected:
        assert {(one, subject) for one in rule.split("|")} & seen
    assert len(seen) == len(expected)
    for force in (False, True):
        with pytest.raises(RestoreRefusedError) as caught:
            restore_store(run_in(folder, "restore"), backup, force=force)
        assert all(f"{rule}: " in str(caught.value) for rule, _ in seen)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (edit_the_manifest, "it was edited"),
        (garble_the_manifest, "it is not JSON"),
        (take_a_list_for_a_manifest, "no JSON object but list"),
        (lose_a_part_of_the_manifest, "files: Field required"),
        (take_the_manifest_of_a_newer_release, "format 2 and this release reads up to 1"),
        (lose_the_manifest, "No such file"),
    ],
)
def test_manifest_is_refused_with_its_reason(damage, told, folder):
    damage(backup_in(folder))
    (finding,) = verify(backup_in(folder)).errors
    assert told in finding.message


def test_backup_is_whole_and_left_untouched_when_nobody_damaged_it(folder):
    before = contents(folder)
    assert verify(backup_in(folder), "sample").findings == ()
    assert contents(folder) == before


def test_backup_is_refused_for_a_store_of_the_other_kind(folder):
    before = contents(folder)
    assert [finding.rule for finding in verify(backup_in(folder), "live").errors] == ["kind-other"]
    with pytest.raises(RestoreRefusedError, match="--source sample"):
        restore_store(run_in(folder, "restore", PORTFOLIO_SOURCE="live"), backup_in(folder), force=True)
    assert contents(folder) == before


def test_commands_end_with_their_exit_codes_and_leave_the_store_when_the_newest_backup_is_damaged(folder, tmp_path):
    settings = {"DATA_DIR": str(folder)}
    whole = portfolio(tmp_path, "verify-backup", "--json", settings=settings)
    assert (whole.returncode, document(whole)["whole"], document(whole)["findings"]) == (0, True, [])
    flip_a_byte(backup_in(folder))
    before = contents(folder)
    verified = portfolio(tmp_path, "verify-backup", settings=settings)
    assert verified.returncode == ExitCode.FAILED
    assert "cannot be restored" in verified.stdout
    assert f"checksum: {STORE}" in verified.stdout
    found = document(portfolio(tmp_path, "verify-backup", backup_in(folder).name, "--json", settings=settings))
    assert [finding["rule"] for finding in found["findings"]] == ["checksum"]
    restored = portfolio(tmp_path, "restore", "--force", settings=settings)
    assert (restored.returncode, restored.stdout) == (ExitCode.REFUSED, "")
    assert "nothing was changed" in restored.stderr
    assert contents(folder) == before


def test_manifest_tells_what_a_person_looks_for(folder):
    manifest = json.loads((backup_in(folder) / MANIFEST).read_text("utf-8"))
    told = manifest["contents"]
    assert (manifest["format"], told["kind"], told["newest_session"]) == (1, "sample", "2001-06-01")
    assert (told["storage_version"], told["schema"], told["min_reader"]) == ("v1.4.0", 1, 1)
    assert (told["rows"]["out.signals"], told["rows"]["raw.ledger_entries"]) == (1, 1)
    assert {file["name"] for file in manifest["files"]} == set(contents(backup_in(folder))) - {MANIFEST}

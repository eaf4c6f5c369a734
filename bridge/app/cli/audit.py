"""``simplebridge audit``: the compliance log, shown, verified, proven and exported."""

import datetime as dt
import os
import pwd
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from attrs import frozen

from bridge.app.cli.common import Context, Wrong, common_options, found, print_table
from bridge.app.home import Home
from bridge.compliance import record
from bridge.compliance.checkpoint import VerifierKey
from bridge.compliance.errors import ComplianceError, KeyDamagedError, NoteError, ProofError
from bridge.compliance.export import export_jsonl, verify_export
from bridge.compliance.files import CHECKPOINT, VERIFIER_KEY, LogFiles
from bridge.compliance.opening import Opener
from bridge.compliance.query import Found, Prover, Span, prove_message, read_records
from bridge.compliance.rows import StoreDamagedError
from bridge.compliance.verify import Kept, verify_log
from bridge.delivery.ports import Entry
from bridge.identity.accounts import normal_address
from bridge.model.body import Message
from bridge.store import housekeeping
from bridge.store.errors import StoreError
from bridge.store.reader import SqliteLogReader

FORMS: Final = ("jsonl",)
_COMING: Final = frozenset({"eml", "actiance", "parquet"})
"""Named by the command line's description and not written yet: whoever asks for one has not mistyped."""


@frozen
class Log:
    """A log that is open for reading, with what it takes to read it."""

    home: Home
    reader: SqliteLogReader
    log_id: str

    @property
    def files(self) -> LogFiles:
        """Its published files."""
        return LogFiles(self.home.log_folder)

    def opener(self) -> Opener:
        """Opens its records."""
        return Opener(self.log_id, self.home.keyring(create=False), self.reader.keks())

    def keys(self, given: Path | None = None) -> list[VerifierKey]:
        """Returns the public keys that its checkpoints may be signed with: the given one, else our own signer's."""
        if given is not None:
            return [_read_key(given)]
        return [self.home.signer(self.log_id, create=False).verifier]


def _read_key(path: Path) -> VerifierKey:
    try:
        return VerifierKey.parse(path.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError, NoteError) as e:
        raise Wrong(f"{path}: not a verifier key: {e}") from e


@contextmanager
def _open(context: Context) -> Iterator[Log]:
    home = context.home()
    if not home.database.exists():
        raise Wrong(f"{home.database}: there is no log yet")
    try:
        reader = SqliteLogReader(home.database)
    except (StoreError, StoreDamagedError) as e:
        found(f"the log cannot be read: {e}")
    try:
        yield Log(home, reader, reader.state().log_id)
    except StoreDamagedError as e:
        found(f"the log is damaged: {e}")
    finally:
        reader.close()


def _note_use(home: Home, kind: str, detail: dict[str, Any]) -> None:
    """Puts on record that somebody read the record."""
    draft = record.event(kind, actor=operator(), detail=detail)
    with home.direct() as journal:
        journal.commit(Entry(records=(draft,)))


def operator() -> str:
    """Returns who runs this command: the name that the system knows, else the number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@click.group()
def audit() -> None:
    """The compliance log."""


@audit.command()
@common_options
@click.option("--person", help="Only what concerns this person: alice@corp.example, or network/name.")
@click.option("--since", help="Only from this time on: 2026-11-23, 2026-11-23T12:00:00Z, or 30m, 12h, 7d ago.")
@click.option("--until", help="Only before this time.")
@click.option("--limit", type=click.IntRange(1), help="At most so many records, the newest.")
def show(context: Context, person: str | None, since: str | None, until: str | None, limit: int | None) -> None:
    """Show what is on record. That you looked is put on record too."""
    span = Span(person=_person(context.home(), person), since=_time(since, "--since"), until=_time(until, "--until"))
    with _open(context) as log:
        records: list[Found] = []
        for item in read_records(log.reader, log.opener(), span):
            records.append(item)
            if limit is not None and len(records) > limit:
                del records[0]
        rows = [_row(item) for item in records]
        home = log.home
    _note_use(home, record.SEARCH, {"person": person, "since": since, "until": until, "records": len(rows)})
    columns = ("seq", "time", "event", "direction", "from", "to", "text", "result", "problem")
    context.show(rows, lambda: print_table(columns, [tuple(row[c] for c in columns) for row in rows]))


def _person(home: Home, text: str | None) -> str | None:
    if text is None:
        return None
    network, slash, name = text.partition("/")
    if slash:
        return f"{network}/{home.normal_name(network, name)}"
    return normal_address(text)


_AGO = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _time(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return max(0.0, dt.datetime.now(dt.UTC).timestamp() - int(ago[1]) * _SECONDS[ago[2]])
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.astimezone()).timestamp()
    except (ValueError, OverflowError) as e:
        raise Wrong(f"{option}: not a time such as 2026-11-23T12:00:00Z, 2026-11-23 or 12h: {text!r}") from e


def _row(item: Found) -> dict[str, Any]:
    fields, envelope = item.record.fields, item.record.envelope
    result = fields.get("decision", "")
    if fields.get("outcome"):
        result = ", ".join(
            str(one["code"]) + (" (maybe twice)" if one.get("maybe_duplicate") else "") for one in fields["outcome"]
        )
    elif result:
        result = f"{result}: {fields.get('deciding') or fields.get('reason_code', '')}"
    body = envelope.body if envelope is not None else None
    payload = item.record.payload or {}
    return {
        "seq": item.row.seq,
        "time": _iso(item.row.t_intake),
        "event": item.row.event,
        "id": item.row.msg_id or "",
        "direction": fields.get("direction", ""),
        "from": str(envelope.sender.address)
        if envelope is not None
        else payload.get("account", fields.get("actor", "")),
        "to": ", ".join(str(one.address) for one in envelope.recipients) if envelope is not None else "",
        "text": body.text if isinstance(body, Message) else payload.get("reason", payload.get("detail", "")),
        "result": result,
        "problem": item.problem,
        "leaf": fields,
    }


def _iso(microseconds: int) -> str:
    moment = dt.datetime.fromtimestamp(microseconds / 1e6, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@audit.command()
@common_options
@click.option(
    "--checkpoint", "kept", multiple=True, type=click.Path(path_type=Path), help="A checkpoint kept elsewhere."
)
@click.option("--key", type=click.Path(path_type=Path), help="The log's public key, as kept elsewhere.")
def verify(context: Context, kept: tuple[Path, ...], key: Path | None) -> None:
    """Verify the whole log: every leaf, body, key, tile, checkpoint and queue. Exit 1 when anything does not fit."""
    copies = [Kept(str(path), _read_text(path)) for path in kept]
    with _open(context) as log:
        try:
            keys, keyring = log.keys(key), log.home.keyring(create=False)
        except KeyDamagedError as e:
            found(str(e))
        report = verify_log(log.reader, files=log.files, keys=keys, keyring=keyring, kept=copies)
    answer = {
        "ok": report.ok,
        "log_id": report.log_id,
        "leaves": report.size,
        "root": report.root.hex(),
        "opened": report.opened,
        "unopened": report.unopened,
        "destroyed": report.destroyed,
        "checkpoints": report.checkpoints,
        "files": report.files,
        "findings": [{"where": f.where, "seq": f.seq, "what": f.what} for f in report.findings],
    }

    def human() -> None:
        for finding in report.findings:
            click.echo(str(finding))
        click.echo(
            f"{report.log_id}: {report.size} leaves, {report.opened} bodies opened, {report.destroyed} destroyed on "
            f"purpose, {report.checkpoints} checkpoints, {report.files} files; root {report.root.hex()[:16]}"
        )

    context.show(answer, human)
    if not report.ok:
        found(f"the log is broken: {len(report.findings)} findings")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise Wrong(f"{path}: cannot be read: {e}") from e


@audit.command()
@common_options
def checkpoint(context: Context) -> None:
    """Print the newest published checkpoint, to be kept elsewhere; the log's public key is beside it in the folder."""
    home = context.home()
    note = LogFiles(home.log_folder).read_checkpoint()
    if note is None:
        found(f"{home.log_folder / CHECKPOINT}: nothing was published yet")
    key = str(home.log_folder / VERIFIER_KEY)
    context.show({"checkpoint": note, "key": key}, lambda: click.echo(note, nl=False))


@audit.command()
@common_options
@click.argument("event")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Write each proof into this folder.")
def prove(context: Context, event: str, output: Path | None) -> None:
    """Prove that the leaves about EVENT (the reference of a message) are in the log: C2SP tlog-proofs."""
    with _open(context) as log:
        try:
            proofs = prove_message(log.reader, log.files, log.keys(), event)
        except (ProofError, NoteError) as e:
            found(str(e))
    rows = [{"seq": row.seq, "event": row.event, "hash": row.hash.hex(), "proof": p.text()} for row, p in proofs]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for row in rows:
            (output / f"{row['seq']}.tlog-proof").write_text(str(row["proof"]), "utf-8")
    context.show(rows, lambda: click.echo("".join(str(row["proof"]) for row in rows), nl=False))


@audit.command()
@common_options
@click.option("--format", "form", required=True, help="The form of the export: jsonl.")
@click.option("--person", help="Only what concerns this person.")
@click.option("--since", help="Only from this time on.")
@click.option("--until", help="Only before this time.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file; standard output by default.")
@click.option(
    "--manifest", type=click.Path(path_type=Path, dir_okay=False), help="The signed manifest; FILE.manifest by default."
)
def export(
    context: Context,
    form: str,
    person: str | None,
    since: str | None,
    until: str | None,
    output: Path | None,
    manifest: Path | None,
) -> None:
    """Export records with a signed manifest of counts and hashes. That it was done is put on record too."""
    if form not in FORMS:
        what = "is not there yet" if form in _COMING else "is not a form of export"
        raise Wrong(f"--format: {form!r} {what}; there is {', '.join(FORMS)}")
    span = Span(person=_person(context.home(), person), since=_time(since, "--since"), until=_time(until, "--until"))
    complete = span == Span()
    manifest = manifest or (None if output is None else output.with_name(f"{output.name}.manifest"))
    with _open(context) as log:
        signer = log.home.signer(log.log_id, create=False)
        prover = Prover(log.files, [signer.verifier])
        records = read_records(log.reader, log.opener(), span)
        try:
            if output is None:
                context.answered = True  # by what follows, a line for each record
                made, note = export_jsonl(records, sys.stdout.buffer, prover=prover, signer=signer, complete=complete)
                sys.stdout.buffer.flush()
            else:
                with output.open("wb") as file:
                    made, note = export_jsonl(records, file, prover=prover, signer=signer, complete=complete)
            if manifest is not None:
                manifest.write_text(note, "utf-8")
        except OSError as e:
            raise Wrong(f"{e.filename or output}: {e.strerror}") from e
        home = log.home
    detail = {
        "format": form,
        "person": person,
        "since": since,
        "until": until,
        "sha256": made.sha256,
        "records": made.count,
    }
    _note_use(home, record.EXPORT, detail)
    if output is not None and context.json:
        answer = {"output": str(output), "manifest": str(manifest), "records": made.count, "sha256": made.sha256}
        context.show(answer, lambda: None)
    click.echo(f"simplebridge: {made.count} records, sha256 {made.sha256}", err=True)


@audit.command("rotate-key")
@common_options
@click.option("--drop-old", is_flag=True, help="Remove the old keys: older backups of the store open no more.")
def rotate_key(context: Context, drop_old: bool) -> None:
    """Wrap every key of the log under a new master key. A running daemon goes on with it by itself."""
    home = context.home()
    if not home.database.exists():
        raise Wrong(f"{home.database}: there is no log yet")
    with home.direct() as journal:
        keyring = home.keyring(create=False)
        before = sorted(keyring.ids)
        fresh = housekeeping.rotate_master_key(journal, keyring, actor=operator())
        if drop_old:
            for name in before:
                housekeeping.retire_master_key(journal, keyring, name, actor=operator())
    answer = {"key": fresh, "old": before, "dropped": drop_old}
    kept = "dropped" if drop_old else "kept, for backups"
    context.show(answer, lambda: click.echo(f"the log's keys are wrapped under {fresh}; {', '.join(before)} {kept}"))


@audit.command("verify-export")
@common_options
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--manifest", type=click.Path(path_type=Path), help="FILE.manifest by default.")
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The log's public key.")
@click.option(
    "--checkpoint", "kept", multiple=True, type=click.Path(path_type=Path), help="A checkpoint kept elsewhere."
)
def verify_export_(context: Context, file: Path, manifest: Path | None, key: Path, kept: tuple[Path, ...]) -> None:
    """Verify an export with the public key alone: no daemon, no store and no secret is needed."""
    note = _read_text(manifest or file.with_name(f"{file.name}.manifest"))
    copies = [Kept(str(path), _read_text(path)) for path in kept]
    try:
        with file.open("rb") as lines:
            made, findings = verify_export(lines, note, [_read_key(key)], copies)
    except (ComplianceError, OSError) as e:
        found(f"{file}: {e}")
    answer = {
        "ok": not findings,
        "log_id": made.log_id,
        "records": made.count,
        "complete": made.complete,
        "findings": [{"where": f.where, "seq": f.seq, "what": f.what} for f in findings],
    }

    def human() -> None:
        for finding in findings:
            click.echo(str(finding))
        click.echo(f"{made.log_id}: {made.count} records, {'the whole log' if made.complete else 'a part of it'}")

    context.show(answer, human)
    if findings:
        found(f"the export is broken: {len(findings)} findings")

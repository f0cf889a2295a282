"""``tidegate keys``: key files, made, imported, listed and checked. No secret on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tidegate.app.cli.common import JsonFlag, UsageError, emit, home
from tidegate.custody.keys import (
    Curve,
    KeyFile,
    KeyKind,
    read_key_files,
    read_password,
    secret_of_hex,
    secret_of_keystore,
    seed_of_solana_keypair,
)
from tidegate.model import ConfigError, Tampered, TidegateError

app = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="a to z, 0 to 9 and -.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Where key files lie; else the home's keys.")]
ThrowAway = Annotated[
    bool,
    typer.Option("--throw-away", help="Marked for life: devnets, testnets and stage fork alone."),
]
PasswordSource = Annotated[
    str, typer.Option("--password", help="fd:N, credential:NAME or terminal; never the password itself.")
]


@app.command()
def new(
    name: Name,
    curve: Annotated[
        Curve, typer.Option(help="secp256k1 for EVM chains, ed25519 for Solana and people's orders.")
    ] = Curve.SECP256K1,
    throw_away: ThrowAway = False,
    password: PasswordSource = "terminal",  # noqa: S107 (a place, no password)
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and write it encrypted. It is shown nowhere; copy the file."""
    secret = read_password(password, what=f"key {name}", repeat=True)
    file = KeyFile.make(name, secret, kind=_kind(throw_away), curve=curve)
    _written(file, file.write(folder or _keys()), as_json=as_json)


@app.command(name="import")
def import_key(
    name: Name,
    keystore: Annotated[
        Path | None, typer.Option("--keystore", help="A keystore file of version 3, as geth writes it.")
    ] = None,
    keystore_password: Annotated[
        str | None,
        typer.Option("--keystore-password", help="Where its password comes from; else --password."),
    ] = None,
    solana: Annotated[Path | None, typer.Option("--solana", help="A keypair file of Solana's tools.")] = None,
    hex_from: Annotated[
        str | None, typer.Option("--hex-from", help="fd:N, credential:NAME or terminal: 64 hex digits.")
    ] = None,
    throw_away: ThrowAway = False,
    password: PasswordSource = "terminal",  # noqa: S107 (a place, no password)
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a key that another tool made as a key file of ours, under a password of ours."""
    if sum(source is not None for source in (keystore, solana, hex_from)) != 1:
        raise UsageError(
            "one key is imported from one place",
            allowed="one of --keystore FILE, --solana FILE, --hex-from SOURCE",
            fix="tidegate keys import --help",
        )
    curve = Curve.SECP256K1
    ours = None
    if keystore is not None:
        theirs = read_password(keystore_password or password, what=str(keystore))
        ours = theirs if keystore_password is None and password != "terminal" else None  # noqa: S105
        secret = secret_of_keystore(keystore, theirs)
    elif solana is not None:
        curve, secret = Curve.ED25519, seed_of_solana_keypair(solana)
    else:
        assert hex_from is not None
        secret = secret_of_hex(read_password(hex_from, what="the secret key (hex)").reveal())
    ours = ours or read_password(password, what=f"key {name}", repeat=True)
    file = KeyFile.make(name, ours, kind=_kind(throw_away), curve=curve, secret=secret)
    _written(file, file.write(folder or _keys()), as_json=as_json)


@app.command(name="list")
def list_keys(folder: Folder = None, as_json: JsonFlag = False) -> None:
    """List key files by what they say; only their password proves it (keys check)."""
    rows = [_row(path, file) for path, file in read_key_files(folder or _keys())]

    def render(out: Console) -> None:
        if not rows:
            out.print("no keys; next: tidegate keys new NAME")
            return
        table = Table(box=None, pad_edge=False)
        columns = ("name", "address", "curve", "kind")
        for title in columns:
            table.add_column(title, no_wrap=True)
        for row in rows:
            if "name" in row:
                table.add_row(*(str(row[key]) for key in columns))
        out.print(table)
        for row in rows:
            if "problem" in row:
                out.print(f"{row['file']}: {row['problem']}")

    emit({"keys": rows}, as_json=as_json, render=render)


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One key; else all, unopened.")] = None,
    password: Annotated[
        str | None, typer.Option("--password", help="Open it too: fd:N, credential:NAME or terminal.")
    ] = None,
    folder: Folder = None,
    as_json: JsonFlag = False,
) -> None:
    """Check form, permissions and derivation of key files, and with a password the seal of one.

    Exit 1 if anything is wrong, 13 if a password does not open its key or the key's marks were changed.
    """
    place = folder or _keys()
    if password is not None and name is None:
        raise UsageError("a password opens one key", allowed="tidegate keys check NAME --password SOURCE")
    found = [(path, file) for path, file in read_key_files(place) if name in (None, path.stem)]
    if name is not None and not found:
        raise ConfigError(
            f"there is no key named {name!r}",
            found=str(place),
            allowed=", ".join(path.stem for path, _ in read_key_files(place)) or "no key at all",
            fix="tidegate keys list",
        )
    rows = [_row(path, file) for path, file in found]
    if password is not None:
        file = found[0][1]
        if isinstance(file, TidegateError):
            raise file
        file.open(read_password(password, what=f"key {name}"))
        rows[0]["opened"] = True
    is_well = not any("problem" in row for row in rows)

    def render(out: Console) -> None:
        for row in rows:
            opened = ", opened, seal intact" if row.get("opened") else ""
            out.print(f"{row['file']}: {row.get('problem') or 'well' + opened}")
        if not rows:
            out.print("no keys; next: tidegate keys new NAME")

    emit({"ok": is_well, "keys": rows}, as_json=as_json, render=render)
    if not is_well:
        raise typer.Exit(1)


def _keys() -> Path:
    return home() / "keys"


def _kind(throw_away: bool) -> KeyKind:
    return KeyKind.THROW_AWAY if throw_away else KeyKind.LIVE


def _written(file: KeyFile, path: Path, *, as_json: bool) -> None:
    row = _row(path, file)

    def render(out: Console) -> None:
        out.print(f"{row['name']}: {row['address']} ({row['curve']}, {row['kind']})")
        if "public_key" in row:
            out.print(f'public key, as a signer pins a person: "{row["public_key"]}"')
        out.print(f"written: {path}; copy it to a safe place, it is the only one")

    emit(row, as_json=as_json, render=render)


def _row(path: Path, file: KeyFile | ConfigError) -> dict[str, Any]:
    if isinstance(file, ConfigError):
        return {"file": str(path), "problem": str(file)}
    row: dict[str, Any] = {
        "name": file.tidegate.name,
        "address": file.shown_address,
        "curve": file.tidegate.curve.value,
        "kind": file.tidegate.kind.value,
        "file": str(path),
    }
    try:
        if file.tidegate.curve is Curve.ED25519:
            row["public_key"] = file.public_key.hex()
    except Tampered as error:
        row["problem"] = str(error)
    if file.is_weak:
        row["problem"] = f"a live key with a light derivation (n={file.crypto.kdfparams.n}); import it anew"
    return row

#!/usr/bin/env python3
"""Shows that `cip ingest` reads object stores as it reads files: moto's S3 on this machine, and a stand-in for Azure.

    pip install "moto[server]" boto3
    cargo build --release -p cip-cli --features object-store
    python3 scripts/check_object_store.py target/release/cip

Files are uploaded, read by address, pattern and prefix, and every store is compared byte by byte with that of the local files.
Connections that break are mended; what is missing, refused or changed is an error that names it, and leaves the store as it
was. Exit code 0 where all of it holds.
"""

import argparse
import contextlib
import gzip
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import boto3

BUCKET = "shop"
SECRET = "a-secret-that-nobody-prints"
STORE_MAPPING = """
name = "events-of-a-store"
[columns]
event_time = { from = "event_time", type = "timestamp" }
event_type = { from = "event_type", type = "dictionary" }
user_id = { from = "user_id", type = "int64" }
product_id = { from = "product_id", type = "int64" }
price = { from = "price", type = "money", scale = 2, nullable = true }
"""
checks = 0


def check(holds: bool, what: str, detail: object = "") -> None:
    global checks
    checks += 1
    if not holds:
        sys.exit(f"FAILED: {what}\n{detail}")
    print(f"ok: {what}")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def moto(log: Path):
    """moto's server, as a process of its own."""
    port = free_port()
    with log.open("wb") as output:
        server = subprocess.Popen(
            [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=1).read()
                    break
                if server.poll() is not None:
                    sys.exit(f"moto_server ended: {log.read_text()}")
                time.sleep(0.1)
            else:
                sys.exit("moto_server does not answer")
            yield port
        finally:
            server.terminate()
            server.wait(timeout=20)


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Refusing(http.server.BaseHTTPRequestHandler):
    """A store that lets nobody in."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Blobs(http.server.BaseHTTPRequestHandler):
    """As much of Azure's Blob Storage as is read: one container with the files of a folder."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if query.get("comp") == "list":
            return self.list(query.get("prefix", ""), query.get("delimiter"))
        file = self.folder / urllib.parse.unquote(url.path).lstrip("/").partition("/")[2]
        if not file.is_file():
            body = b"<Error><Code>BlobNotFound</Code><Message>The specified blob does not exist.</Message></Error>"
            return self.answer(404, body, {})
        data = file.read_bytes()
        tag = f'"0x{hash(data) & 0xffffffff:08X}"'
        if self.headers.get("If-Match", tag) != tag:
            return self.answer(412, b"<Error><Code>ConditionNotMet</Code></Error>", {})
        headers = {"ETag": tag, "Last-Modified": formatdate(file.stat().st_mtime, usegmt=True)}
        if asked := self.headers.get("Range"):
            start, _, end = asked.removeprefix("bytes=").partition("-")
            part = data[int(start):int(end) + 1]
            headers["Content-Range"] = f"bytes {start}-{int(start) + len(part) - 1}/{len(data)}"
            return self.answer(206, part, headers)
        return self.answer(200, data, headers)

    do_HEAD = do_GET

    def list(self, prefix: str, delimiter: str | None) -> None:
        names = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        blobs, folders = [], []
        for name in (name for name in names if name.startswith(prefix)):
            head, found, _ = name[len(prefix):].partition("/")
            if delimiter and found:
                folders.append(f"{prefix}{head}/")
                continue
            file = self.folder / name
            blobs.append(
                f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{formatdate(file.stat().st_mtime, usegmt=True)}"
                f"</Last-Modified><Etag>0x1</Etag><Content-Length>{file.stat().st_size}</Content-Length>"
                "<Content-Type>text/csv</Content-Type></Properties></Blob>")
        parts = "".join(f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in dict.fromkeys(folders))
        body = f"<?xml version='1.0'?><EnumerationResults><Blobs>{''.join(blobs)}{parts}</Blobs><NextMarker/></EnumerationResults>"
        self.answer(200, body.encode(), {"Content-Type": "application/xml"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Breaking:
    """Passes connections on to a port; those that `breaks` still counts end in the midst of a long answer."""

    def __init__(self, port: int, breaks: int) -> None:
        self.port, self.left, self.broken = port, breaks, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, 300_000), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
                passed += len(data)
                if limit and passed > limit and self.may_break():
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def may_break(self) -> bool:
        with self.lock:
            if self.left == 0:
                return False
            self.left -= 1
            self.broken += 1
            return True


class Cip:
    """The command, with the environment of a store."""

    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GOOGLE_", "AZURE_"))}
        self.program, self.environment = program, {**clean, **environment}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=300)
        if SECRET in done.stdout + done.stderr:
            sys.exit(f"FAILED: a secret is printed: {done.stderr}")
        return done

    def ingest(self, *sources: object, out: Path, mapping: object = "rees46", options: tuple[object, ...] = ()) -> dict:
        done = self.run("ingest", *sources, "--mapping", mapping, "--out", out, "--json", *options)
        if done.returncode != 0:
            sys.exit(f"FAILED: cip ingest {sources}: {done.stderr}")
        return json.loads(done.stdout)

    def refused(self, *sources: object, out: Path, options: tuple[object, ...] = ()) -> str:
        done = self.run("ingest", *sources, "--mapping", "rees46", "--out", out, *options)
        if done.returncode != 1:
            sys.exit(f"FAILED: cip ingest {sources} ends with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stderr


def make_files(cip: Cip, work: Path) -> Path:
    """Events of a month by files of some days, plain and gzip, one of them of several ranges."""
    cip.run("generate", work / "world", "--events", "3e5", "--seed", "7")
    months = [path.read_text().splitlines(keepends=True) for path in sorted((work / "world").glob("*.csv"))]
    lines = [months[0][0], *(line for month in months for line in month[1:])]
    files = work / "files"
    (files / "below").mkdir(parents=True)
    parts = {"2019-10-a.csv": lines[1:200_000], "2019-10-b.csv.gz": lines[200_000:250_000],
             "2019-11-c.csv.gz": lines[250_000:260_000]}
    for name, part in parts.items():
        data = "".join([lines[0], *part]).encode()
        (files / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    (files / "below" / "2019-12-d.csv").write_text("".join([lines[0], *lines[260_000:261_000]]))
    (files / "notes.txt").write_text("no events\n")
    # More than one range of 8 MiB.
    check((files / "2019-10-a.csv").stat().st_size > 20 << 20, "the largest file takes several ranges")
    return files


def check_s3(program: Path, port: int, work: Path) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": endpoint,
                   "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    cip = Cip(program, environment)
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key",
                      aws_secret_access_key=SECRET)
    # Whoever asks without a signature gets public objects alone.
    s3.create_bucket(Bucket=BUCKET, ACL="public-read")
    files = make_files(cip, work)
    for file in files.rglob("*"):
        if file.is_file():
            s3.upload_file(str(file), BUCKET, f"in/{file.relative_to(files)}", ExtraArgs={"ACL": "public-read"})

    local = cip.ingest(files, out=work / "local")
    expected = bytes_of(work / "local")
    check(local["files"] == 3 and local["account"]["events"] > 250_000, "the local files make a store", local)
    names = ["2019-10-a.csv", "2019-10-b.csv.gz", "2019-11-c.csv.gz"]
    for what, sources in {
        "a prefix": [f"s3://{BUCKET}/in"],
        "a prefix with a slash": [f"s3://{BUCKET}/in/"],
        "a pattern": [f"s3://{BUCKET}/in/2019-*"],
        "patterns": [f"s3://{BUCKET}/in/*.csv", f"s3a://{BUCKET}/i?/*.csv.gz"],
        "each object": [f"s3://{BUCKET}/in/{name}" for name in names],
    }.items():
        target = work / "s3"
        cip.ingest(*sources, out=target, options=("--rebuild",))
        check(bytes_of(target) == expected, f"S3, {what}: the bytes of the local files")
    options = ("--rebuild", "--memory", "200MiB", "--threads", "2")
    cip.ingest(f"s3://{BUCKET}/in", out=work / "s3", options=options)
    check(bytes_of(work / "s3") == expected, "S3: and so in little memory")
    manifest = (work / "s3" / "manifest.json").read_text()
    check(not any(word in manifest for word in (SECRET, "s3:", BUCKET, "127.0.0.1")), "the manifest has names alone")
    deep = cip.ingest(f"s3://{BUCKET}/in/**/*.csv", out=work / "deep")
    check(deep["files"] == 2, "S3: ** reaches below", deep)

    preview = cip.run("ingest", f"s3://{BUCKET}/in", "--mapping", "rees46", "--dry-run", "--json").stdout
    check(preview == cip.run("ingest", files, "--mapping", "rees46", "--dry-run", "--json").stdout != "",
          "S3: --dry-run says what it says of the files")

    mapping = work / "store.toml"
    mapping.write_text(STORE_MAPPING)
    events = next((work / "local").glob("commits/*/events*.parquet"))
    s3.upload_file(str(events), BUCKET, f"tables/{events.name}")
    cip.ingest(events, out=work / "table", mapping=mapping)
    cip.ingest(f"s3://{BUCKET}/tables/*.parquet", out=work / "s3-table", mapping=mapping)
    check(bytes_of(work / "table") == bytes_of(work / "s3-table"), "S3: Parquet gives the bytes of the local file")

    again = cip.ingest(f"s3://{BUCKET}/in", out=work / "s3")
    check((again["files"], again["files_taken"]) == (0, 3) and bytes_of(work / "s3") == expected, "S3: nothing is taken twice")
    s3.upload_file(str(files / "below" / "2019-12-d.csv"), BUCKET, "in/2019-12-d.csv")
    more = cip.ingest(f"s3://{BUCKET}/in", out=work / "s3")
    check((more["files"], more["files_taken"], more["commit"]) == (1, 3, 2), "S3: a new object is one more commit", more)
    changed = (files / "below" / "2019-12-d.csv").read_bytes().replace(b"view", b"cart", 1)
    s3.put_object(Bucket=BUCKET, Key="in/2019-12-d.csv", Body=changed)
    before = bytes_of(work / "s3")
    error = cip.refused(f"s3://{BUCKET}/in", out=work / "s3")
    check("2019-12-d.csv" in error and "--changed replace" in error, "S3: a changed object is refused", error)
    check(bytes_of(work / "s3") == before, "and leaves the store")
    replaced = cip.ingest(f"s3://{BUCKET}/in", out=work / "s3", options=("--changed", "replace"))
    check((replaced["files"], replaced["files_replaced"]) == (1, 1), "S3: or replaced, where that is asked for", replaced)
    (files / "2019-12-d.csv").write_bytes(changed)
    cip.ingest(files, out=work / "all")
    cip.run("compact", work / "s3")
    check(bytes_of(work / "s3") == bytes_of(work / "all"), "S3: compacted, it has the bytes of one ingest of all files")

    before = bytes_of(work / "s3")
    s3.put_object(Bucket=BUCKET, Key="broken/cut.csv.gz", Body=(files / names[1]).read_bytes()[:100_000])
    for what, source, words in [
        ("a missing object", f"s3://{BUCKET}/in/none.csv", ("none.csv", "no such bucket or object")),
        ("a missing bucket", "s3://nobodys-bucket/in/", ("s3://nobodys-bucket/in/", "NoSuchBucket", "no such bucket or object")),
        ("a pattern without objects", f"s3://{BUCKET}/in/2031-*.csv", ("no file matches", "2031-*.csv")),
        ("a prefix without objects", f"s3://{BUCKET}/out/", ("no source files", "out/")),
        ("a cut archive", f"s3://{BUCKET}/broken/cut.csv.gz", ("cut.csv.gz cannot be decompressed",)),
        ("another scheme", "ftp://shop/in", ("expected s3, gs, az",)),
    ]:
        error = cip.refused(source, out=work / "s3", options=("--rebuild",))
        check(all(word in error for word in words) and error.count("\n") == 1, f"S3: {what} is named", error)
    check(bytes_of(work / "s3") == before, "and the store is as it was")

    breaking = Breaking(port, breaks=3)
    behind = Cip(program, {**environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{breaking.listener.getsockname()[1]}"})
    behind.ingest(f"s3://{BUCKET}/in/{names[0]}", out=work / "broken", options=("--rebuild",))
    cip.ingest(files / names[0], out=work / "whole")
    check(breaking.broken == 3 and bytes_of(work / "broken") == bytes_of(work / "whole"),
          "S3: connections that break are mended", breaking.broken)
    breaking.listener.close()

    with serving(Refusing) as refusing:
        denied = Cip(program, {**environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{refusing}"})
        error = denied.refused(f"s3://{BUCKET}/in/", out=work / "s3")
        check("AccessDenied" in error and "credentials" in error, "S3: no permission is named", error)
    down = Cip(program, {**environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})
    start = time.monotonic()
    error = down.refused(f"s3://{BUCKET}/in/", out=work / "s3")
    check("cannot be reached" in error and time.monotonic() - start < 60, "S3: a store that is down is named", error)
    check(bytes_of(work / "s3") == before, "and the store is as it was")

    # Google's XML interface is that of S3 where it is read.
    google = Cip(program, {"GOOGLE_BASE_URL": endpoint, "GOOGLE_SKIP_SIGNATURE": "true", "GOOGLE_ALLOW_HTTP": "true"})
    s3.delete_object(Bucket=BUCKET, Key="in/2019-12-d.csv")
    google.ingest(f"gs://{BUCKET}/in/2019-*", out=work / "gs")
    check(bytes_of(work / "gs") == expected, "GCS: a pattern gives the bytes of the local files")
    error = google.refused(f"gs://{BUCKET}/in/none.csv", out=work / "gs")
    check("no such bucket or object" in error, "GCS: a missing object is named", error)


def check_azure(program: Path, work: Path) -> None:
    Blobs.folder = work / "files"
    (work / "files" / "2019-12-d.csv").unlink()
    with serving(Blobs) as port:
        azure = Cip(program, {"AZURE_STORAGE_ACCOUNT_NAME": "acct", "AZURE_ENDPOINT": f"http://127.0.0.1:{port}",
                              "AZURE_ALLOW_HTTP": "true", "AZURE_SKIP_SIGNATURE": "true"})
        for what, source in {"a prefix": "az://shop", "a pattern": "az://shop/2019-*"}.items():
            azure.ingest(source, out=work / "az", options=("--rebuild",))
            check(bytes_of(work / "az") == bytes_of(work / "local"), f"Azure: {what} gives the bytes of the local files")
        error = azure.refused("az://shop/none.csv", out=work / "az")
        check("no such bucket or object" in error, "Azure: a missing blob is named", error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path, help="the command, built with the feature object-store")
    program = parser.parse_args().cip.resolve()
    work = Path(tempfile.mkdtemp(prefix="cip-objects-"))
    try:
        with moto(work / "moto.log") as port:
            check_s3(program, port, work)
        check_azure(program, work)
    finally:
        shutil.rmtree(work)
    print(f"{checks} checks hold")


if __name__ == "__main__":
    main()

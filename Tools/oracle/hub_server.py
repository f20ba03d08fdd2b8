"""A model hub on the loopback address that misbehaves where it is told to: the server of hub.py.

    with HubServer({"org/name": folder}) as hub:
        hub.fault = Fault("cut", match=".safetensors", count=1)
        ... HF_ENDPOINT=hub.address ...

Large files (above 4096 bytes) are led to a second port, as the hub leads them to its content servers, and have their sha256
as their tag; small ones have the id that git gives them.
"""
import dataclasses
import hashlib
import json
import os
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = 4096


@dataclasses.dataclass
class Fault:
    """What goes wrong with requests whose path has a text in it."""
    kind: str
    match: str = ""
    count: int = 1 << 60
    at: float = 0.5

    def fits(self, path):
        if self.count <= 0 or self.match not in path:
            return False
        self.count -= 1
        return True


class File:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.is_large = len(self.data) > LARGE
        self.tag = (hashlib.sha256(self.data) if self.is_large
                    else hashlib.sha1(b"blob %d\0" % len(self.data) + self.data)).hexdigest()


class Repository:
    def __init__(self, folder):
        self.files = {}
        for root, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(root, name)
                self.files[os.path.relpath(path, folder)] = File(path)
        listing = "".join(sorted(f"{name} {file.tag}" for name, file in self.files.items()))
        self.commit = hashlib.sha1(listing.encode()).hexdigest()


class HubServer:
    """Two servers: the hub, and the one that has the large files."""

    def __init__(self, folders, token=None, rate=None):
        self.repositories = {name: Repository(folder) for name, folder in folders.items()}
        self.token, self.rate = token, rate
        self.faults, self.requests, self.lock = [], [], threading.Lock()
        self.sent = 0
        self.servers = []
        for is_content in (False, True):
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self, is_content))
            server.daemon_threads = True
            self.servers.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address, self.contents = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def reset(self, *faults):
        with self.lock:
            self.faults, self.requests, self.sent = list(faults), [], 0

    def fault(self, path):
        with self.lock:
            return next((fault for fault in self.faults if fault.fits(path)), None)


def handler(hub, is_content):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def handle(self):
            try:
                super().handle()
            except (ConnectionError, BrokenPipeError):
                pass

        def do_HEAD(self):
            self.answer(False)

        def do_GET(self):
            self.answer(True)

        def answer(self, has_body):
            path = urllib.parse.unquote(self.path.partition("?")[0])
            with hub.lock:
                hub.requests.append((self.command, path, dict(self.headers), is_content))
            fault = hub.fault(path)
            if fault and self.fails(fault, has_body):
                return
            if is_content:
                found = [file for repository in hub.repositories.values() for file in repository.files.values()
                         if file.tag == path[1:]]
                if not found or "Authorization" in self.headers:
                    return self.plain(400)
                return self.file(found[0], {}, fault, has_body)
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                return self.plain(401, {"X-Error-Code": "GatedRepo"})
            parts = path.split("/")
            if path.startswith("/api/models/") and len(parts) >= 5:
                return self.listing("/".join(parts[3:5]), parts[5:])
            repository = hub.repositories.get("/".join(parts[1:3]))
            if repository is None or parts[3] != "resolve":
                return self.plain(404, {"X-Error-Code": "RepoNotFound"})
            if parts[4] not in ("main", repository.commit):
                return self.plain(404, {"X-Error-Code": "RevisionNotFound"})
            file = repository.files.get("/".join(parts[5:]))
            headers = {"X-Repo-Commit": repository.commit}
            if file is None:
                return self.plain(404, {**headers, "X-Error-Code": "EntryNotFound"})
            if not file.is_large:
                return self.file(file, headers, fault, has_body)
            tag = f'"{file.tag}"'
            if fault and fault.kind == "weak tag":
                tag = "W/" + tag
            if fault and fault.kind == "bare tag":
                tag = file.tag
            self.plain(302, {
                **headers, "X-Linked-Etag": tag, "X-Linked-Size": str(len(file.data)),
                "Location": f"{hub.contents}/{file.tag}?signature=x"})

        def listing(self, name, rest):
            repository = hub.repositories.get(name)
            if repository is None:
                return self.plain(404, {"X-Error-Code": "RepoNotFound"})
            if rest and rest[0] == "tree":
                body = [{"type": "file", "path": path, "size": len(file.data), "oid": file.tag,
                         **({"lfs": {"oid": file.tag, "size": len(file.data), "pointerSize": 130}} if file.is_large else {})}
                        for path, file in sorted(repository.files.items())]
            elif not rest or rest[1] in ("main", repository.commit):
                body = {"id": name, "modelId": name, "sha": repository.commit, "private": False, "tags": [], "downloads": 0,
                        "likes": 0, "siblings": [{"rfilename": path} for path in sorted(repository.files)]}
            else:
                return self.plain(404, {"X-Error-Code": "RevisionNotFound"})
            self.plain(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

        def fails(self, fault, has_body):
            """Answers in place of the hub; gives whether it did."""
            if fault.kind.isdigit():
                self.plain(int(fault.kind), {"Retry-After": "0"} if fault.kind == "429" else {})
            elif fault.kind == "no heads" and not has_body:
                self.plain(405)
            elif fault.kind == "page":
                self.plain(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html>Log in</html>")
            elif fault.kind == "gated":
                self.plain(403, {"X-Error-Code": "GatedRepo"})
            elif fault.kind == "elsewhere":
                self.plain(302, {"Location": "http://169.254.169.254/latest"})
            elif fault.kind == "circle":
                self.plain(302, {"Location": self.path})
            else:
                return False
            return True

        def plain(self, status, headers=None, body=b""):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def file(self, file, headers, fault, has_body):
            kind = fault.kind if fault else ""
            start, data = 0, file.data
            wanted = self.headers.get("Range")
            if wanted and kind != "no ranges":
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                if start >= len(data) or kind == "416":
                    return self.plain(416, {"Content-Range": f"bytes */{len(data)}"})
            body = data[start:]
            if kind == "wrong bytes":
                body = bytes([body[0] ^ 1]) + body[1:]
            if kind == "longer":
                body += b"more"
            self.send_response(206 if wanted and kind != "no ranges" else 200)
            if wanted and kind != "no ranges":
                first = start + 1 if kind == "wrong range" else start
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            for name, value in headers.items():
                self.send_header(name, value)
            tag = f'"{file.tag}"'
            self.send_header("ETag", "W/" + tag if kind == "weak tag" else file.tag if kind == "bare tag" else tag)
            self.send_header("Content-Length", str(len(body) + (7 if kind == "wrong length" else 0)))
            self.end_headers()
            if self.command == "HEAD":
                return
            end = int(len(body) * fault.at) if kind == "cut" else len(body)
            for position in range(0, end, 1 << 15):
                piece = body[position:min(position + (1 << 15), end)]
                self.wfile.write(piece)
                with hub.lock:
                    hub.sent += len(piece)
                if hub.rate or kind == "slow":
                    time.sleep(len(piece) / (hub.rate or 2e6))
            if end < len(body) or kind == "wrong length":
                self.close_connection = True
            if kind == "stall":
                time.sleep(30)

    return Handler

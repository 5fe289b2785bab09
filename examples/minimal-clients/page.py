"""Serves the page beside this file, and gives it tickets: the key stays here.

python page.py        # http://localhost:8100
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

URL = os.environ.get("JOBCAST_URL", "http://127.0.0.1:3000")
KEY = os.environ["JOBCAST_API_KEY"]
PORT = int(os.environ.get("PAGE_PORT", "8100"))
PAGE = (Path(__file__).parent / "index.html").read_bytes()


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/":
            self.answer(200, "text/html; charset=utf-8", PAGE)
        else:
            self.answer(404, "text/plain", b"Not found")

    def do_POST(self) -> None:
        # Here your own site asks who is there before it hands out anything. A request from another
        # site's page would bring along that page's origin.
        if self.path != "/ticket" or self.headers.get("Sec-Fetch-Site") == "cross-site":
            self.answer(404, "text/plain", b"Not found")
            return
        ask = Request(f"{URL}/api/ws-tickets", method="POST", headers={"X-API-Key": KEY})
        with urlopen(ask, timeout=10) as answer:
            ticket = json.load(answer)["data"]["ticket"]
        socket = URL.replace("http", "ws", 1) + "/ws"
        body = json.dumps({"url": socket, "ticket": ticket}).encode()
        self.answer(200, "application/json", body)

    def answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Page)
    print(f"http://localhost:{server.server_port}", flush=True)
    server.serve_forever()

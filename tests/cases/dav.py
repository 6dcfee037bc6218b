"""A small CalDAV server with one quirk, for cases: `dav.py QUIRK`; prints its port.

Five events in one calendar, `/cal/a/`. What a quirk changes stands beside its name in `QUIRKS`; without one the server
does all that RFC 4791 and 6578 ask of it.
"""

from __future__ import annotations

import hashlib
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

QUIRKS = {
    "none": "",
    "ctrl": "DESCRIPTION:page\x0bbreak\r\n",
    "ctrlref": "DESCRIPTION:page\ue000break\r\n",  # written as a reference to a character that XML has not
    "badutf": "DESCRIPTION:caf\udce9\r\n",
    "attach": "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "QUJD" * 3_000_000 + "\r\n",
    "blank": "",  # an empty line before the XML
    "notice": "",  # a notice of PHP before the XML
    "digest": "",  # takes no other login
    "full": "",  # 507 for sync-collection
}
COLLECTION = "/cal/a/"
NAMES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
CHALLENGE = 'Digest realm="x", nonce="abc", qop="auth"'
ABOUT = (
    "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>A</D:displayname>"
    "<S:getctag>1</S:getctag><D:sync-token>t1</D:sync-token>"
)


def event(number: int, more: str = "") -> str:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{number}\r\nSUMMARY:event {number}\r\n"
        f"DTSTART:202612{number:02}T090000Z\r\nDTEND:202612{number:02}T100000Z\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def in_bytes(text: str) -> bytes:
    return text.replace("\ue000", "&#x0b;").encode("utf-8", "surrogateescape")


def response(href: str, properties: str) -> str:
    found = f"<D:prop>{properties}</D:prop><D:status>HTTP/1.1 200 OK</D:status>"
    return f"<D:response><D:href>{href}</D:href><D:propstat>{found}</D:propstat></D:response>"


class Quirky(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    quirk = "none"
    resources: dict[str, str]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.quirk == "digest" and not self._proved():
            self._say(401, "log in", **{"WWW-Authenticate": CHALLENGE})
        elif self.command == "PROPFIND":
            self._multistatus(response(COLLECTION, ABOUT))
        elif self.command == "REPORT":
            self._report(body)
        elif self.command == "GET" and self.path in self.resources:
            self._say(200, self.resources[self.path].replace("\ue000", "\x0b"), ETag='"e"')
        else:
            self._say(404, "nothing here")

    do_PROPFIND = do_REPORT = do_GET = handle_one  # noqa: N815 - names that http.server looks for

    def _report(self, body: str) -> None:
        listed = "".join(response(href, '<D:getetag>"e"</D:getetag>') for href in self.resources)
        if "multiget" in body:
            hrefs = [href for href in re.findall(r"<(?:\w+:)?href>(.*?)</", body) if href in self.resources]
            data = {href: f"<C:calendar-data>{escape(self.resources[href])}</C:calendar-data>" for href in hrefs}
            self._multistatus("".join(response(href, f'<D:getetag>"e"</D:getetag>{data[href]}') for href in hrefs))
        elif "sync-collection" not in body:
            self._multistatus(listed)
        elif self.quirk == "full":
            self._say(507, "Insufficient Storage")
        else:
            self._multistatus(f"{listed}<D:sync-token>t1</D:sync-token>")

    def _proved(self) -> bool:
        """Return True for a proof of the password "p" of the user "u" (RFC 7616)."""
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', self.headers.get("Authorization") or ""))
        owner, request = (
            hashlib.md5(text.encode()).hexdigest() for text in ("u:x:p", f"{self.command}:{said.get('uri')}")
        )
        proof = f"{owner}:abc:{said.get('nc')}:{said.get('cnonce')}:auth:{request}"
        return said.get("response") == hashlib.md5(proof.encode()).hexdigest()

    def _multistatus(self, inner: str) -> None:
        before = {"blank": "\n", "notice": "<br />\n<b>Notice</b>: x in y.php<br />\n"}.get(self.quirk, "")
        xml = f'{before}<?xml version="1.0" encoding="utf-8"?><D:multistatus {NAMES}>{inner}</D:multistatus>'
        self._say(207, xml, **{"Content-Type": "application/xml; charset=utf-8"})

    def _say(self, status: int, text: str, **headers: str) -> None:
        content = in_bytes(text)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    Quirky.quirk = sys.argv[1]
    more = QUIRKS[Quirky.quirk]
    Quirky.resources = {f"{COLLECTION}{at}.ics": event(at, more if at == 3 else "") for at in range(1, 6)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quirky)
    print(server.server_port, flush=True)
    server.serve_forever()

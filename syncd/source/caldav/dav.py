"""The XML of WebDAV: bodies of requests, and multistatus answers to values. Pure; entities and network are off.

Each resource and each property has a status of its own; the 207 of the answer says nothing by itself. One stored object
with a character that XML forbids must not hide all others, so an answer that is not well-formed is mended where that is
possible, and what was mended is marked.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from syncd.lang.saying import say

DAV, CAL, CS = "DAV:", "urn:ietf:params:xml:ns:caldav", "http://calendarserver.org/ns/"
_PREFIXES = {"D": DAV, "C": CAL, "S": CS}
_HEAD_CHARS = 65_536
_ROOT = re.compile(r"<(?:[\w.-]+:)?multistatus[\s/>]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no Char of XML 1.0."""
_REFERENCE = re.compile(r"<!\[CDATA\[.*?\]\]>|&(?:(#[xX][0-9a-fA-F]+|#[0-9]+|amp|lt|gt|quot|apos);)?", re.DOTALL)
_STATUS = re.compile(r"HTTP/[\d.]+\s+(\d{3})")

RESOURCE_TYPE = f"{{{DAV}}}resourcetype"
DISPLAY_NAME = f"{{{DAV}}}displayname"
PRINCIPAL = f"{{{DAV}}}current-user-principal"
ETAG = f"{{{DAV}}}getetag"
CONTENT_TYPE = f"{{{DAV}}}getcontenttype"
SYNC_TOKEN = f"{{{DAV}}}sync-token"
REPORTS = f"{{{DAV}}}supported-report-set"
HOME_SET = f"{{{CAL}}}calendar-home-set"
COMPONENTS = f"{{{CAL}}}supported-calendar-component-set"
DATA = f"{{{CAL}}}calendar-data"
CTAG = f"{{{CS}}}getctag"
CALENDAR = f"{{{CAL}}}calendar"
SYNC_REPORT = f"{{{DAV}}}sync-collection"
INVALID_TOKEN = f"{{{DAV}}}valid-sync-token"
TOO_MANY = f"{{{DAV}}}number-of-matches-within-limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class DavProperty:
    """A property's text, the names of all elements in it, the hrefs in it, and the `name` attributes of components.

    With `mended` the text lacks something that XML could not carry; U+FFFD stands in its place.
    """

    text: str
    elements: frozenset[str]
    hrefs: tuple[str, ...]
    names: frozenset[str]
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One resource of a multistatus; `href` is as the server wrote it, `properties` are those found.

    `status` is the resource's own (0 if it has none), `errors` are the elements of its error. `refused` are properties
    that the server has and does not give, with the status of each.
    """

    href: str
    status: int = 0
    properties: Mapping[str, DavProperty] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()
    refused: Mapping[str, int] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a property's text, or "" if it was not found."""
        found = self.properties.get(name)
        return found.text if found is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Multistatus:
    """A multistatus answer, in the server's order; `token` is the collection's new sync-token."""

    responses: tuple[Response, ...]
    token: str = ""


def read_multistatus(body: bytes) -> Multistatus:
    """Return the body of a 207 as values; raises ValueError if it is not a multistatus."""
    try:
        root, mended = _root(body), False
    except ValueError:
        root, mended = _root(mend(body), huge=True), True
    if root.tag != f"{{{DAV}}}multistatus":
        raise ValueError(say("the answer is not a multistatus"))
    responses = tuple(_response(one, mended) for one in root.findall(f"{{{DAV}}}response"))
    return Multistatus(responses=responses, token=(root.findtext(SYNC_TOKEN) or "").strip())


def mend(body: bytes) -> bytes:
    """Return the body without what stands around its XML, such as notices of PHP; U+FFFD stands for what XML forbids.

    Raises ValueError if there is no multistatus in it, and for a document type, with which a small text could unfold
    into a large one.
    """
    text = body.decode("utf-16" if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8", "replace")
    root = _ROOT.search(text, 0, _HEAD_CHARS)
    if root is None:
        raise ValueError(say("the answer is not XML"))
    if "<!DOCTYPE" in text[: root.start()].upper():
        raise ValueError(say("the answer has a document type, which WebDAV knows none of"))
    end = text.rfind("multistatus>") + len("multistatus>")
    text = _FORBIDDEN.sub("\ufffd", text[root.start() : end if end > root.start() else None])
    return _REFERENCE.sub(_referred, text).encode()


def read_errors(body: bytes) -> frozenset[str]:
    """Return the conditions that an error answer names (RFC 4918, 16), none if its body is not a DAV:error."""
    try:
        root = _root(body)
    except ValueError:
        return frozenset()
    return _names(root) if root.tag == f"{{{DAV}}}error" else frozenset()


def propfind(*properties: str) -> bytes:
    """Return the body of a PROPFIND for these properties."""
    root = _element(f"{{{DAV}}}propfind")
    _ask_for(root, properties)
    return _bytes(root)


def sync_collection(token: str, *, with_data: bool) -> bytes:
    """Return the body of a sync-collection report (RFC 6578, 3.2): what has changed since `token` ("": everything)."""
    root = _element(SYNC_REPORT)
    etree.SubElement(root, SYNC_TOKEN).text = token
    etree.SubElement(root, f"{{{DAV}}}sync-level").text = "1"
    _ask_for(root, (ETAG, DATA) if with_data else (ETAG,))
    return _bytes(root)


def multiget(hrefs: Iterable[str]) -> bytes:
    """Return the body of a calendar-multiget report (RFC 4791, 7.9)."""
    root = _element(f"{{{CAL}}}calendar-multiget")
    _ask_for(root, (ETAG, DATA))
    for href in hrefs:
        etree.SubElement(root, f"{{{DAV}}}href").text = href
    return _bytes(root)


def query(start: str = "", end: str = "") -> bytes:
    """Return the body of a calendar-query for the etags of all events, or of those between two UTC stamps."""
    root = _element(f"{{{CAL}}}calendar-query")
    _ask_for(root, (ETAG,))
    outer = etree.SubElement(etree.SubElement(root, f"{{{CAL}}}filter"), f"{{{CAL}}}comp-filter", name="VCALENDAR")
    inner = etree.SubElement(outer, f"{{{CAL}}}comp-filter", name="VEVENT")
    limits = {name: value for name, value in (("start", start), ("end", end)) if value}
    if limits:
        etree.SubElement(inner, f"{{{CAL}}}time-range", limits)
    return _bytes(root)


def name_of(base: str, href: str) -> str:
    """Return the name by which resources are compared: the decoded path, as servers escape an href in several ways."""
    return unquote(urlsplit(urljoin(base, href)).path)


def _root(body: bytes, *, huge: bool = False) -> etree._Element:
    # A server must not be able to read files or open connections through its answers. `huge` lifts the limits on the
    # length of a text, which attachments pass, and those on entities; it is for bodies without a document type only.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=huge)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ValueError(say("the answer is not XML")) from None
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise ValueError(say("the answer has a document type, which WebDAV knows none of"))
    return root


def _referred(found: re.Match[str]) -> str:
    """Return a reference as it may stand in XML: one to a forbidden character is marked, a bare ampersand is text."""
    said = found[1]
    if found[0].startswith("<") or (said and not said.startswith("#")):
        return found[0]
    if not said:
        return "&amp;"
    try:
        number = int(said[2:], 16) if said[1] in "xX" else int(said[1:])
        return "\ufffd" if _FORBIDDEN.fullmatch(chr(number)) else found[0]
    except (ValueError, OverflowError):
        return "\ufffd"


def _response(element: etree._Element, mended: bool) -> Response:
    properties: dict[str, DavProperty] = {}
    refused: dict[str, int] = {}
    for stat in element.findall(f"{{{DAV}}}propstat"):
        status = _status(stat)
        # "*" leaves out comments and processing instructions.
        held = [one for holder in stat.findall(f"{{{DAV}}}prop") for one in holder.iterchildren("*")]
        if status in (0, 200):
            properties |= {one.tag: _property(one, mended) for one in held}
        elif status not in (404, 410):  # a property that was not found comes in a propstat of its own with 404
            refused |= {one.tag: status for one in held}
    error = element.find(f"{{{DAV}}}error")
    return Response(
        href=(element.findtext(f"{{{DAV}}}href") or "").strip(),
        status=_status(element),
        properties=properties,
        errors=_names(error) if error is not None else frozenset(),
        refused=refused,
    )


def _property(element: etree._Element, mended: bool) -> DavProperty:
    text = "".join(map(str, element.itertext())).strip()
    return DavProperty(
        text=text,
        elements=_names(element),
        hrefs=tuple(text for one in element.iter(f"{{{DAV}}}href") if (text := (one.text or "").strip())),
        names=frozenset(str(one.get("name", "")).upper() for one in element.iter(f"{{{CAL}}}comp")),
        mended=mended and "\ufffd" in text,
    )


def _names(element: etree._Element) -> frozenset[str]:
    return frozenset(one.tag for one in element.iterdescendants("{*}*"))


def _status(element: etree._Element) -> int:
    found = _STATUS.match((element.findtext(f"{{{DAV}}}status") or "").strip())
    return int(found[1]) if found else 0


def _element(name: str) -> etree._Element:
    return etree.Element(name, nsmap=_PREFIXES)


def _ask_for(root: etree._Element, properties: Iterable[str]) -> None:
    holder = etree.SubElement(root, f"{{{DAV}}}prop")
    for name in properties:
        etree.SubElement(holder, name)


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")

"""The XML of WebDAV: bodies of requests, and multistatus answers to values. Pure; entities and network are off.

Each resource and each property has a status of its own; the 207 of the answer says nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

DAV, CAL, CS = "DAV:", "urn:ietf:params:xml:ns:caldav", "http://calendarserver.org/ns/"
_PREFIXES = {"D": DAV, "C": CAL, "S": CS}
_STATUS = re.compile(r"HTTP/[\d.]+\s+(\d{3})")

RESOURCE_TYPE = f"{{{DAV}}}resourcetype"
DISPLAY_NAME = f"{{{DAV}}}displayname"
PRINCIPAL = f"{{{DAV}}}current-user-principal"
ETAG = f"{{{DAV}}}getetag"
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
    """A property's text, the names of all elements in it, the hrefs in it, and the `name` attributes of components."""

    text: str
    elements: frozenset[str]
    hrefs: tuple[str, ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One resource of a multistatus; `href` is as the server wrote it, `properties` are those found.

    `status` is the resource's own (0 if it has none), `errors` are the elements of its error.
    """

    href: str
    status: int = 0
    properties: Mapping[str, DavProperty] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()

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
    root = _root(body)
    if root.tag != f"{{{DAV}}}multistatus":
        raise ValueError("the answer is not a multistatus")
    responses = tuple(_response(one) for one in root.findall(f"{{{DAV}}}response"))
    return Multistatus(responses=responses, token=(root.findtext(SYNC_TOKEN) or "").strip())


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


def sync_collection(token: str) -> bytes:
    """Return the body of a sync-collection report (RFC 6578, 3.2): what has changed since `token` ("": everything)."""
    root = _element(SYNC_REPORT)
    etree.SubElement(root, SYNC_TOKEN).text = token
    etree.SubElement(root, f"{{{DAV}}}sync-level").text = "1"
    _ask_for(root, (ETAG, DATA))
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


def _root(body: bytes) -> etree._Element:
    # A server must not be able to read files or open connections through its answers.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ValueError("the answer is not XML") from None
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise ValueError("the answer has a document type, which WebDAV knows none of")
    return root


def _response(element: etree._Element) -> Response:
    properties: dict[str, DavProperty] = {}
    for stat in element.findall(f"{{{DAV}}}propstat"):
        # A property that was not found comes in a propstat of its own with 404.
        if _status(stat) in (0, 200):
            for holder in stat.findall(f"{{{DAV}}}prop"):
                for one in holder:
                    # Comments and processing instructions have functions as tags.
                    if isinstance(one.tag, str):
                        properties[one.tag] = _property(one)
    error = element.find(f"{{{DAV}}}error")
    return Response(
        href=(element.findtext(f"{{{DAV}}}href") or "").strip(),
        status=_status(element),
        properties=properties,
        errors=_names(error) if error is not None else frozenset(),
    )


def _property(element: etree._Element) -> DavProperty:
    return DavProperty(
        text="".join(map(str, element.itertext())).strip(),
        elements=_names(element),
        hrefs=tuple(text for one in element.iter(f"{{{DAV}}}href") if (text := (one.text or "").strip())),
        names=frozenset(str(one.get("name", "")).upper() for one in element.iter(f"{{{CAL}}}comp")),
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

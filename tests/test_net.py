"""Who is at the other end of an address: this machine, the same owner, a webhook."""

from __future__ import annotations

import pytest

from syncd.net import is_loopback, is_renaming, keeps_secrets, same_owner, webhook_address


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("old.bitrix24.com", "new.bitrix24.com", True), ("example.com", "a.b.example.com", True),
        ("old.bitrix24.com.br", "evil.com.br", False), ("old.bitrix24.com.br", "new.bitrix24.com.br", True),
        ("Example.COM.", "www.example.com", True), ("example.com", "example.org", False),
        ("10.0.0.1", "10.0.0.1", True), ("10.0.0.1", "99.9.0.1", False),
        ("::1", "::1", True), ("::1", "fe80::1", False),
        ("localhost", "localhost", True), ("localhost", "evil.localhost", False),
        ("10.0.0.5", "9.9.0.5", False), ("10.0.0.5.", "9.9.0.5.", False), ("10.0.5", "9.0.5", False),
        ("0x0a.0.0.5", "0x0b.0.0.5", False), ("10.0.0.0x5", "9.9.0.0x5", False),
        ("firm.github.io", "evil.github.io", False), ("www.firm.github.io", "firm.github.io", True),
        ("firm.co.uk", "evil.co.uk", False), ("a.firm.co.uk", "b.firm.co.uk", True), ("co.uk", "evil.co.uk", False),
        ("firm.spb.ru", "evil.spb.ru", False), ("firm.s3.amazonaws.com", "evil.s3.amazonaws.com", False),
        ("бюро.рф", "календарь.бюро.рф", True), ("xn--90ae5b.xn--p1ai", "a.бюро.рф", False),
        ("cal.school.lan", "dav.school.lan", True), ("cal.lan", "dav.lan", False), ("a..b", "b", False),
        ("caldav.icloud.com", "p42-caldav.icloud.com", True), ("", "example.com", False),
    ],
)  # fmt: skip
def test_a_secret_follows_only_to_the_same_registered_domain_and_never_to_another_ip(
    host: str, other: str, same: bool
) -> None:
    assert same_owner(host, other) is same
    assert same_owner(other, host) is same


@pytest.mark.parametrize(
    ("host", "other", "renamed"),
    [
        ("old.bitrix24.de", "new.bitrix24.de", True), ("old.bitrix24.com.br", "new.bitrix24.com.br", True),
        ("old.bitrix24.de", "new.bitrix24.ru", False), ("old.bitrix24.de", "a.new.bitrix24.de", False),
        ("old.bitrix24.de", "bitrix24.de", False), ("old.bitrix24.de", "new.evil.de", False),
        ("portal.firm.com", "other.firm.com", False), ("10.0.0.5", "10.0.0.5", False),
        ("a.bitrix24.x.evil.com", "b.bitrix24.x.evil.com", False),
    ],
)  # fmt: skip
def test_only_the_vendor_s_cloud_renames_a_portal(host: str, other: str, renamed: bool) -> None:
    assert is_renaming(host, other) is renamed
    assert is_renaming(other, host) is renamed


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.8.8.8", True), ("::1", True), ("", False), ("127.0.0.1.evil.com", False),
     ("10.0.0.1", False)],
)  # fmt: skip
def test_only_loopback_addresses_are_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("url", "keeps"),
    [
        ("https://example.com/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]/", True),
        ("http://example.com/x", False),
        ("http://127.0.0.1.example.com/", False),
        ("ftp://127.0.0.1/", False),
        ("https:///x", False),
        ("https://[", False),
        ("https://example.com:99999/", False),
        ("", False),
    ],
)
def test_a_secret_may_be_sent_encrypted_or_within_this_machine(url: str, keeps: bool) -> None:
    assert keeps_secrets(url) is keeps


def test_a_webhook_is_taken_apart_and_its_repr_hides_the_code() -> None:
    found = webhook_address(" https://Portal.example.com:8443/b24/rest/12/abc123secret ")
    assert found.origin == "https://portal.example.com:8443"
    assert (found.netloc, found.path) == ("portal.example.com:8443", "/b24/rest/12")
    assert found.url == "https://portal.example.com:8443/b24/rest/12/abc123secret/"
    assert "abc123secret" not in repr(found)
    assert webhook_address("http://[::1]:9/rest/1/code/").url == "http://[::1]:9/rest/1/code/"

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from visavis.urlpolicy import UrlPolicy, UrlRefused


class Names:
    """A resolver with chosen answers; a list of lists is given out in turn."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        if host not in self.answers:
            raise OSError("unknown")
        return self.answers[host]


INTERNAL = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]", "[fec0::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", INTERNAL)
async def test_internal_addresses_are_refused(host: str) -> None:
    with pytest.raises(UrlRefused, match="internal address"):
        await UrlPolicy().check(f"http://{host}/x")


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700:4700::1111]"])
async def test_public_addresses_pass(host: str) -> None:
    target = await UrlPolicy().check(f"https://{host}/x")
    assert target.addresses == (host.strip("[]"),)
    assert target.port == 443


async def test_names_are_judged_by_all_their_addresses() -> None:
    names = Names(good_example=["93.184.216.34"], bad_example=["93.184.216.34", "10.0.0.1"], none_example=[])
    policy = UrlPolicy(resolver=names)
    assert (await policy.check("http://good.example:8080/x")).port == 8080
    for host, reason in (("bad.example", "internal"), ("gone.example", "resolved"), ("none.example", "no address")):
        with pytest.raises(UrlRefused, match=reason):
            await policy.check(f"http://{host}/")
    # Other writings of 127.0.0.1 are names for the resolver, which knows them.
    with pytest.raises(UrlRefused):
        await UrlPolicy().check("http://2130706433/")
    with pytest.raises(UrlRefused):
        await UrlPolicy().check("http://localhost/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://8.8.8.8/",
        "http://",
        "http://u:p@8.8.8.8/",
        "http://8.8.8.8:99999/",
        "http://[::1",
        "gopher://8.8.8.8",
    ],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        await UrlPolicy().check(url)


async def test_the_operator_may_allow_hosts_suffixes_addresses_and_networks() -> None:
    names = Names(model_internal=["10.0.0.5"], a_lab=["10.0.0.6"], lab=["10.0.0.7"], other_internal=["10.9.0.1"])
    policy = UrlPolicy(["Model.Internal", "*.lab", "192.168.7.0/24", "::1", "127.0.0.1"], resolver=names)
    for host in (
        "model.internal",
        "MODEL.internal.",
        "a.lab",
        "192.168.7.9",
        "[::1]",
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
    ):
        await policy.check(f"http://{host}/")
    for host in ("other.internal", "lab", "192.168.8.1", "127.0.0.2"):
        with pytest.raises(UrlRefused):
            await policy.check(f"http://{host}/")
    for wrong in ("http://x/", "10.0.0.0/99", "a b", ""):
        with pytest.raises(ValueError, match="url_allow"):
            UrlPolicy([wrong])


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    hosts: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        hosts.append(request.headers["Host"])
        if request.path == "/away":
            raise web.HTTPFound("http://127.0.0.1:1/")
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], hosts
    await runner.cleanup()


async def test_the_client_connects_to_the_checked_address_under_its_name(server: tuple[int, list[str]]) -> None:
    port, hosts = server
    names = Names(model_example=["127.0.0.1"])
    async with UrlPolicy(["model.example"], resolver=names).client() as client:
        response = await client.get(f"http://model.example:{port}/x")  # a name no real resolver knows
        assert response.text == "hello"
        assert (await client.get(f"http://model.example:{port}/away")).status_code == 302  # not followed
    assert hosts[0] == f"model.example:{port}"
    assert names.asked == 2  # once a request: what was checked is what is called


async def test_a_name_that_turns_internal_is_refused_at_connect_time(server: tuple[int, list[str]]) -> None:
    port, hosts = server
    names = Names(evil_example=["93.184.216.34"])
    policy = UrlPolicy(resolver=names)
    url = f"http://evil.example:{port}/"
    await policy.check(url)
    names.answers["evil.example"] = ["127.0.0.1"]
    async with policy.client() as client:
        with pytest.raises(UrlRefused):
            await client.get(url)
    assert hosts == []


async def test_a_dead_first_address_is_passed_over(server: tuple[int, list[str]]) -> None:
    port, _ = server
    names = Names(two_example=["127.0.0.9", "127.0.0.1"])
    async with UrlPolicy(["127.0.0.0/8"], resolver=names).client(timeout=httpx.Timeout(5)) as client:
        assert (await client.get(f"http://two.example:{port}/")).status_code == 200


def certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_tls_is_verified_against_the_name_not_the_address(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "model.example")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="safe")

    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem)
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served).start()
    port = runner.addresses[0][1]
    names = Names(model_example=["127.0.0.1"], other_example=["127.0.0.1"])
    policy = UrlPolicy(["*.example"], resolver=names)
    trusting = ssl.create_default_context(cafile=str(pem))
    try:
        async with policy.client(verify=trusting) as client:
            assert (await client.get(f"https://model.example:{port}/")).text == "safe"
            with pytest.raises(httpx.ConnectError, match=r"(?i)hostname mismatch|certificate"):
                await client.get(f"https://other.example:{port}/")  # the same address must not reuse the connection
        async with policy.client() as client:
            with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
                await client.get(f"https://model.example:{port}/")
    finally:
        await runner.cleanup()

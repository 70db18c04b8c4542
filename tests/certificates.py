"""A certificate for a name of the tests, made by openssl, which every Debian image with certificates has."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """Of one name, signed by itself."""

    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        """Trusts it, and verifies as always."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_certificate(folder: Path, name: str) -> Certificate:
    made = Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-out", str(made.certificate), "-keyout", str(made.key)]
    subprocess.run(["openssl", *words, *named, *files], check=True, capture_output=True, timeout=30)
    return made

"""Who may send to the OTLP/HTTP endpoint: a bearer token, TLS, and where it may listen without."""

import hmac
import ipaddress
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from telemetry import SourceError

log = logging.getLogger("faultline.ingest")


@dataclass(frozen=True)
class Access:
    """`token`: what senders must show (`Authorization: Bearer TOKEN`). `certificate`, `key`: PEM files, for TLS.

    `anonymous`: addresses other machines reach may be listened on without a token.
    """

    token: str | None = field(default=None, repr=False)
    certificate: Path | None = None
    key: Path | None = None
    anonymous: bool = False

    def admits(self, authorization: str | None) -> bool:
        """Return whether a request with this header may send; how long that takes says nothing about the token."""
        if self.token is None:
            return True
        scheme, _, shown = (authorization or "").partition(" ")
        known = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self.token.encode())
        return scheme.lower() == "bearer" and known

    def check(self, listen: str) -> None:
        """Raise SourceError if this address is to be listened on by nobody without a token; warn of what is open."""
        if _is_loopback(listen):
            return
        if self.token is None and not self.anonymous:
            raise SourceError(
                f"cannot listen on {listen}: other machines reach it, and there is no token; set otlp.token_file "
                "(or otlp.token), or otlp.allow_anonymous if something else keeps strangers out"
            )
        if self.token is None:
            log.warning("listening on %s: whoever reaches that address can send; there is no authentication", listen)
        elif self.certificate is None:
            log.warning("listening on %s without TLS: the token can be read on its way", listen)

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS is spoken with; None: it is not. Raises SourceError."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:  # of an SSLError `strerror` says what is wrong as well
            why = getattr(error, "strerror", None) or error
            raise SourceError(f"cannot use the certificate {self.certificate} with its key: {why}") from None
        return context


def _is_loopback(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

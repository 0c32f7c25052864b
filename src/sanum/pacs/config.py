"""How a listener is run: one TOML file, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sanum.core.config import did_you_mean, from_dict, read_toml
from sanum.core.errors import ConfigError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Peer:
    """Who may send: an AE title, and the addresses it may come from; both must fit."""

    ae_title: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Tls:
    """PEM files. With `ca`, peers must show a certificate that it signed."""

    certificate: str
    key: str
    ca: str | None = None


@dataclass(frozen=True)
class SyslogServer:
    """Where audit messages after DICOM PS3.15 A.5 go, in clear."""

    host: str
    port: int = 514
    protocol: Literal["udp", "tcp"] = "udp"


@dataclass(frozen=True)
class Listener:
    """Where and how studies arrive.

    Attributes:
        ae_title: our own; associations that call another are rejected.
        host, port: where to listen; loopback by default.
        quiet_seconds: a study is taken as complete when nothing came for so long.
        longest_seconds: and in any case so long after its first instance.
        most_instances: of one study; more are answered "out of resources".
        most_gb: of one study.
        free_gb: of the disk that stay free.
        associations: most at a time.
        network_seconds: a peer that is silent for so long within an association is let go.
        deidentify: take identities out before anything is stored; results then carry pseudonyms.
        workers: processes that judge; 0 where `sanum serve` or `sanum worker` has the same data folder.
        tls: None listens without.
    """

    ae_title: str = "SANUM"
    host: str = "127.0.0.1"
    port: int = 11112
    quiet_seconds: float = 30.0
    longest_seconds: float = 3600.0
    most_instances: int = 20_000
    most_gb: float = 8.0
    free_gb: float = 1.0
    associations: int = 10
    network_seconds: float = 60.0
    deidentify: bool = False
    workers: int = 1
    tls: Tls | None = None


@dataclass(frozen=True)
class Rule:
    """Which studies are judged by which model, and where results go. Every filter must fit; an absent one fits all.

    Attributes:
        name: of the rule, in the audit log.
        model: calibrated model file, or one that comes with sanum.
        modality: "MR" or "CT": only such series are looked at.
        description: regular expression, in any case, that must be found in the series' description.
        age: years, from and to; a study without an age does not fit then.
        send_to: names of destinations.
    """

    name: str
    model: str
    modality: Literal["MR", "CT"] | None = None
    description: str | None = None
    age: tuple[float, float] | None = None
    send_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            re.compile(self.description or "")
        except re.error as error:
            raise ConfigError(f"rule {self.name}: description is no regular expression ({error})") from error


@dataclass(frozen=True)
class Destination:
    """Where results go.

    Attributes:
        name: by which rules mean it.
        url: of a DICOMweb service, for STOW-RS; or
        ae_title, host, port: of a C-STORE receiver.
        identity: "keep" sends the patient's identity along, as a PACS needs it to file results with their study. "remove"
            takes it out, and is taken for every destination beyond this machine that does not say "keep".
    """

    name: str
    url: str | None = None
    ae_title: str | None = None
    host: str | None = None
    port: int = 104
    identity: Literal["keep", "remove"] | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.host is None or self.ae_title is None):
            raise ConfigError(
                f"destination {self.name}: expected either a url (DICOMweb) or an ae_title and a host (C-STORE)"
            )

    @property
    def keeps_identity(self) -> bool:
        """Whether the patient's identity goes along."""
        if self.identity is not None:
            return self.identity == "keep"
        host = (
            self.host
            if self.url is None
            else re.sub(r"^https?://(\[.*?\]|[^/:]*).*$", r"\1", self.url).strip("[]")
        )
        return host in LOOPBACK


@dataclass(frozen=True)
class Source:
    """A DICOMweb service that is asked for new studies: QIDO-RS with these filters, then WADO-RS.

    Attributes:
        name: in the audit log.
        url: of the service.
        filters: QIDO-RS keys and values, such as {ModalitiesInStudy = "MR"}.
        every_seconds: how often.
    """

    name: str
    url: str
    filters: dict[str, str] = field(default_factory=dict)
    every_seconds: float = 60.0


@dataclass(frozen=True)
class PacsConfig:
    """The whole file."""

    listener: Listener = field(default_factory=Listener)
    peers: tuple[Peer, ...] = ()
    rules: tuple[Rule, ...] = ()
    destinations: tuple[Destination, ...] = ()
    sources: tuple[Source, ...] = ()
    syslog: SyslogServer | None = None

    def __post_init__(self) -> None:
        known = [one.name for one in self.destinations]
        for rule in self.rules:
            for name in rule.send_to:
                if name not in known:
                    raise ConfigError(
                        f"rule {rule.name}: no destination {name!r}; {did_you_mean(name, known)}"
                    )
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names) or len(set(known)) < len(known):
            raise ConfigError("two rules or two destinations of one name; give each its own")
        if not self.rules:
            raise ConfigError("no rule, so no study would be judged; add a table [[rules]]")

    def destination(self, name: str) -> Destination:
        """The destination of a name that a rule gives."""
        return next(one for one in self.destinations if one.name == name)

    def rule(self, name: str) -> Rule | None:
        """The rule of a name, or None where it was taken out of the file meanwhile."""
        return next((one for one in self.rules if one.name == name), None)


def read_config(path: Path) -> PacsConfig:
    """Read the file.

    Raises:
        ConfigError: missing, not TOML, an unknown or wrong setting; the message names it.
    """
    return from_dict(PacsConfig, read_toml(path), str(path))

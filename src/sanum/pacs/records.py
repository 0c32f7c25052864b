"""What the listener remembers in the service's database: which studies were routed, and what must still be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

State = Literal["waiting", "sending", "sent", "failed"]
OPEN = ("waiting", "sending")

tables = sa.MetaData()

_studies = sa.Table(
    "pacs_studies",
    tables,
    sa.Column("study", sa.String(32), primary_key=True),
    sa.Column("last", sa.Float, nullable=False),
    sa.Column("routed", sa.Float, nullable=False),
)

_deliveries = sa.Table(
    "pacs_deliveries",
    tables,
    sa.Column("case", sa.String(32), primary_key=True),
    sa.Column("study", sa.String(32), nullable=False),
    sa.Column("rule", sa.String(120), nullable=False),
    sa.Column("origin", sa.String(64), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("sent_to", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("begun", sa.Float, nullable=False),
    sa.Column("next_try", sa.Float, nullable=False),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Index("pacs_deliveries_by_state", "state"),
)

_pulled = sa.Table(
    "pacs_pulled",
    tables,
    sa.Column("source", sa.String(120), primary_key=True),
    sa.Column("study", sa.String(32), primary_key=True),
    sa.Column("instances", sa.Integer, nullable=False),
)


@dataclass(frozen=True)
class Delivery:
    """The results of one case on their way.

    Attributes:
        case: id of the case.
        study: key of the study it came from.
        rule: name of the rule that asked for it.
        origin: name of the folder with the files that were judged.
        state: "waiting" for the decision, "sending", "sent" to all, or "failed".
        sent_to: destinations that have everything.
        attempts: failed tries in a row.
        begun, next_try: seconds since 1970.
        error: of the last try.
    """

    case: str
    study: str
    rule: str
    origin: str
    state: State
    sent_to: tuple[str, ...]
    attempts: int
    begun: float
    next_try: float
    error: str


class Records:
    """The tables of a listener.

    Args:
        engine: the service's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        tables.create_all(engine)

    def routed(self, study: str) -> tuple[float, float] | None:
        """When the last instance came that was routed, and when it was routed; None for a new study."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_studies).where(_studies.c.study == study)).one_or_none()
        return None if row is None else (row.last, row.routed)

    def note_routed(self, study: str, last: float, now: float) -> None:
        """Remember that a study was routed as it was at `last`."""
        with self._engine.begin() as connection:
            connection.execute(_studies.delete().where(_studies.c.study == study))
            connection.execute(_studies.insert().values(study=study, last=last, routed=now))

    def forget(self, study: str) -> None:
        """Forget a study whose files are gone."""
        with self._engine.begin() as connection:
            connection.execute(_studies.delete().where(_studies.c.study == study))

    def expect(self, case: str, study: str, rule: str, origin: str, now: float) -> bool:
        """Note that the results of a case are to be sent; False where that was noted before."""
        values = {"case": case, "study": study, "rule": rule, "origin": origin, "state": "waiting"}
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    _deliveries.insert().values(**values, sent_to=[], attempts=0, begun=now, next_try=now)
                )
        except IntegrityError:
            return False
        return True

    def due(self, now: float) -> list[Delivery]:
        """Deliveries that are neither sent nor failed and whose next try has come, oldest first."""
        query = sa.select(_deliveries).where(_deliveries.c.state.in_(OPEN), _deliveries.c.next_try <= now)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_deliveries.c.begun)).all()
        return [_delivery(row) for row in rows]

    def all(self) -> list[Delivery]:
        """Every delivery, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_deliveries).order_by(_deliveries.c.begun)).all()
        return [_delivery(row) for row in rows]

    def change(self, delivery: Delivery, **values: Any) -> None:
        """Change a delivery."""
        with self._engine.begin() as connection:
            connection.execute(
                _deliveries.update().where(_deliveries.c.case == delivery.case).values(**values)
            )

    def is_open(self, study: str) -> bool:
        """Whether results of a study are still to be sent."""
        query = sa.select(sa.func.count()).where(_deliveries.c.study == study, _deliveries.c.state.in_(OPEN))
        with self._engine.connect() as connection:
            return bool(connection.scalar(query))

    def pulled(self, source: str, study: str) -> int:
        """How many instances of a study were pulled from a source; 0 for none yet."""
        query = sa.select(_pulled.c.instances).where(_pulled.c.source == source, _pulled.c.study == study)
        with self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def note_pulled(self, source: str, study: str, instances: int) -> None:
        """Remember how many instances were pulled."""
        with self._engine.begin() as connection:
            connection.execute(_pulled.delete().where(_pulled.c.source == source, _pulled.c.study == study))
            connection.execute(_pulled.insert().values(source=source, study=study, instances=instances))


def _delivery(row: sa.Row[Any]) -> Delivery:
    values = dict(row._mapping)
    return Delivery(**{**values, "sent_to": tuple(values["sent_to"])})

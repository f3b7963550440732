"""/metrics: windlass's own figures as the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response

from windlass.domain.rights import Permission
from windlass.usecases.metrics import BOUNDS_S, Metric, measured
from windlass.web.inputs import World
from windlass.web.needs import needs_from_afar
from windlass.web.routing import guarded_router

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

router = guarded_router("health")


@router.get("/metrics", response_class=PlainTextResponse)
@needs_from_afar(Permission.SERVER_READ)
def metrics(request: Request, outside: World) -> Response:
    """Figures of windlass itself for Prometheus; without a token on this machine only."""
    return Response(_text(measured(outside, request.app.state.feed.followers)), media_type=_media_type())


def _media_type() -> str:
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    return str(CONTENT_TYPE_PLAIN_0_0_4)


def _text(found: Iterable[Metric]) -> bytes:
    """The library takes 3 MB of memory, and is not loaded before somebody asks."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Found(found))
    return generate_latest(registry)


class _Found:
    """Of prometheus_client's collectors."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def describe(self) -> Iterable[Family]:
        return ()

    def collect(self) -> Iterator[Family]:
        return (_family(one) for one in self._found)


def _family(metric: Metric) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if metric.kind == "histogram":
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for spread in metric.spreads:
            within = [(str(b), float(n)) for b, n in zip(BOUNDS_S, spread.within, strict=True)]
            family.add_metric(spread.labels, [*within, ("+Inf", float(spread.count))], spread.seconds)
        return family
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    simple = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(metric.values.items()):
        simple.add_metric(labels, value)
    return simple

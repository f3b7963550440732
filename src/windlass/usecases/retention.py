"""How many releases are kept to go back to."""

from __future__ import annotations

from windlass.domain.plan import KeepReleases
from windlass.domain.records import ReleaseState
from windlass.usecases.containers import drop_images
from windlass.usecases.undertaking import Undertaking

KEPT = 5


def keep_releases(work: Undertaking, wanted: KeepReleases) -> None:
    """Drop images and source of releases beyond the newest KEPT that were live; the records stay."""
    releases = work.outside.store.releases.all(work.app)
    usable = [r for r in releases if r.state in (ReleaseState.LIVE, ReleaseState.RETIRED) and r.kept]
    keep = {r.number for r in sorted(usable, key=lambda r: r.number, reverse=True)[:KEPT]} | {wanted.live}
    for release in usable:
        if release.number not in keep:
            drop_images(work, release.number)
            work.outside.trees.remove_source(work.app, release.number)
            work.outside.store.releases.update(work.app, release.number, kept=False)

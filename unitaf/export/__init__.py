"""What a finished file is: one file a format, each returns names and bytes and writes nothing."""

from importlib.util import find_spec

from unitaf.errors import ConfigError
from unitaf.export.audio2face import encode_audio2face
from unitaf.export.curves import encode_curves_csv, encode_curves_json
from unitaf.export.encoder import Encoder
from unitaf.export.glb import encode_glb
from unitaf.export.livelink import encode_livelink
from unitaf.export.npz import encode_npz
from unitaf.export.parquet import encode_parquet
from unitaf.export.sound import encode_flac, encode_ogg, encode_opus, encode_wav
from unitaf.export.subtitles import encode_srt, encode_vtt
from unitaf.types import Take

__all__ = ["FORMATS", "Encoder", "check_installed"]


def _encode_usd(take: Take, name: str) -> dict[str, bytes]:
    from unitaf.export.usd import encode_usd

    return encode_usd(take, name)


FORMATS: dict[str, Encoder] = {
    "curves_csv": encode_curves_csv,
    "curves_json": encode_curves_json,
    "flac": encode_flac,
    "glb": encode_glb,
    "json": encode_audio2face,
    "livelink": encode_livelink,
    "npz": encode_npz,
    "ogg": encode_ogg,
    "opus": encode_opus,
    "parquet": encode_parquet,
    "srt": encode_srt,
    "usd": _encode_usd,
    "vtt": encode_vtt,
    "wav": encode_wav,
}


def check_installed(name: str) -> None:
    """Check that what a format needs is there.

    Raises:
        ConfigError: If it is an extra that is not installed.
    """
    if name == "usd" and find_spec("pxr") is None:
        raise ConfigError("the format usd is not installed; run pip install 'unitaf[usd]'")

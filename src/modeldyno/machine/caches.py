"""The caches of a core, as the kernel tells them."""

from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_FACTORS = {"K": 2**10, "M": 2**20, "G": 2**30}


def cache_bytes(caches: Path = _CACHES) -> dict[str, int]:
    """`L2` of one core and the `L3` it shares, in bytes; what the kernel does not tell is not in it.

    Source: Documentation/ABI/testing/sysfs-devices-system-cpu of the kernel. In a virtual machine the L3 may be that of
    the host, most of which others use.
    """
    found: dict[str, int] = {}
    for index in sorted(caches.glob("index*")):
        level, kind, size = (_text(index / name) for name in ("level", "type", "size"))
        if level in ("2", "3") and kind in ("Unified", "Data") and size[:-1].isdigit() and size[-1] in _FACTORS:
            found[f"L{level}"] = int(size[:-1]) * _FACTORS[size[-1]]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""

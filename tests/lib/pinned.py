"""Programs from pinned Python packages, each in a venv of its own under .cache."""
import subprocess
import sys
import zlib


def venv_of(folder, pins):
    """The venv's bin folder; made ready once for these pins."""
    stamp = folder / f"complete-{zlib.crc32(pins.read_bytes())}"
    if not stamp.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                        "-r", str(pins)], check=True, timeout=600)
        stamp.touch()
    return folder / "bin"

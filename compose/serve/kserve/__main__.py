"""The program of a KServe serving runtime.

python -m compose.serve.kserve --model_name digits --model_dir /mnt/models --http_port 8080 --grpc_port 8081
python -m compose.serve.kserve digits=digits.safetensors flowers=ported/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from compose.core.errors import ComposeError, ConfigError
from compose.serve.kserve.models import models
from compose.serve.kserve.package import kserve
from compose.serve.kserve.server import server
from compose.serve.options import Options, tokens_of_environment
from compose.serve.sources import Source, sources


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    usual = Options()
    parser = argparse.ArgumentParser(
        "python -m compose.serve.kserve", parents=[kserve("model_server").parser],
        description="Serve model files with KServe's server: its protocol's versions 1 and 2, REST and gRPC.",
    )  # fmt: skip
    parser.add_argument("models", nargs="*", metavar="MODEL", help="NAME=FILE; without any, the model in --model_dir")
    parser.add_argument("--model_dir", type=Path, default=Path("/mnt/models"), help="a folder with one model file")
    parser.add_argument("--max_batch", type=int, default=usual.max_batch, help="examples that run together")
    parser.add_argument("--max_delay", type=float, default=0.0, help="milliseconds to wait for more examples")
    parser.add_argument("--max_queue", type=int, default=usual.max_queue, help="examples that may wait")
    parser.add_argument("--max_body", type=float, default=usual.max_body / 2**20, help="megabytes of a REST request")
    args = parser.parse_args()
    options = Options(
        max_batch=args.max_batch, max_delay=args.max_delay / 1000, max_queue=args.max_queue,
        max_body=int(args.max_body * 2**20), tokens=tokens_of_environment(),
    )  # fmt: skip
    found = sources(args.models) if args.models else [in_folder(args.model_name, args.model_dir)]
    made = server(options)
    made.start(models(found, options))


def in_folder(name: str, folder: Path) -> Source:
    """The one model in a folder, as KServe's storage initializer leaves it: a file, or a port. Raises `ConfigError`."""
    if (folder / "weights.safetensors").is_file():
        return Source(name, "1", folder)
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise ConfigError(f"one model file in {folder}", ", ".join(file.name for file in files) or "none")
    return Source(name, "1", files[0])


if __name__ == "__main__":
    try:
        main()
    except ComposeError as e:
        sys.exit(f"error: {e}")

"""How much the operator logs, and how."""

import logging

from finetune_api.log_format import formatter


def configure_logging(level: str, style: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(style))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")

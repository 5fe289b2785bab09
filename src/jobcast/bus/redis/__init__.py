"""The Redis driver of the bus port."""

from jobcast.bus.redis.driver import RedisBus

__all__ = ["RedisBus"]

from __future__ import annotations

import atexit
from functools import cache

from bucket_server import BucketServer
from contract_world import PROJECT, Ask, World, example

from visavis.store import buckets


@cache
def _server() -> BucketServer:
    server = BucketServer()
    server.admin.create_bucket(Bucket="others")
    atexit.register(server.stop)
    return server


def _examples(kind: str, switch: str) -> None:
    """Examples of a setting that names a bucket."""

    def forgotten(world: World) -> Ask:
        world.run(buckets.put(world.context.database, _server().store(PROJECT), 0.0))
        world.do(f"delete_{kind}", Ask())
        return Ask(body=_server().body(switch))

    def there(ask: Ask, world: World) -> Ask:
        world.do(f"create_{kind}")
        return ask

    example(f"create_{kind}")(forgotten)
    example(f"show_{kind}")(lambda world: there(Ask(), world))
    example(f"update_{kind}")(lambda world: there(Ask(body=_server().body(switch, obs_bucket_name="others")), world))
    example(f"delete_{kind}")(lambda world: there(Ask(), world))


_examples("audio_record_config", "enable_audio_record")
_examples("dialog_report_config", "enable_dialog_report")
